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
    png = plots.bars(rows, columns, value_name="SRCC")
    report.pictures[rows.key] = [Picture(name="ablation", alt=alt, png=png)]
    if _steps(runs):
        report.tables.append(_steps_table(runs))
    return report


def _rows_table(runs: Sequence[VariantRuns], notes: Sequence[str]) -> Table:
    dimensions = _dimensions(runs)
    columns = [
        *(Column(key=f"{_MEAN}_{m}", title=m.upper(), group="mean of dimensions") for m in METRICS),
        *(Column(key=f"{d}_srcc", title="SRCC", group=d) for d in dimensions),
    ]
    table = Table(key="ablation", title="Ablation", columns=columns)
    is_same = len({tuple(variant.seeds) for variant in runs}) == 1
    for variant in runs:
        cells = {}
        for metric, measure in METRICS.items():
            cells[f"{_MEAN}_{metric}"] = _cell(_means(variant, dimensions, measure))
        for dimension in dimensions:
            cells[f"{dimension}_srcc"] = _cell(_values(variant, dimension, METRICS["srcc"]))
        note = "" if is_same else f"seeds {_listed(variant.seeds)}"
        table.rows.append(Row(name=variant.name, kind="method", cells=cells, note=note))
    num_tested = len(next(iter(next(iter(runs[0].seeds.values())).values()))[0])
    table.notes += [
        *notes,
        f"{num_tested} test videos. Numbers are means over seeds; brackets hold mean - deviation "
        "and mean + deviation (standard deviation over seeds, n - 1). Seeds move fresh weights and "
        "the order of samples, not the test videos: another set of videos would move all rows by "
        "more.",
    ]
    if is_same:
        table.notes.append(f"Every row: seeds {_listed(runs[0].seeds)}.")
    return table


def _listed(seeds: Mapping[int, object]) -> str:
    return ", ".join(map(str, seeds))


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


def _gain(earlier: VariantRuns, later: VariantRuns, dimensions: Sequence[str]) -> list[Measure]:
    shared = [seed for seed in later.seeds if seed in earlier.seeds]
    before, after = (
        _means(
            VariantRuns(run.name, {seed: run.seeds[seed] for seed in shared}),
            dimensions,
            METRICS["srcc"],
        )
        for run in (earlier, later)
    )
    return [
        Measure(new.value - old.value)
        if old.is_defined and new.is_defined
        else (new if old.is_defined else old)
        for old, new in zip(before, after, strict=True)
    ]


def _dimensions(runs: Sequence[VariantRuns]) -> list[str]:
    known = next(iter(runs[0].seeds.values()))
    return [str(dimension) for dimension in DIMENSIONS if str(dimension) in known]


def _values(
    variant: VariantRuns, dimension: str, metric: Callable[[Vector, Vector], Measure]
) -> list[Measure]:
    """Return a metric of each seed."""
    return [metric(*parts[dimension]) for parts in variant.seeds.values()]


def _means(
    variant: VariantRuns,
    dimensions: Sequence[str],
    metric: Callable[[Vector, Vector], Measure],
) -> list[Measure]:
    """Return the mean over the dimensions, of each seed."""
    columns = [_values(variant, dimension, metric) for dimension in dimensions]
    return [_mean(row) for row in zip(*columns, strict=True)]


def _mean(measures: Sequence[Measure]) -> Measure:
    """Return the mean; undefined, with its reason, where one of them is."""
    unknown = next((measure for measure in measures if not measure.is_defined), None)
    return unknown or Measure(float(np.mean([measure.value for measure in measures])))


def _cell(measures: Sequence[Measure]) -> Cell:
    """Return mean and deviation over seeds."""
    if not measures:
        return Cell(undefined("the two rows have no seed in common"))
    mean = _mean(measures)
    if not mean.is_defined or len(measures) < 2:
        return Cell(mean)
    deviation = float(np.std([measure.value for measure in measures], ddof=1))
    low, high = mean.value - deviation, mean.value + deviation
    return Cell(mean, Interval(low, high, _ONE_DEVIATION, len(measures)))


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
