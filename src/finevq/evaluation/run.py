"""Runs the tables that are asked for and writes them in every format."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from finevq.errors import InvalidInputError
from finevq.evaluation import plots
from finevq.evaluation.ablation_table import ablation_table
from finevq.evaluation.benchmark_tables import benchmark_table, cross_tables
from finevq.evaluation.contenders import (
    Bench,
    Contender,
    Options,
    oriented_overall,
    run_scorer,
)
from finevq.evaluation.html import Picture, to_html
from finevq.evaluation.question_table import question_tables
from finevq.evaluation.runtime_table import runtime_table
from finevq.evaluation.scoring_table import scoring_tables
from finevq.evaluation.tables import Column, Table, to_csv, to_latex, to_markdown
from finevq.scorer import Scorer

PAPER_TABLES = (1, 2, 3, 4, 5, 6, 7)
_SCATTER_CAPTION = "A point a video; orange: the 4-parameter logistic behind PLCC and RMSE."


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Tables with their plots."""

    title: str
    tables: list[Table] = field(default_factory=list)
    pictures: dict[str, list[Picture]] = field(default_factory=dict)

    def markdown(self) -> str:
        """Return all tables as Markdown."""
        return "\n".join(to_markdown(table) for table in self.tables)

    def write(self, folder: Path) -> list[Path]:
        """Write each table as Markdown, CSV and LaTeX, one HTML page, and the plots as PNG."""
        folder.mkdir(parents=True, exist_ok=True)
        written = []
        for table in self.tables:
            writers = {"md": to_markdown, "csv": to_csv, "tex": to_latex}
            for suffix, write in writers.items():
                path = folder / f"{table.key}.{suffix}"
                path.write_text(write(table), encoding="utf-8")
                written.append(path)
        page = folder / "report.html"
        page.write_text(to_html(self.title, self.tables, self.pictures), encoding="utf-8")
        written.append(page)
        for pictures in self.pictures.values():
            for picture in pictures:
                path = folder / f"{picture.name}.png"
                path.write_bytes(picture.png)
                written.append(path)
        return written


def choose_tables(wanted: str, benches: Mapping[str, Bench]) -> list[int]:
    """Return the numbers of the tables to compute.

    Args:
        wanted: Numbers with commas; empty: every table that the data sets allow.
        benches: Data sets by name.

    Raises:
        InvalidInputError: something else than numbers from 1 to 7, or there is no data set.

    >>> choose_tables("2, 1,2", {"finevd": None})
    [1, 2]
    """
    if not benches:
        raise InvalidInputError(
            "no data set is given: --data finevd=FOLDER, or --synthetic FOLDER for clips made by "
            "finevq data synthesize"
        )
    words = [word.strip() for word in wanted.split(",") if word.strip()]
    if unknown := [word for word in words if word not in map(str, PAPER_TABLES)]:
        raise InvalidInputError(f"table {unknown[0]!r}: the paper has tables 1 to 7")
    if words:
        return sorted({int(word) for word in words})
    has_finevd, has_others = "finevd" in benches, set(benches) != {"finevd"}
    allowed = {3: has_others, 4: has_finevd and has_others, 5: has_finevd and has_others, 7: True}
    return [number for number in PAPER_TABLES if allowed.get(number, has_finevd)]


def run_tables(
    numbers: Sequence[int],
    benches: Mapping[str, Bench],
    contenders: Sequence[Contender],
    options: Options,
    *,
    num_frames: Mapping[str, int] | None = None,
    timed: Mapping[str, Scorer] | None = None,
) -> Report:
    """Compute the paper's tables.

    Args:
        numbers: Which of the seven.
        benches: Data sets by name; tables 1, 2, 4, 5 and 6 need "finevd".
        contenders: What is compared.
        options: Bootstrap, seed, cache.
        num_frames: Frames of clips by name, for table 7.
        timed: Scorers without a cache by contender name, for table 7.

    Raises:
        InvalidInputError: an unknown table, or a data set that it needs is not given.
    """
    if unknown := [number for number in numbers if number not in PAPER_TABLES]:
        raise InvalidInputError(f"table {unknown[0]}: the paper has tables 1 to 7")
    report = Report(title="finevq: the paper's tables, with their floors")
    others = [bench for name, bench in benches.items() if name != "finevd"]
    for number in numbers:
        if number == 3:
            tables = [benchmark_table(_needed(others, 3), contenders, options)]
        elif number == 7:
            bench = next(iter(benches.values()), None)
            if bench is None:
                raise InvalidInputError("table 7 needs a data set with files: --data NAME=FOLDER")
            tables = [runtime_table(bench, contenders, num_frames or {}, timed=timed)]
        else:
            tables = _finevd_tables(number, benches, others, contenders, options)
        used = _benches_of(number, benches, others)
        for table in tables:
            table.notes += [note for bench in used for note in bench.notes]
            if all(table.key != known.key for known in report.tables):
                report.tables.append(table)
                report.pictures[table.key] = _pictures(table)
    if 1 in numbers:
        report.pictures["table1"] += _scatters(benches["finevd"], contenders, options)
    return report


