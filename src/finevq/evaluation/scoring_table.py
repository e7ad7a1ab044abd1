"""Table 1: how well scores follow the MOS of six dimensions, with the floors.

Two tables come out: the paper's three metrics, and a second one with what they hide (residual and
partial SRCC, raw PLCC, RMSE, pairs in the right order).
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.evaluation.contenders import Bench, Contender, Options, coverage_note, run_scorer
from finevq.evaluation.correlation import (
    krcc,
    pairwise_accuracy,
    partial_srcc,
    plcc,
    plcc_fitted,
    residual_srcc,
    rmse_fitted,
    srcc,
)
from finevq.evaluation.floors import METADATA_REGRESSORS, has_metadata, metadata_scores
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.evaluation.published import SOURCE, load
from finevq.evaluation.tables import Cell, Column, Kind, Row, Table, add_published
from finevq.evaluation.uncertainty import bootstrap_comparison, bootstrap_interval, williams_test
from finevq.vocabulary import Dimension

ScoresOf = Callable[[Dimension], Vector]

MAIN_METRICS: dict[str, Callable[[Vector, Vector], Measure]] = {
    "srcc": srcc,
    "krcc": krcc,
    "plcc": plcc_fitted,
}
DETAIL_METRICS: dict[str, Callable[[Vector, Vector], Measure]] = {
    "plcc_raw": plcc,
    "rmse": rmse_fitted,
    "pairs": pairwise_accuracy,
}
_TITLES = {
    "srcc": "SRCC",
    "krcc": "KRCC",
    "plcc": "PLCC",
    "plcc_raw": "raw PLCC",
    "rmse": "RMSE",
    "pairs": "pairs",
    "residual": "residual SRCC",
    "partial": "partial SRCC",
}


def scoring_tables(
    bench: Bench, contenders: Sequence[Contender], options: Options, *, paper: bool = True
) -> list[Table]:
    """Compare scorers on the test part of a data set.

    Args:
        bench: FineVD, or any data set with MOS.
        contenders: What is compared.
        options: Bootstrap, seed and cache.
        paper: Whether the paper's table 1 stands beside ours (FineVD only).

    Returns:
        The main table and the one with details.
    """
    test = bench.test_labels()
    dimensions = test.dimensions
    main = Table(
        key="table1",
        title=f"Quality scoring on {bench.caption}",
        columns=_columns(dimensions, list(MAIN_METRICS)),
        is_published_comparable=not paper or bench.is_official_finevd,
        notes=_main_notes(test, options),
    )
    detail = Table(
        key="table1-detail",
        title=f"Quality scoring on {bench.caption}: what the usual metrics hide",
        columns=_columns(dimensions, [*DETAIL_METRICS, "residual", "partial"]),
        notes=[
            "residual SRCC: rank correlation after both sides are regressed on the overall MOS; "
            "partial SRCC: the same on ranks. Near 0 means: nothing beyond the overall impression.",
            "RMSE after the 4-parameter logistic, in MOS units; pairs: share of video pairs in the "
            "right order.",
        ],
    )
    if paper:
        add_published(main, load("table1"), f"{SOURCE}, table 1 (their own test split)")
    overall: dict[str, Vector] = {}
    for contender in contenders:
        said = run_scorer(contender, bench, test, options)
        scores = {d: np.array(said.oriented(test, d)) for d in dimensions}
        note = coverage_note(said, test)
        if len(dimensions) > 1 and not said.gives(Dimension.COLOR):
            note = "; ".join(filter(None, (note, "gives one score, used for every dimension")))
        _add(main, detail, contender.name, "method", scores.__getitem__, test, options, note)
        overall[contender.name] = scores[Dimension.OVERALL]
    _add_floors(main, detail, bench, test, options, overall)
    main.notes += _comparisons(overall, test, options)
    return [main, detail]


def _add_floors(
    main: Table,
    detail: Table,
    bench: Bench,
    test: LabelSet,
    options: Options,
    overall: dict[str, Vector],
) -> None:
    constant = np.zeros(len(test))
    _add(main, detail, "constant score", "floor", lambda _: constant, test, options, "")
    train = bench.train_labels()
    if train is not None and has_metadata(test):
        for regressor in METADATA_REGRESSORS:
            name = f"metadata only ({regressor})"
            scores = {
                d: metadata_scores(train, test, d, regressor=regressor, seed=options.seed)
                for d in test.dimensions
            }
            note = "learnt on the training part from size, rate, length and bits a pixel"
            _add(main, detail, name, "floor", scores.__getitem__, test, options, note)
            overall[name] = scores[Dimension.OVERALL]
    if len(test.dimensions) > 1:
        mos = np.array(test.mos())
        note = "an oracle that needs the labels: the overall MOS used for each dimension"
        _add(main, detail, "overall as dimension", "floor", lambda _: mos, test, options, note)


def _add(
    main: Table,
    detail: Table,
    name: str,
    kind: Kind,
    scores_of: ScoresOf,
    test: LabelSet,
    options: Options,
    note: str,
) -> None:
    """Add a row to both tables."""
    main_cells: dict[str, Cell] = {}
    detail_cells: dict[str, Cell] = {}
    is_oracle = name == "overall as dimension"
    for dimension in test.dimensions:
        if is_oracle and dimension is Dimension.OVERALL:
            continue  # the labels correlate with themselves
        scores, kept = _scored(scores_of(dimension), test)
        mos = np.array(kept.mos(dimension))
        for key, metric in MAIN_METRICS.items():
            main_cells[f"{dimension}_{key}"] = _cell(metric, scores, mos, kept, options, key)
        for key, metric in DETAIL_METRICS.items():
            if not (is_oracle and key == "rmse"):
                detail_cells[f"{dimension}_{key}"] = Cell(metric(scores, mos))
        if dimension is not Dimension.OVERALL:
            control = np.array(kept.mos())
            detail_cells[f"{dimension}_residual"] = Cell(residual_srcc(scores, mos, control))
            detail_cells[f"{dimension}_partial"] = Cell(partial_srcc(scores, mos, control))
    main.rows.append(Row(name=name, kind=kind, cells=main_cells, note=note))
    detail.rows.append(Row(name=name, kind=kind, cells=detail_cells))


def _cell(
    metric: Callable[[Vector, Vector], Measure],
    scores: Vector,
    mos: Vector,
    labels: LabelSet,
    options: Options,
    key: str,
) -> Cell:
    measure = metric(scores, mos) if scores.size else undefined("no video has a score")
    if key != "srcc" or not options.num_resamples or not measure.is_defined:
        return Cell(measure)
    interval = bootstrap_interval(
        metric,
        scores,
        mos,
        rng=np.random.default_rng(options.seed),
        clusters=[video.cluster for video in labels.videos],
        num_resamples=options.num_resamples,
    )
    return Cell(measure, interval)


def _scored(scores: Vector, labels: LabelSet) -> tuple[Vector, LabelSet]:
    has_score = np.isfinite(scores)
    return scores[has_score], labels.keep(has_score.tolist())


def _columns(dimensions: Sequence[Dimension], keys: Sequence[str]) -> list[Column]:
    return [
        Column(key=f"{d}_{key}", title=_TITLES[key], group=str(d), higher_is_better=key != "rmse")
        for d in dimensions
        for key in keys
        if not (d is Dimension.OVERALL and key in {"residual", "partial"})
    ]


def _main_notes(test: LabelSet, options: Options) -> list[str]:
    notes = [
        f"{len(test)} videos of {test.name}, labels {test.fingerprint}; PLCC after the "
        "4-parameter logistic."
    ]
    if options.num_resamples:
        notes.append(
            f"Brackets (small print on the page): 95 % bootstrap intervals of SRCC, "
            f"{options.num_resamples} resamples of whole sources."
        )
    return notes


def _comparisons(overall: dict[str, Vector], test: LabelSet, options: Options) -> list[str]:
    """Return a sentence for each pair of measured rows on whether they differ in overall SRCC."""
    mos = np.array(test.mos())
    names = list(overall)
    sentences = []
    for index, first in enumerate(names):
        for second in names[index + 1 :]:
            both = np.isfinite(overall[first]) & np.isfinite(overall[second])
            if both.sum() < 4:
                continue
            a, b, y = overall[first][both], overall[second][both], mos[both]
            between = srcc(a, b).value
            williams = williams_test(srcc(a, y).value, srcc(b, y).value, between, int(both.sum()))
            if math.isnan(williams.p_value):
                continue
            text = f"{first} against {second}: overall SRCC {williams.difference:+.3f}"
            text += f", p = {williams.p_value:.2g} (Williams)"
            if options.num_resamples:
                paired = bootstrap_comparison(
                    srcc,
                    a,
                    b,
                    y,
                    rng=np.random.default_rng(options.seed),
                    num_resamples=options.num_resamples,
                )
                text += f", {paired.p_value:.2g} (paired bootstrap)"
            sentences.append(f"{text}, {int(both.sum())} videos.")
    return sentences
