"""How well subjects agree, with each other and with themselves, and how many are enough; pure.

Sources: SOS hypothesis: Hossfeld, Schatz, Egger, QoMEX 2011. Krippendorff's alpha: Krippendorff,
Computing Krippendorff's Alpha-Reliability, 2011. Student's quantile: Cornish-Fisher expansion,
Abramowitz and Stegun 26.7.5.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from finevq.study.votes import FloatArray, VoteTable, by_stimulus, deviation_of, mean_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Agreement:
    """Agreement statistics of one dimension; NaN where there is too little to tell."""

    sos_a: float
    """Parameter of the SOS hypothesis: 0 full agreement .. 1 as spread as the scale allows."""
    alpha_interval: float
    """Krippendorff's alpha with squared differences; 1 agreement, 0 chance."""
    alpha_ordinal: float
    """The same by ranks."""
    subject_correlation: float
    """Median over subjects of the correlation with the mean of the others."""
    repeat_difference: float
    """Mean absolute difference of a subject's votes on the same stimulus; NaN without repeats."""
    repeat_correlation: float
    """Correlation of first and second vote; NaN without repeats."""
    mean_ci95_half_width: float
    """Mean over stimuli of the half width of the 95 % interval (Student's t) of the plain MOS."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy; what is unknown becomes None."""
        return {name: None if np.isnan(value) else value for name, value in asdict(self).items()}


def agreement_of(table: VoteTable, scale: tuple[float, float]) -> Agreement:
    """Compute all agreement statistics of a table.

    Args:
        table: Votes of one dimension.
        scale: Lowest and highest vote that subjects could give.
    """
    first = table.votes[:, :, 0]
    return Agreement(
        sos_a=sos_parameter(table.votes, scale),
        alpha_interval=krippendorff_alpha(first, "interval"),
        alpha_ordinal=krippendorff_alpha(first, "ordinal"),
        subject_correlation=_median(correlation_with_others(first)),
        repeat_difference=_mean(
            np.abs(_repeat_pairs(table.votes)[:, 0] - _repeat_pairs(table.votes)[:, 1])
        ),
        repeat_correlation=_correlation(*_repeat_pairs(table.votes).T),
        mean_ci95_half_width=_mean(half_widths(table.votes)),
    )


def sos_parameter(votes: FloatArray, scale: tuple[float, float]) -> float:
    """Fit the SOS hypothesis: variance = a (mean - low) (high - mean), by least squares.

    Args:
        votes: (E, S, R), NaN where missing.
        scale: Lowest and highest possible vote.

    >>> round(sos_parameter(np.array([[[1.0], [5.0]], [[3.0], [3.0]]]), (1, 5)), 6)
    1.0
    """
    rows = by_stimulus(votes)
    mean, variance = mean_of(rows, axis=1), deviation_of(rows, axis=1, ddof=1) ** 2
    room = (mean - scale[0]) * (scale[1] - mean)
    usable = ~np.isnan(variance) & (room > 0)
    if not usable.any():
        return float("nan")
    return float((room[usable] @ variance[usable]) / (room[usable] @ room[usable]))


def krippendorff_alpha(votes: FloatArray, level: Literal["interval", "ordinal"]) -> float:
    """Return Krippendorff's alpha of (E, S) votes, missing ones allowed.

    >>> krippendorff_alpha(np.array([[1.0, 1.0], [3.0, 3.0], [5.0, 5.0]]), "ordinal")
    1.0
    """
    values = np.unique(votes[~np.isnan(votes)])
    if values.size < 2:
        return float("nan")
    counts = np.stack([(votes == value).sum(axis=1) for value in values], axis=1).astype(np.float64)
    counts = counts[counts.sum(axis=1) >= 2]
    if not len(counts):
        return float("nan")
    totals = counts.sum(axis=1)
    # Coincidences: pairs of votes on one stimulus, which weighs as many votes as it has.
    scaled = counts / (totals - 1.0)[:, None]
    coincidences = counts.T @ scaled - np.diag(scaled.sum(axis=0))
    margins = coincidences.sum(axis=0)
    distance = _distances(values, margins, level)
    observed = float((coincidences * distance).sum())
    expected = float((np.outer(margins, margins) * distance).sum()) / (margins.sum() - 1.0)
    return float(1.0 - observed / expected) if expected > 0 else float("nan")


