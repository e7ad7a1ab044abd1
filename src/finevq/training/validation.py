"""How good a model in training is, on validation records: each once, however many processes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from finevq.errors import TrainingError
from finevq.training.stages import Selection
from finevq.vocabulary import DIMENSIONS

FEWEST_SCORES = 3
"""Scores below which a rank correlation says nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the model said to one record."""

    item: int
    """Place of its item in the dataset."""
    record_id: str
    token_loss: float
    """Sum over its tokens."""
    num_tokens: int
    is_right: bool
    """Whether each token of the answer was the likeliest one."""
    dimension: str
    """Of its score; "" without one."""
    predicted: float
    """0..1 of the scale; NaN without a score."""
    target: float
    """0..1 of the scale; NaN without a score."""


def check_complete(
    outcomes: Sequence[Outcome], skipped: Iterable[str], expected: Sequence[str]
) -> None:
    """Make sure that every record was judged exactly once, or skipped by name.

    Raises:
        TrainingError: a record was lost, or judged twice.
    """
    counts = Counter(outcome.record_id for outcome in outcomes)
    counts.update(skipped)
    wrong = [name for name in expected if counts[name] != 1]
    if wrong or len(counts) != len(expected):
        raise TrainingError(
            f"validation judged {len(wrong)} of {len(expected)} records not exactly once, first "
            f"{wrong[0] if wrong else 'an unknown one'!r}: this is a defect of finevq"
        )


def measure(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Return the numbers of a validation; NaN where there is nothing to measure.

    loss: mean cross-entropy of tokens; error: mean absolute error of scores, in units of the scale;
    accuracy: share of answers whose tokens are all the likeliest; srcc: mean over the dimensions.
    """
    # Sums do not depend on how records were dealt to processes.
    ordered = sorted(outcomes, key=lambda outcome: (outcome.item, outcome.record_id))
    spoken = [outcome for outcome in ordered if outcome.num_tokens]
    num_tokens = sum(outcome.num_tokens for outcome in spoken)
    scored = [outcome for outcome in ordered if outcome.dimension]
    numbers = {
        "loss": _ratio(sum(outcome.token_loss for outcome in spoken), num_tokens),
        "accuracy": _ratio(sum(outcome.is_right for outcome in spoken), len(spoken)),
        "error": _ratio(sum(abs(o.predicted - o.target) for o in scored), len(scored)),
    }
    correlations = {}
    for dimension in DIMENSIONS:
        rows = [outcome for outcome in scored if outcome.dimension == dimension]
        if len(rows) >= FEWEST_SCORES:
            correlations[f"srcc_{dimension}"] = _srcc(rows)
    numbers["srcc"] = float(np.mean(list(correlations.values()))) if correlations else float("nan")
    return {**numbers, **correlations}


def selection_value(numbers: dict[str, float], select_by: Selection) -> float:
    """Return the number that the best checkpoint has the largest of.

    Raises:
        TrainingError: validation cannot give it.
    """
    if select_by == "loss":
        parts = [numbers[name] for name in ("loss", "error") if numbers[name] == numbers[name]]
        value = -sum(parts) if parts else float("nan")
    else:
        value = numbers[select_by]
    if value != value:
        raise TrainingError(
            f"validation.select_by = {select_by!r}, but the validation records give no such number "
            f"(srcc needs {FEWEST_SCORES} scores of a dimension, accuracy needs answers); choose "
            "another, or check the validation split and skipped.jsonl"
        )
    return value


def _srcc(rows: Sequence[Outcome]) -> float:
    predicted, target = [row.predicted for row in rows], [row.target for row in rows]
    if len(set(predicted)) == 1 or len(set(target)) == 1:
        return 0.0  # a constant tells nothing apart
    return float(spearmanr(predicted, target).statistic)


def _ratio(total: float, count: int) -> float:
    return total / count if count else float("nan")
