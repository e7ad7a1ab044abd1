"""A table of methods: its cells, which of them are best, and how it is written.

Rows are of three kinds: `method` (measured here), `published` (a paper's figure, for reference)
and `floor` (measured here, without looking at the video). Best and second are marked among methods
and published figures; floors take no place, but a floor that is level with the best is said so.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from finevq.evaluation.measure import Measure
from finevq.evaluation.uncertainty import Interval
from finevq.report.text import printable_text, spreadsheet_text

Kind = Literal["method", "published", "floor"]
_NOT_COMPARABLE = (
    "Published figures are of other videos, training or machines: they stand for orientation and "
    "take no part in the marks."
)
_LATEX = str.maketrans(
    {letter: rf"\{letter}" for letter in "&%_#${}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    | {"↑": r"$\uparrow$", "↓": r"$\downarrow$"}
)
KINDS: tuple[Kind, ...] = ("published", "method", "floor")
_KIND_TITLES: Mapping[Kind, str] = {
    "published": "published",
    "method": "measured here",
    "floor": "floors, without the video",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One figure of merit."""

    key: str
    title: str
    group: str = ""
    """Heading above several columns: a dimension or a data set."""
    higher_is_better: bool = True
    digits: int = 3


@dataclass(frozen=True, slots=True)
class Cell:
    """A number with its interval, or the reason why there is none."""

    measure: Measure
    interval: Interval | None = None

    def text(self, digits: int) -> str:
        """Return the number as printed; a dash where undefined."""
        value = self.measure.value
        return "–" if math.isnan(value) else f"{value:.{digits}f}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One method."""

    name: str
    kind: Kind
    cells: Mapping[str, Cell]
    """Column key to cell; a missing one is left blank."""
    note: str = ""
    """What a reader must know: failures, labels used, where figures come from."""


@dataclass(kw_only=True, slots=True)
class Table:
    """A table with its notes."""

    key: str
    """table1 .. table7, or the name of another evaluation."""
    title: str
    columns: Sequence[Column]
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    is_published_comparable: bool = True
    """Whether published figures rest on the same videos and protocol, so that they take part in
    the marks."""

    def kind_title(self, kind: Kind) -> str:
        """Return the heading above the rows of a kind."""
        if kind == "published" and not self.is_published_comparable:
            return "published, for orientation"
        return _KIND_TITLES[kind]

    def ordered_rows(self) -> list[Row]:
        """Return published figures, then methods, then floors."""
        return [row for kind in KINDS for row in self.rows if row.kind == kind]

    def ranked(self, column: Column) -> list[Row]:
        """Return methods and published rows that have a number, best first."""
        kinds = {"method", "published"} if self.is_published_comparable else {"method"}
        rows = [r for r in self.rows if r.kind in kinds and _value(r, column) is not None]
        sign = -1 if column.higher_is_better else 1
        return sorted(rows, key=lambda row: sign * (_value(row, column) or 0.0))

    def mark(self, row: Row, column: Column) -> Literal["best", "second", ""]:
        """Return whether the row is best or second in a column; equal numbers share a mark."""
        value = _value(row, column)
        ranked = self.ranked(column)
        if value is None or all(row is not other for other in ranked):
            return ""
        numbers = [_value(other, column) for other in ranked]
        places = list(dict.fromkeys(f"{number:.{column.digits}f}" for number in numbers))
        text = f"{value:.{column.digits}f}"
        if len(numbers) < 2 or text not in places[:2]:
            return ""
        return "best" if text == places[0] else "second"

    def floor_warnings(self) -> list[str]:
        """Return a sentence for each floor that reaches the best method of a column."""
        sentences = []
        for row in self.rows:
            reached = [c for c in self.columns if row.kind == "floor" and self._reaches(row, c)]
            if reached:
                names = ", ".join(" ".join(filter(None, (c.group, c.title))) for c in reached)
                sentences.append(
                    f"The floor “{row.name}” is level with or above the best in: {names}."
                )
        return sentences

    def _reaches(self, row: Row, column: Column) -> bool:
        ranked, value = self.ranked(column), _value(row, column)
        if not ranked or value is None:
            return False
        best = _value(ranked[0], column) or 0.0
        slack = 0.5 * 10**-column.digits
        return bool(value >= best - slack if column.higher_is_better else value <= best + slack)

    def undefined_cells(self) -> list[str]:
        """Return a sentence for each measured cell without a number: its reason."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            for column in self.columns:
                cell = row.cells.get(column.key)
                if cell is not None and not cell.measure.is_defined:
                    name = " ".join(filter(None, (column.group, column.title)))
                    reason = (row.name, cell.measure.undefined_because)
                    reasons.setdefault(reason, []).append(name)
        return [
            f"{row}: {_listed(names, len(self.columns))} undefined, because {reason}."
            for (row, reason), names in reasons.items()
        ]

    def all_notes(self) -> list[str]:
        """Return everything to print below the table."""
        row_notes = [f"{row.name}: {row.note}." for row in self.rows if row.note]
        has_published = any(row.kind == "published" for row in self.rows)
        apart = [_NOT_COMPARABLE] if has_published and not self.is_published_comparable else []
        return [*self.notes, *apart, *row_notes, *self.floor_warnings(), *self.undefined_cells()]


def from_measures(measures: Mapping[str, Measure]) -> dict[str, Cell]:
    """Return cells without intervals."""
    return {key: Cell(measure) for key, measure in measures.items()}


def add_published(table: Table, figures: Mapping[str, Mapping[str, float]], source: str) -> None:
    """Add a published table's rows, those with a figure in one of the columns, and their source."""
    keys = {column.key for column in table.columns}
    rows = [
        Row(name=name, kind="published", cells={k: Cell(Measure(v)) for k, v in values.items()})
        for name, values in figures.items()
        if keys & values.keys()
    ]
    table.rows += rows
    table.notes.append(
        f"Published figures: {source}."
        if rows
        else f"{source} has no published figures for these columns."
    )


