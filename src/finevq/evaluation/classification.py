"""Agreement of predicted answers with labels: accuracy and what accuracy hides.

Pure functions. On FineVD a constant answer reaches 73 % accuracy; balanced accuracy (50 %), MCC
(undefined) and AUROC (undefined) say what it is worth.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from finevq.evaluation.measure import Measure, paired, undefined


def accuracy(answers: Sequence[str], truth: Sequence[str]) -> Measure:
    """Return the share of right answers.

    >>> accuracy(["yes", "no"], ["yes", "yes"]).value
    0.5
    """
    _check_lengths(answers, truth)
    if not truth:
        return undefined("there are no answers")
    return Measure(sum(a == t for a, t in zip(answers, truth, strict=True)) / len(truth))


def balanced_accuracy(answers: Sequence[str], truth: Sequence[str]) -> Measure:
    """Return the mean recall over the classes that occur in the truth.

    >>> balanced_accuracy(["yes"] * 4, ["yes", "yes", "yes", "no"]).value
    0.5
    """
    _check_lengths(answers, truth)
    if not truth:
        return undefined("there are no answers")
    recalls = [
        np.mean([a == t for a, t in zip(answers, truth, strict=True) if t == label])
        for label in sorted(set(truth))
    ]
    return Measure(float(np.mean(recalls)))


def macro_f1(answers: Sequence[str], truth: Sequence[str]) -> Measure:
    """Return the mean F1 over all classes of truth and answers; a class never hit counts 0.

    >>> round(macro_f1(["yes", "yes", "no"], ["yes", "no", "no"]).value, 3)
    0.667
    """
    _check_lengths(answers, truth)
    if not truth:
        return undefined("there are no answers")
    scores = []
    for label in sorted(set(truth) | set(answers)):
        hits = sum(a == t == label for a, t in zip(answers, truth, strict=True))
        total = sum(a == label for a in answers) + sum(t == label for t in truth)
        scores.append(2 * hits / total)
    return Measure(float(np.mean(scores)))


def mcc(answers: Sequence[str], truth: Sequence[str]) -> Measure:
    """Return Matthews' correlation, for two classes or more.

    Source: Gorodkin, "Comparing two K-category assignments by a K-category correlation
    coefficient", 2004.

    >>> mcc(["yes", "no"], ["yes", "no"]).value
    1.0
    >>> mcc(["yes", "yes"], ["yes", "no"]).undefined_because
    'all answers are the same'
    """
    _check_lengths(answers, truth)
    if len(set(truth)) < 2:
        return undefined("all labels are the same" if truth else "there are no answers")
    if len(set(answers)) < 2:
        return undefined("all answers are the same")
    labels = sorted(set(truth) | set(answers))
    said = np.array([[a == label for label in labels] for a in answers], dtype=np.float64)
    true = np.array([[t == label for label in labels] for t in truth], dtype=np.float64)
    said, true = said - said.mean(axis=0), true - true.mean(axis=0)
    return Measure(float(np.sum(said * true) / np.sqrt(np.sum(said**2) * np.sum(true**2))))


def auroc(scores: ArrayLike, is_positive: ArrayLike) -> Measure:
    """Return the probability that a positive gets a higher score than a negative (ties half).

    >>> auroc([0.1, 0.4, 0.8], [False, True, True]).value
    1.0
    >>> auroc([0.5, 0.5], [False, True]).undefined_because
    'scores are constant'
    """
    from finevq.evaluation.correlation import ranks

    x, y = paired(scores, is_positive)
    positives = y > 0.5
    num_positive, num_negative = int(positives.sum()), int((~positives).sum())
    if not np.isfinite(x).all():
        return undefined(f"{int(np.sum(~np.isfinite(x)))} of {x.size} scores are NaN or infinite")
    if not (num_positive and num_negative):
        return undefined("positives and negatives are both needed")
    if np.ptp(x) == 0:
        return undefined("scores are constant")
    rank_sum = float(ranks(x)[positives].sum())
    return Measure(
        (rank_sum - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative)
    )


def expected_calibration_error(
    probabilities: ArrayLike, is_right: ArrayLike, *, num_bins: int = 10
) -> Measure:
    """Return how far confidence and accuracy lie apart, 0..1, over equal-width bins of [0, 1].

    Args:
        probabilities: (N,) confidence in the given answer, 0..1.
        is_right: (N,) whether that answer was right.
        num_bins: Number of bins; the last one holds 1.0.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.

    >>> round(expected_calibration_error([0.8, 0.8, 0.8, 0.8], [1, 1, 1, 0]).value, 3)
    0.05
    """
    p, right = paired(probabilities, is_right)
    if not p.size:
        return undefined("there are no answers")
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1:
        return undefined("confidences outside 0..1")
    bins = np.minimum((p * num_bins).astype(int), num_bins - 1)
    gaps = [
        abs(right[bins == b].mean() - p[bins == b].mean()) * np.mean(bins == b)
        for b in np.unique(bins)
    ]
    return Measure(float(np.sum(gaps)))


def _check_lengths(answers: Sequence[str], truth: Sequence[str]) -> None:
    if len(answers) != len(truth):
        raise ValueError(f"{len(answers)} answers do not pair with {len(truth)} labels")