def correlation_with_others(votes: FloatArray) -> FloatArray:
    """Return (S,) Pearson correlations of each subject with the mean of all the others.

    Args:
        votes: (E, S), NaN where missing.
    """
    given = ~np.isnan(votes)
    total, count = np.where(given, votes, 0.0).sum(axis=1), given.sum(axis=1)
    result = np.full(votes.shape[1], np.nan)
    for subject in range(votes.shape[1]):
        usable = given[:, subject] & (count > 1)
        own = votes[usable, subject]
        others = (total[usable] - own) / (count[usable] - 1)
        result[subject] = _correlation(own, others)
    return result


def half_widths(votes: FloatArray) -> FloatArray:
    """Return (E,) half widths of the 95 % intervals of plain MOS, by Student's t."""
    rows = by_stimulus(votes)
    count = (~np.isnan(rows)).sum(axis=1)
    spread = deviation_of(rows, axis=1, ddof=1)
    quantiles = np.array([student_quantile(int(n) - 1) if n > 1 else np.nan for n in count])
    return quantiles * spread / np.sqrt(np.where(count > 0, count, np.nan))


def power_curve(votes: FloatArray, numbers: tuple[int, ...]) -> list[tuple[int, float]]:
    """Estimate the mean half width of the 95 % interval for other numbers of subjects.

    Takes each stimulus's standard deviation as it is and only changes the number of votes.

    Args:
        votes: (E, S, R), NaN where missing.
        numbers: Numbers of subjects, each at least 2.
    """
    spread = deviation_of(by_stimulus(votes), axis=1, ddof=1)
    typical = _mean(spread)
    return [(n, student_quantile(n - 1) * typical / float(np.sqrt(n))) for n in numbers]


def subjects_needed(votes: FloatArray, half_width: float, limit: int = 1000) -> int | None:
    """Return the smallest number of subjects with a mean half width of at most `half_width`."""
    for number, width in power_curve(votes, tuple(range(2, limit + 1))):
        if width <= half_width:
            return number
    return None


def student_quantile(degrees: int) -> float:
    """Return the two-sided 95 % quantile of Student's t, within 1e-3 of tables.

    Args:
        degrees: Degrees of freedom, at least 1.

    >>> [round(student_quantile(n), 2) for n in (1, 2, 10, 30, 1000)]
    [12.71, 4.3, 2.23, 2.04, 1.96]
    """
    if degrees == 1:
        return float(np.tan(np.pi * 0.475))
    if degrees == 2:
        return float(np.sqrt(2.0 / (0.05 * 1.95) - 2.0))
    # Cornish-Fisher expansion of the normal quantile.
    z = 1.959963984540054
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return float(z + sum(term / degrees**order for order, term in enumerate(terms, start=1)))


def _distances(
    values: FloatArray, margins: FloatArray, level: Literal["interval", "ordinal"]
) -> FloatArray:
    if level == "interval":
        return np.asarray((values[:, None] - values[None, :]) ** 2, np.float64)
    # Ranks: everything between two values, and half of the values themselves.
    middle = np.cumsum(margins) - margins / 2.0
    return np.asarray((middle[:, None] - middle[None, :]) ** 2, np.float64)


def _repeat_pairs(votes: FloatArray) -> FloatArray:
    """Return (N, 2) first and second votes of the same subject on the same stimulus."""
    if votes.shape[2] < 2:
        return np.empty((0, 2))
    pairs = votes[:, :, :2].reshape(-1, 2)
    return pairs[~np.isnan(pairs).any(axis=1)]


def _correlation(one: FloatArray, other: FloatArray) -> float:
    if one.size < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])


def _mean(values: FloatArray) -> float:
    usable = values[~np.isnan(values)]
    return float(usable.mean()) if usable.size else float("nan")


def _median(values: FloatArray) -> float:
    usable = values[~np.isnan(values)]
    return float(np.median(usable)) if usable.size else float("nan")
