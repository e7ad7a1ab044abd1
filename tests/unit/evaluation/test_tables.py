import csv
import io
import math

import pytest

from finevq.evaluation.measure import Measure, undefined
from finevq.evaluation.published import load
from finevq.evaluation.tables import (
    Cell,
    Column,
    Row,
    Table,
    published_rows,
    to_csv,
    to_latex,
    to_markdown,
)
from finevq.evaluation.uncertainty import Interval

_SRCC = Column(key="srcc", title="SRCC", group="blur")
_TIME = Column(key="time", title="seconds", higher_is_better=False, digits=1)


def _table():
    def row(name, kind, srcc, time):
        cells = {"srcc": Cell(Measure(srcc)), "time": Cell(Measure(time))}
        return Row(name=name, kind=kind, cells=cells)

    rows = [
        row("mine", "method", 0.81, 2.0),
        row("old", "published", 0.9, 9.0),
        row("older", "published", 0.7, 3.0),
        row("oracle", "floor", 0.95, 5.0),
    ]
    return Table(key="t", title="A & B", columns=[_SRCC, _TIME], rows=rows)


def test_best_and_second_follow_the_direction_and_leave_floors_out():
    table = _table()
    marks = {row.name: (table.mark(row, _SRCC), table.mark(row, _TIME)) for row in table.rows}
    assert marks == {
        "mine": ("second", "best"),
        "old": ("best", ""),
        "older": ("", "second"),
        "oracle": ("", ""),
    }


def test_figures_of_other_videos_take_no_part_in_the_marks():
    table = _table()
    table.is_published_comparable = False
    table.rows.append(Row(name="other", kind="method", cells={"srcc": Cell(Measure(0.5))}))
    marks = {row.name: table.mark(row, _SRCC) for row in table.rows}
    assert marks == {"mine": "best", "old": "", "older": "", "oracle": "", "other": "second"}
    assert any("take no part" in note for note in table.all_notes())


def test_numbers_that_print_alike_share_a_mark():
    table = _table()
    table.rows.append(Row(name="twin", kind="method", cells={"srcc": Cell(Measure(0.90001))}))
    assert table.mark(table.rows[1], _SRCC) == table.mark(table.rows[-1], _SRCC) == "best"


def test_a_floor_that_beats_the_best_is_said():
    (sentence,) = _table().floor_warnings()
    assert "oracle" in sentence
    assert "blur SRCC" in sentence
    assert "seconds" not in sentence


def test_an_undefined_cell_is_a_dash_with_its_reason():
    table = _table()
    cells = {"srcc": Cell(undefined("predictions are constant"))}
    table.rows.append(Row(name="flat", kind="floor", cells=cells))
    text = to_markdown(table)
    assert "| flat | – |" in text
    assert "flat: blur SRCC undefined, because predictions are constant." in text


def test_markdown_marks_and_shows_intervals():
    table = _table()
    interval = Interval(0.78, 0.84, 0.95, 1000)
    table.rows[0] = Row(name="mine", kind="method", cells={"srcc": Cell(Measure(0.81), interval)})
    text = to_markdown(table)
    assert "| mine | *0.810* [0.780, 0.840] |  |" in text
    assert "**0.900**" in text
    assert text.index("*published*") < text.index("*measured here*") < text.index("*floors")


def test_csv_keeps_full_precision():
    table = _table()
    table.rows[0] = Row(name="mine", kind="method", cells={"srcc": Cell(Measure(1 / 3))})
    rows = {row["method"]: row for row in csv.DictReader(io.StringIO(to_csv(table)))}
    assert float(rows["mine"]["srcc"]) == 1 / 3
    assert rows["mine"]["time"] == ""
    assert rows["oracle"]["kind"] == "floor"


def test_latex_escapes_and_marks():
    text = to_latex(_table())
    assert r"A \& B" in text
    assert r"\textbf{0.900}" in text
    assert r"\underline{0.810}" in text
    assert r"$\uparrow$" in text


@pytest.mark.parametrize(
    ("table", "num_rows", "num_columns"),
    [(1, 12, 18), (2, 9, 7), (3, 13, 12), (4, 3, 6), (5, 3, 6), (6, 6, 9), (7, 12, 2)],
)
def test_published_tables_are_whole(table, num_rows, num_columns):
    rows = published_rows(load(f"table{table}"))
    assert len(rows) == num_rows
    assert max(len(row.cells) for row in rows) == num_columns
    assert all(math.isfinite(c.measure.value) for row in rows for c in row.cells.values())


def test_published_figures_are_the_papers(shared):
    text = (shared / "paper" / "finevq.txt").read_text()
    for number, digits in ((1, 4), (4, 4), (5, 4), (6, 4)):
        for row in load(f"table{number}").values():
            line = " ".join(f"{value:.{digits}f}" for value in row.values())
            assert line in text
    for row in load("table2").values():
        assert " ".join(f"{100 * value:.2f}%" for value in row.values()) in text
