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
    add_published,
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
    rows = load(f"table{table}").values()
    assert len(rows) == num_rows
    assert max(map(len, rows)) == num_columns
    assert all(math.isfinite(value) for row in rows for value in row.values())


def test_published_rows_without_a_figure_in_the_columns_are_left_out():
    table = Table(key="t", title="t", columns=[_SRCC])
    add_published(table, {"a": {"srcc": 0.5}, "b": {"plcc": 0.7}}, "A, 2020")
    assert [row.name for row in table.rows] == ["a"]
    assert table.notes == ["Published figures: A, 2020."]
    add_published(table, {"b": {"plcc": 0.7}}, "B, 2021")
    assert table.notes[-1] == "B, 2021 has no published figures for these columns."


def test_names_of_methods_cannot_break_a_format():
    table = Table(key="t", title="t", columns=[_SRCC])
    table.rows.append(Row(name="=a|b\nc_{$", kind="method", cells={"srcc": Cell(Measure(0.5))}))
    assert r"| =a\|b\nc_{$ |" in to_markdown(table)
    assert r"=a|b\textbackslash{}nc\_\{\$" in to_latex(table)
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert row["method"].startswith("'=a|b")


def test_published_figures_of_other_videos_are_for_orientation():
    table = _table()
    assert table.kind_title("published") == "published"
    table.is_published_comparable = False
    assert "for orientation" in table.kind_title("published")
    assert table.mark(table.rows[0], _SRCC) in {"", "best", "second"}


def test_published_figures_are_the_papers(shared):
    text = (shared / "paper" / "finevq.txt").read_text()
    for number, digits in ((1, 4), (4, 4), (5, 4), (6, 4)):
        for row in load(f"table{number}").values():
            line = " ".join(f"{value:.{digits}f}" for value in row.values())
            assert line in text
    for row in load("table2").values():
        assert " ".join(f"{100 * value:.2f}%" for value in row.values()) in text