def to_markdown(table: Table) -> str:
    """Return the table as GitHub Markdown: best bold, second in italics, intervals in brackets."""
    heads = [_head(column) for column in table.columns]
    lines = [f"## {table.title}", "", f"| method | {' | '.join(heads)} |"]
    lines.append(f"| :-- |{' --: |' * len(heads)}")
    kind = ""
    for row in table.ordered_rows():
        if row.kind != kind:
            kind = row.kind
            lines.append(f"| *{table.kind_title(row.kind)}* |{' |' * len(heads)}")
        cells = [_markdown_cell(table, row, column) for column in table.columns]
        lines.append(f"| {_markdown(row.name)} | {' | '.join(cells)} |")
    notes = [f"- {note}" for note in table.all_notes()]
    return "\n".join([*lines, "", *notes]).rstrip() + "\n"


def to_csv(table: Table) -> str:
    """Return the table as CSV at full precision, with intervals in columns of their own."""
    out = io.StringIO()
    keys = [key for c in table.columns for key in (c.key, f"{c.key}_low", f"{c.key}_high")]
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["method", "kind", *keys])
    for row in table.ordered_rows():
        values: list[str] = []
        for column in table.columns:
            cell = row.cells.get(column.key)
            interval = cell.interval if cell else None
            bounds = (interval.low, interval.high) if interval else (math.nan, math.nan)
            value = cell.measure.value if cell else math.nan
            values += ["" if math.isnan(v) else repr(float(v)) for v in (value, *bounds)]
        writer.writerow([spreadsheet_text(row.name), row.kind, *values])
    return out.getvalue()


def to_latex(table: Table) -> str:
    """Return a booktabs table: best bold, second underlined."""
    heads = " & ".join(_latex(_head(column)) for column in table.columns)
    lines = [
        r"\begin{table}[t]\centering\small",
        rf"\caption{{{_latex(table.title)}}}\label{{tab:{table.key}}}",
        rf"\begin{{tabular}}{{l{'r' * len(table.columns)}}}\toprule",
        rf"Method & {heads} \\",
    ]
    kind = ""
    for row in table.ordered_rows():
        if row.kind != kind:
            kind = row.kind
            width = len(table.columns) + 1
            lines.append(
                rf"\midrule\multicolumn{{{width}}}{{l}}{{\emph{{{table.kind_title(row.kind)}}}}}\\"
            )
        cells = [_latex_cell(table, row, column) for column in table.columns]
        lines.append(rf"{_latex(row.name)} & {' & '.join(cells)} \\")
    lines += [r"\bottomrule\end{tabular}", r"\end{table}"]
    notes = [f"% {note}" for note in table.all_notes()]
    return "\n".join([*lines, *notes]) + "\n"


def _listed(names: Sequence[str], num_columns: int) -> str:
    if len(names) == num_columns:
        return "everything is"
    return ", ".join(names) if len(names) <= 4 else f"{len(names)} of {num_columns} columns"


def _value(row: Row, column: Column) -> float | None:
    cell = row.cells.get(column.key)
    return None if cell is None or math.isnan(cell.measure.value) else cell.measure.value


def _head(column: Column) -> str:
    arrow = "↑" if column.higher_is_better else "↓"
    return f"{column.group} {column.title} {arrow}".strip()


def _markdown(text: str) -> str:
    return printable_text(text).replace("|", "\\|")


def _markdown_cell(table: Table, row: Row, column: Column) -> str:
    cell = row.cells.get(column.key)
    if cell is None:
        return ""
    text = cell.text(column.digits)
    text = {"best": f"**{text}**", "second": f"*{text}*", "": text}[table.mark(row, column)]
    return text + interval_text(cell, column)


def interval_text(cell: Cell, column: Column) -> str:
    """Return the interval as printed behind a number; empty where there is none."""
    if cell.interval is None or math.isnan(cell.interval.low):
        return ""
    return f" [{cell.interval.low:.{column.digits}f}, {cell.interval.high:.{column.digits}f}]"


def _latex_cell(table: Table, row: Row, column: Column) -> str:
    cell = row.cells.get(column.key)
    if cell is None:
        return ""
    text = cell.text(column.digits).replace("–", "--")
    marks = {"best": rf"\textbf{{{text}}}", "second": rf"\underline{{{text}}}", "": text}
    return marks[table.mark(row, column)]


def _latex(text: str) -> str:
    return printable_text(text).translate(_LATEX)
