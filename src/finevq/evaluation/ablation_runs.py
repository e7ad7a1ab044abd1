"""Table 6 from the runs of `finevq train ablation`: mean and deviation over seeds, row by row.

Reads predictions.csv (video, dimension, mos, score) from runs/ROW/seed-N. Beside the table of rows
stands one of steps: what each addition changes, seed by seed on the same start, against how much
seeds differ.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finevq.errors import DatasetError
from finevq.evaluation import plots
from finevq.evaluation.ablation_table import METRICS
from finevq.evaluation.html import Picture
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.evaluation.run import Report
from finevq.evaluation.tables import Cell, Column, Row, Table
from finevq.evaluation.uncertainty import Interval
from finevq.vocabulary import DIMENSIONS

_FILE = "predictions.csv"
_ONE_DEVIATION = 0.683
"""Share of a normal distribution within one standard deviation, as the level of the interval."""
_MEAN = "mean"


@dataclass(frozen=True, slots=True)
class VariantRuns:
    """A row of the table."""

    name: str
    seeds: Mapping[int, Mapping[str, tuple[Vector, Vector]]]
    """Seed to dimension to (scores, MOS) of the test videos."""


def read_runs(folder: Path, names: Mapping[str, str]) -> list[VariantRuns]:
    """Read the runs of an ablation.

    Args:
        folder: Holds ROW/seed-N/predictions.csv.
        names: Row (folder name) to its title, in the table's order.

    Raises:
        DatasetError: there are none, or runs were judged on different test videos.
    """
    found = []
    judged: dict[frozenset[tuple[str, str]], str] = {}
    for key, title in names.items():
        seeds = {}
        for path in sorted((folder / key).glob(f"seed-*/{_FILE}")):
            seeds[int(path.parent.name.removeprefix("seed-"))], asked = _read(path)
            judged.setdefault(asked, str(path))
        if seeds:
            found.append(VariantRuns(title, dict(sorted(seeds.items()))))
    if not found:
        raise DatasetError(f"{folder} holds no finished run ({'|'.join(names)}/seed-N/{_FILE})")
    if len(judged) > 1:
        raise DatasetError(f"runs were judged on different records: {', '.join(judged.values())}")
    return found


def ablation_report(runs: Sequence[VariantRuns], *, notes: Sequence[str] = ()) -> Report:
    """Build the tables and the picture of an ablation.

    Args:
        runs: From `read_runs`.
        notes: What every run was given, in sentences.
    """
    rows = _rows_table(runs, notes)
    report = Report(title="Ablation", tables=[rows])
    columns = [column for column in rows.columns if column.title == "SRCC"]
    alt = "SRCC of each row as bars, mean over the dimensions and each of them; lines: deviation"
    png = plots.bars(rows, columns, value_name="SRCC, mean and deviation over seeds")
    report.pictures[rows.key] = [Picture(name="ablation", alt=alt, png=png)]
    if len(runs) > 1:
        report.tables.append(_steps_table(runs))
    return report


def _rows_table(runs: Sequence[VariantRuns], notes: Sequence[str]) -> Table:
    dimensions = _dimensions(runs)
    columns = [
        *(Column(key=f"{_MEAN}_{m}", title=m.upper(), group="mean of dimensions") for m in METRICS),
        *(Column(key=f"{d}_srcc", title="SRCC", group=d) for d in dimensions),
    ]
    table = Table(key="ablation", title="Ablation", columns=columns)
    for variant in runs:
        cells = {}
        for metric, measure in METRICS.items():
            cells[f"{_MEAN}_{metric}"] = _cell(_means(variant, dimensions, measure))
        for dimension in dimensions:
            cells[f"{dimension}_srcc"] = _cell(_values(variant, dimension, METRICS["srcc"]))
        seeds = ", ".join(map(str, variant.seeds))
        table.rows.append(Row(name=variant.name, kind="method", cells=cells, note=f"seeds {seeds}"))
    num_tested = len(next(iter(next(iter(runs[0].seeds.values())).values()))[0])
    table.notes += [
        *notes,
        f"{num_tested} test videos. Numbers are means over seeds; brackets hold mean - deviation "
        "and mean + deviation (standard deviation over seeds, n - 1). Seeds move fresh weights and "
        "the order of samples, not the test videos: another set of videos would move all rows by "
        "more.",
    ]
    return table


def _steps_table(runs: Sequence[VariantRuns]) -> Table:
    """Build the table of differences to the row before, seed by seed."""
    dimensions = _dimensions(runs)
    columns = [
        Column(key=f"{_MEAN}_srcc", title="SRCC", group="mean of dimensions"),
        *(Column(key=f"{d}_srcc", title="SRCC", group=d) for d in dimensions),
    ]
    table = Table(key="ablation_steps", title="What each step changes", columns=columns)
    for earlier, later in _steps(runs):
        cells = {f"{_MEAN}_srcc": _cell(_gain(earlier, later, dimensions))}
        for dimension in dimensions:
            cells[f"{dimension}_srcc"] = _cell(_gain(earlier, later, [dimension]))
        name = f"{later.name} - ({earlier.name})"
        table.rows.append(Row(name=name, kind="method", cells=cells))
    table.notes.append(
        "Difference of SRCC within each seed (same fresh weights, same order of samples), mean and "
        "deviation over seeds. A step whose bracket holds 0 is not told from chance by these runs."
    )
    return table


def _steps(runs: Sequence[VariantRuns]) -> list[tuple[VariantRuns, VariantRuns]]:
    """Return pairs of rows that differ by one addition, as far as both were run."""
    by_name = {run.name: run for run in runs}
    base = "spatial + motion"
    pairs = [
        ("spatial", base),
        (base, f"{base} + vision LoRA 8"),
        (base, f"{base} + LLM LoRA 8"),
        (f"{base} + LLM LoRA 8", f"{base} + both LoRA 8"),
        (f"{base} + both LoRA 8", f"{base} + both LoRA 16"),
    ]
    return [(by_name[a], by_name[b]) for a, b in pairs if a in by_name and b in by_name]


def _gain(
    earlier: VariantRuns, later: VariantRuns, dimensions: Sequence[str]
) -> list[float | None]:
    shared = [seed for seed in later.seeds if seed in earlier.seeds]
    gains: list[float | None] = []
    for seed in shared:
        pair = [
            _means(VariantRuns(run.name, {seed: run.seeds[seed]}), dimensions, METRICS["srcc"])[0]
            for run in (earlier, later)
        ]
        before, after = pair
        gains.append(None if before is None or after is None else after - before)
    return gains


def _dimensions(runs: Sequence[VariantRuns]) -> list[str]:
    known = next(iter(runs[0].seeds.values()))
    return [str(dimension) for dimension in DIMENSIONS if str(dimension) in known]


def _values(
    variant: VariantRuns, dimension: str, metric: Callable[[Vector, Vector], Measure]
) -> list[float | None]:
    """Return a metric of each seed; None where it is undefined."""
    measures = [metric(*parts[dimension]) for parts in variant.seeds.values()]
    return [measure.value if measure.is_defined else None for measure in measures]


def _means(
    variant: VariantRuns,
    dimensions: Sequence[str],
    metric: Callable[[Vector, Vector], Measure],
) -> list[float | None]:
    """Return the mean over the dimensions, of each seed."""
    columns = [_values(variant, dimension, metric) for dimension in dimensions]
    means: list[float | None] = []
    for row in zip(*columns, strict=True):
        known = [value for value in row if value is not None]
        means.append(float(np.mean(known)) if len(known) == len(row) else None)
    return means


def _cell(values: Sequence[float | None]) -> Cell:
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return Cell(undefined("a run gives one score to every video"))
    mean = float(np.mean(known))
    if len(known) < 2:
        return Cell(Measure(mean))
    deviation = float(np.std(known, ddof=1))
    bounds = Interval(mean - deviation, mean + deviation, _ONE_DEVIATION, len(known))
    return Cell(Measure(mean), bounds)


def _read(path: Path) -> tuple[dict[str, tuple[Vector, Vector]], frozenset[tuple[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        by_dimension: dict[str, list[tuple[float, float]]] = {}
        for row in rows:
            pair = (float(row["score"]), float(row["mos"]))
            by_dimension.setdefault(row["dimension"], []).append(pair)
        asked = frozenset((row["video"], row["dimension"]) for row in rows)
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise DatasetError(f"{path}: not the predictions of a run ({error!r})") from None
    return (
        {
            dimension: (np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs]))
            for dimension, pairs in by_dimension.items()
        },
        asked,
    )
