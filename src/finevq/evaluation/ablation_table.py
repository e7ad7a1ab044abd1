"""Table 6: variants of one method on several data sets.

A variant is a contender of its own (another checkpoint, another preset). Where only one full model
is given, its outputs are taken away step by step instead: a ridge head is trained on FineVD's
training part from the overall score alone, then from all six scores, then with levels, then with
attributes and impact; that shows what each kind of output carries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from finevq.evaluation.benchmark_tables import Part, train_head
from finevq.evaluation.contenders import (
    Bench,
    Contender,
    Options,
    oriented_overall,
    run_scorer,
    scored_rows,
)
from finevq.evaluation.correlation import krcc, plcc_fitted, srcc
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.evaluation.published import SOURCE, load
from finevq.evaluation.tables import Column, Row, Table, add_published, from_measures
from finevq.records import Clip, Failure
from finevq.vocabulary import DIMENSIONS, levels_of

METRICS: dict[str, Callable[[Vector, Vector], Measure]] = {
    "srcc": srcc,
    "plcc": plcc_fitted,
    "krcc": krcc,
}
_LEVELS = {f"{dimension} {level}" for dimension in DIMENSIONS for level in levels_of(dimension)}
OUTPUT_STEPS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("overall score", lambda name: name == "overall score"),
    ("six scores", lambda name: name.endswith(" score")),
    ("scores and levels", lambda name: name.endswith(" score") or name in _LEVELS),
    ("scores, levels, attributes", lambda name: True),
)
"""Which outputs a head may use, step by step."""
_STATEMENT = (
    "The paper's variants are trainings of its 8B model with less of it; such variants are "
    "compared where they are given, as --model or as --predictions of their scores. Where one "
    "model alone is given, its outputs are taken away instead, which says nothing about training."
)


def ablation_table(
    benches: Sequence[Bench], contenders: Sequence[Contender], options: Options
) -> Table:
    """Compare variants on the test part of each data set.

    Args:
        benches: The first one trains the heads where outputs are taken away.
        contenders: The variants; a single one is taken apart by its outputs.
        options: Cache and progress.
    """
    table = Table(
        key="table6",
        title="Ablation",
        columns=[
            Column(key=f"{bench.title}_{key}", title=key.upper(), group=bench.title)
            for bench in benches
            for key in METRICS
        ],
        is_published_comparable=False,
    )
    add_published(table, load("table6"), f"{SOURCE}, table 6")
    table.notes.append(_STATEMENT)
    for contender in contenders:
        measures: dict[str, Measure] = {}
        for bench in benches:
            labels = bench.test_labels().without_flagged()
            scores = oriented_overall(run_scorer(contender, bench, labels, options), labels)
            measures |= _measures(bench, scores)
        name = f"{contender.name}, as it is"
        table.rows.append(Row(name=name, kind="method", cells=from_measures(measures)))
    train = benches[0].train_labels()
    if len(contenders) == 1 and contenders[0].features is not None and train is not None:
        _take_apart(table, contenders[0], Part(benches[0], train), benches)
    return table


def _take_apart(table: Table, contender: Contender, learn: Part, benches: Sequence[Bench]) -> None:
    for title, is_used in OUTPUT_STEPS:
        limited = replace(contender, features=_limited(contender, is_used))
        measures: dict[str, Measure] = {}
        for bench in benches:
            judge = Part(bench, bench.test_labels().without_flagged())
            measures |= _measures(bench, train_head(limited, learn, judge))
        name = f"{contender.name}, head on {title}"
        table.rows.append(Row(name=name, kind="method", cells=from_measures(measures)))
    table.notes.append(
        f"head on ...: ridge regression on those outputs, trained on the training part of "
        f"{learn.bench.title} ({len(learn.labels)} videos)."
    )


def _limited(
    contender: Contender, is_used: Callable[[str], bool]
) -> Callable[[Clip], Mapping[str, float] | Failure]:
    def features(clip: Clip) -> Mapping[str, float] | Failure:
        found = contender.features(clip) if contender.features else {}
        if isinstance(found, Failure):
            return found
        return {name: value for name, value in found.items() if is_used(name)}

    return features


def _measures(bench: Bench, scores: Vector) -> dict[str, Measure]:
    labels = bench.test_labels().without_flagged()
    rows = scored_rows(scores.tolist())
    mos = np.array(labels.keep(rows).mos())
    found = scores[np.array(rows)]
    return {
        f"{bench.title}_{key}": metric(found, mos) if found.size else undefined("no scores")
        for key, metric in METRICS.items()
    }
