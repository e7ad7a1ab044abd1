"""Tables 3, 4 and 5: other data sets, and training on one set to test on another.

Table 3 here judges scorers as they are: nothing is trained on the data set at hand (the paper's
figures are of methods trained on four fifths of it, which the notes say). Tables 4 and 5 train a
ridge head on what a frozen method says of the videos of one set, and test on another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.datasets.splits import repeated_splits
from finevq.evaluation.contenders import (
    Bench,
    Contender,
    Options,
    coverage_note,
    oriented_overall,
    run_scorer,
    scored_rows,
)
from finevq.evaluation.correlation import plcc_fitted, srcc
from finevq.evaluation.features import train_ridge
from finevq.evaluation.floors import METADATA_REGRESSORS, has_metadata, metadata_scores
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.evaluation.published import SOURCE, load
from finevq.evaluation.tables import Cell, Column, Row, Table, add_published, from_measures
from finevq.records import Failure
from finevq.vocabulary import Dimension

METRICS: dict[str, Callable[[Vector, Vector], Measure]] = {"srcc": srcc, "plcc": plcc_fitted}
_MIN_TRAINING = 10


def benchmark_table(
    benches: Sequence[Bench], contenders: Sequence[Contender], options: Options
) -> Table:
    """Table 3: scorers as they are, on the data sets at hand.

    Sets that publish test parts (LSVQ: test and test_1080p) are judged on them; the others by the
    median over the test fifths of `options.repeats` random 80:20 splits.
    """
    parts = [(bench, part) for bench in benches for part in _test_parts(bench)]
    table = Table(
        key="table3",
        title="Quality scoring on other data sets",
        columns=_columns([title for _, (title, _) in parts]),
        is_published_comparable=False,
        notes=["Ours: not trained on the set."],
    )
    setting = "trained on four fifths of each set (LSVQ: on its training part), median over splits"
    add_published(table, load("table3"), f"{SOURCE}, table 3 ({setting})")
    for contender in contenders:
        cells: dict[str, Cell] = {}
        notes = []
        for bench, (title, labels) in parts:
            said = run_scorer(contender, bench, labels, options)
            cells |= _prefixed(title, _over_splits(oriented_overall(said, labels), labels, options))
            notes.append(coverage_note(said, labels))
        note = "; ".join(filter(None, notes))
        table.rows.append(Row(name=contender.name, kind="method", cells=cells, note=note))
    for bench, (title, labels) in parts:
        table.notes.append(
            f"{title}: {len(labels)} videos of {bench.title}, labels {labels.fingerprint}."
        )
    return table


def cross_tables(
    finevd: Bench, others: Sequence[Bench], contenders: Sequence[Contender], options: Options
) -> list[Table]:
    """Tables 4 and 5: train on others and test on FineVD, and the other way round."""
    to_finevd = Table(
        key="table4",
        title=f"Trained on other data sets, tested on {finevd.caption}",
        columns=_columns([bench.title for bench in others]),
        is_published_comparable=False,
        notes=["Columns: the training set."],
    )
    add_published(to_finevd, load("table4"), f"{SOURCE}, table 4")
    from_finevd = Table(
        key="table5",
        title=f"Trained on {finevd.caption}, tested on other data sets",
        columns=_columns([bench.title for bench in others]),
        is_published_comparable=False,
        notes=["Columns: the test set."],
    )
    add_published(from_finevd, load("table5"), f"{SOURCE}, table 5")
    test = Part(finevd, finevd.test_labels())
    train = Part(finevd, finevd.train_labels() or finevd.labels)
    for contender in contenders:
        rows: dict[str, list[dict[str, Cell]]] = {"as it is": [{}, {}], "trained head": [{}, {}]}
        for bench in others:
            other = Part(bench, bench.labels.without_flagged())
            for place, (learn, judge) in enumerate(((other, test), (train, other))):
                plain = _scores(contender, judge, options)
                trained = train_head(contender, learn, judge)
                for kind, scores in (("as it is", plain), ("trained head", trained)):
                    cells = _metrics(scores, judge.labels)
                    rows[kind][place] |= _prefixed(bench.title, cells)
        for kind, (first, second) in rows.items():
            name = f"{contender.name}, {kind}"
            to_finevd.rows.append(Row(name=name, kind="method", cells=first))
            from_finevd.rows.append(Row(name=name, kind="method", cells=second))
    _add_metadata(to_finevd, from_finevd, train, test, others)
    for table in (to_finevd, from_finevd):
        table.notes.append(
            "as it is: nothing trained on either set; trained head: ridge regression on what the "
            "frozen method says (scores, levels, attributes), strength by leave-one-out."
        )
    return [to_finevd, from_finevd]


@dataclass(frozen=True, slots=True)
class Part:
    """Some videos of a data set."""

    bench: Bench
    labels: LabelSet


def train_head(contender: Contender, learn: Part, judge: Part) -> Vector:
    """Train a ridge head on one set's labels and score another set, whose labels are not seen.

    Returns:
        (N,) scores of the judged videos; NaN where a video has no features, everywhere where the
        training set has fewer than ten videos.
    """
    known, mos = _features(contender, learn), np.array(learn.labels.mos())
    asked = _features(contender, judge)
    names = sorted({name for row in known if row for name in row})
    has_row = np.array([row is not None for row in known])
    if has_row.sum() < _MIN_TRAINING:
        return np.full(len(judge.labels), np.nan)
    matrix = np.array([[row.get(n, 0.0) for n in names] for row in known if row is not None])
    predict = train_ridge(matrix, mos[has_row], 0)
    scores = np.full(len(judge.labels), np.nan)
    for index, row in enumerate(asked):
        if row is not None:
            scores[index] = predict(np.array([[row.get(name, 0.0) for name in names]]))[0]
    return scores


def _features(contender: Contender, part: Part) -> list[dict[str, float] | None]:
    clips = part.bench.clips(part.labels)
    if contender.features is not None:
        found = [contender.features(clip) for clip in clips]
        return [None if isinstance(row, Failure) else dict(row) for row in found]
    outcomes = contender.scorer.score(clips)
    return [
        None if isinstance(outcome, Failure) else {str(d): v for d, v in outcome.values.items()}
        for outcome in outcomes
    ]


def _scores(contender: Contender, part: Part, options: Options) -> Vector:
    return oriented_overall(run_scorer(contender, part.bench, part.labels, options), part.labels)


def _add_metadata(
    to_finevd: Table, from_finevd: Table, train: Part, test: Part, others: Sequence[Bench]
) -> None:
    usable = [bench for bench in others if has_metadata(bench.labels)]
    if not usable or not has_metadata(test.labels):
        return
    for regressor in METADATA_REGRESSORS:
        first: dict[str, Cell] = {}
        second: dict[str, Cell] = {}
        for bench in usable:
            other = bench.labels.without_flagged()
            for cells, learn, judge in (
                (first, other, test.labels),
                (second, train.labels, other),
            ):
                scores = metadata_scores(learn, judge, Dimension.OVERALL, regressor=regressor)
                cells |= _prefixed(bench.title, _metrics(scores, judge))
        name = f"metadata only ({regressor})"
        to_finevd.rows.append(Row(name=name, kind="floor", cells=first))
        from_finevd.rows.append(Row(name=name, kind="floor", cells=second))


def _test_parts(bench: Bench) -> list[tuple[str, LabelSet]]:
    published = [split for split in bench.labels.splits if split.startswith("test")]
    if not published:
        return [(bench.title, bench.labels.without_flagged())]
    names = {"test": f"{bench.title}-test", "test_1080p": f"{bench.title}-1080p"}
    return [(names.get(split, split), bench.labels.of_split(split)) for split in published]


def _over_splits(scores: Vector, labels: LabelSet, options: Options) -> dict[str, Cell]:
    if labels.splits:
        return _metrics(scores, labels)
    place = {video.name: index for index, video in enumerate(labels.videos)}
    mos = np.array(labels.mos())
    values: dict[str, list[float]] = {key: [] for key in METRICS}
    for split in repeated_splits(labels, repeats=options.repeats, seed=options.seed):
        rows = np.array([place[name] for name in split.part("test")])
        rows = rows[np.isfinite(scores[rows])]
        for key, metric in METRICS.items():
            values[key].append(metric(scores[rows], mos[rows]).value)
    cells = {}
    for key, found in values.items():
        defined = [value for value in found if np.isfinite(value)]
        measure = (
            Measure(float(np.median(defined))) if defined else undefined("no split has a value")
        )
        cells[key] = Cell(measure)
    return cells


def _metrics(scores: Vector, labels: LabelSet) -> dict[str, Cell]:
    rows = scored_rows(scores.tolist())
    mos = np.array(labels.keep(rows).mos())
    if not any(rows):
        return from_measures(dict.fromkeys(METRICS, undefined("no video has a score")))
    found = scores[np.array(rows)]
    return from_measures({key: metric(found, mos) for key, metric in METRICS.items()})


def _prefixed(title: str, cells: dict[str, Cell]) -> dict[str, Cell]:
    return {f"{title}_{key}": cell for key, cell in cells.items()}


def _columns(titles: Sequence[str]) -> list[Column]:
    return [
        Column(key=f"{title}_{key}", title=key.upper(), group=title)
        for title in titles
        for key in METRICS
    ]
