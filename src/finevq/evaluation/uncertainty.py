"""How sure a number is: bootstrap intervals, clustered by source, and paired comparisons.

Videos cut from one source are not independent; resampling whole clusters keeps intervals honest.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from finevq.evaluation.measure import Measure, Vector, paired

Metric = Callable[[Vector, Vector], Measure]


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval."""

    low: float
    high: float
    level: float
    """0.95 for 95 %."""
    num_resamples: int
    """Resamples with a defined value; the interval rests on these."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether one method is better than another on the same videos."""

    difference: float
    """First minus second."""
    p_value: float
    """Two-sided."""
    method: str


def bootstrap_interval(
    metric: Metric,
    predictions: ArrayLike,
    labels: ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
    num_resamples: int = 1000,
    level: float = 0.95,
) -> Interval:
    """Return the percentile bootstrap interval of a metric.

    Args:
        metric: Any metric of this package that takes predictions and labels.
        predictions: (N,) scores.
        labels: (N,) truth.
        rng: Source of randomness; the same state gives the same interval.
        clusters: (N,) the source of each video; whole sources are resampled. None: every video
            is its own source.
        num_resamples: How many resamples are drawn.
        level: Share of resamples inside the interval.

    Returns:
        NaN bounds where fewer than two resamples have a value.
    """
    x, y = paired(predictions, labels)
    members = _members(clusters, x.size)
    values = []
    for _ in range(num_resamples):
        rows = _resample(members, rng)
        value = metric(x[rows], y[rows]).value
        if not math.isnan(value):
            values.append(value)
    if len(values) < 2:
        return Interval(math.nan, math.nan, level, len(values))
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, len(values))


def bootstrap_comparison(
    metric: Metric,
    first: ArrayLike,
    second: ArrayLike,
    labels: ArrayLike,
    *,
    rng: np.random.Generator,
    clusters: Sequence[Hashable] | None = None,
    num_resamples: int = 1000,
) -> Comparison:
    """Compare two methods on the same videos by a paired bootstrap.

    The p-value is twice the smaller share of resampled differences beyond 0, with one added to
    both counts so that it is never exactly 0.
    """
    a, y = paired(first, labels)
    b, _ = paired(second, labels)
    members = _members(clusters, y.size)
    differences = []
    for _ in range(num_resamples):
        rows = _resample(members, rng)
        difference = metric(a[rows], y[rows]).value - metric(b[rows], y[rows]).value
        if not math.isnan(difference):
            differences.append(difference)
    observed = metric(a, y).value - metric(b, y).value
    if not differences or math.isnan(observed):
        return Comparison(observed, math.nan, "paired bootstrap")
    sampled = np.asarray(differences)
    beyond = min(np.sum(sampled <= 0), np.sum(sampled >= 0))
    p_value = min(1.0, 2 * (float(beyond) + 1) / (sampled.size + 1))
    return Comparison(observed, p_value, "paired bootstrap")


def williams_test(r_first: float, r_second: float, r_between: float, num_videos: int) -> Comparison:
    """Compare two correlations with the same labels (Williams' t, as advised by Steiger 1980).

    Args:
        r_first: Correlation of the first method with the labels.
        r_second: Correlation of the second method with the labels.
        r_between: Correlation of the two methods with each other.
        num_videos: Number of videos, at least 4.

    Source: Steiger, "Tests for comparing elements of a correlation matrix", 1980, equation 7.
    """
    from scipy import stats  # the evaluation extra

    difference = r_first - r_second
    if num_videos < 4 or math.isnan(difference + r_between):
        return Comparison(difference, math.nan, "Williams")
    if r_between >= 1:
        return Comparison(difference, 1.0, "Williams")
    determinant = 1 - r_first**2 - r_second**2 - r_between**2 + 2 * r_first * r_second * r_between
    mean = (r_first + r_second) / 2
    spread = (
        2 * (num_videos - 1) / (num_videos - 3) * max(determinant, 0.0)
        + mean**2 * (1 - r_between) ** 3
    )
    if spread <= 0:
        return Comparison(difference, 1.0 if difference == 0 else 0.0, "Williams")
    statistic = difference * math.sqrt((num_videos - 1) * (1 + r_between) / spread)
    tail = stats.t.sf(abs(statistic), num_videos - 3)  # type: ignore[attr-defined]  # untyped
    p_value = 2 * float(tail)
    return Comparison(difference, p_value, "Williams")


def _members(clusters: Sequence[Hashable] | None, num_videos: int) -> list[NDArray[np.intp]]:
    if clusters is None:
        return [np.array([row]) for row in range(num_videos)]
    if len(clusters) != num_videos:
        raise ValueError(f"{len(clusters)} clusters do not fit {num_videos} videos")
    rows: dict[Hashable, list[int]] = {}
    for row, cluster in enumerate(clusters):
        rows.setdefault(cluster, []).append(row)
    return [np.array(group) for group in rows.values()]


def _resample(members: list[NDArray[np.intp]], rng: np.random.Generator) -> NDArray[np.intp]:
    drawn = rng.integers(0, len(members), size=len(members))
    return np.concatenate([members[index] for index in drawn])