def _benches_of(
    number: int, benches: Mapping[str, Bench], others: Sequence[Bench]
) -> Sequence[Bench]:
    if number in {1, 2}:
        return [benches["finevd"]]
    if number == 3:
        return others
    return list(benches.values())[: 1 if number == 7 else None]


def evaluate_predictions(bench: Bench, contenders: Sequence[Contender], options: Options) -> Report:
    """Judge scorers on one data set: the tables of `finevq evaluate scores`."""
    tables = scoring_tables(bench, contenders, options, paper=False)
    report = Report(title=f"finevq: scores on {bench.caption}", tables=tables)
    for table in tables:
        table.notes += bench.notes
        report.pictures[table.key] = _pictures(table)
    report.pictures["table1"] += _scatters(bench, contenders, options)
    return report


def _finevd_tables(
    number: int,
    benches: Mapping[str, Bench],
    others: Sequence[Bench],
    contenders: Sequence[Contender],
    options: Options,
) -> list[Table]:
    if "finevd" not in benches:
        raise InvalidInputError(
            f"table {number} needs FineVD: --data finevd=FOLDER (the release, or its labels)"
        )
    finevd = benches["finevd"]
    if number == 1:
        return scoring_tables(finevd, contenders, options)
    if number == 2:
        return question_tables(finevd, contenders, options)
    if number == 6:
        return [ablation_table([finevd, *others], contenders, options)]
    both = cross_tables(finevd, _needed(others, number), contenders, options)
    return [table for table in both if table.key == f"table{number}"]


def _needed(others: Sequence[Bench], number: int) -> Sequence[Bench]:
    if not others:
        raise InvalidInputError(
            f"table {number} needs a data set besides FineVD: --data konvid-1k=FOLDER, ..."
        )
    return others


def _pictures(table: Table) -> list[Picture]:
    columns = _drawn_columns(table)
    if not columns:
        return []
    name = columns[0].title
    alt = f"{table.title}: {name} of each method as bars, with 95 % intervals where computed"
    kinds = {row.kind for row in table.rows}
    words = {
        "published": "gray: published, the best three",
        "method": "blue: measured here",
        "floor": "orange: floors, without the video",
    }
    caption = "; ".join(text for kind, text in words.items() if kind in kinds)
    png = plots.bars(table, columns, value_name=name)
    return [Picture(name=table.key, alt=alt, png=png, caption=caption)]


def _drawn_columns(table: Table) -> list[Column]:
    """Return the first kind of column of each group, where anything was measured."""
    wanted = {"table1": "SRCC", "table2": "accuracy", "table1-detail": "residual SRCC"}
    title = wanted.get(table.key, "SRCC")
    if table.key == "table2-detail":
        title = "balanced"
    measured = [row for row in table.rows if row.kind != "published"]
    return [
        column
        for column in table.columns
        if column.title == title
        and any(
            column.key in row.cells and row.cells[column.key].measure.is_defined for row in measured
        )
    ]


def _scatters(bench: Bench, contenders: Sequence[Contender], options: Options) -> list[Picture]:
    pictures = []
    labels = bench.test_labels()
    mos = np.array(labels.mos())
    for contender in contenders:
        scores = oriented_overall(run_scorer(contender, bench, labels, options), labels)
        known = np.isfinite(scores)
        if known.sum() > 1:
            title = f"{contender.name} on {bench.caption}"
            png = plots.scatter(scores[known], mos[known], title=title)
            alt = f"Overall scores of {contender.name} against MOS, with the logistic fit"
            name = f"scatter-{contender.name}".replace("/", "-").replace(" ", "-")
            pictures.append(Picture(name=name, alt=alt, png=png, caption=_SCATTER_CAPTION))
    return pictures
