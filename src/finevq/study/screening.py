"""Which votes are outliers and which subjects are rejected, after ITU-R BT.500; pure.

Source: ITU-R BT.500-15, Annex 1, section A1-2.3.1 (screening of observers for DSIS and SSCQS). A
stimulus whose votes have a kurtosis within 2..4 counts as normally distributed and its limits are
2 standard deviations around the mean, else sqrt(20) of them. Conventions where the text is
silent follow Netflix/sureal 0.9 (subjective_model.py), so that both reject the same subjects:
population standard deviation, limits included, all presentations in the denominator, and nobody is
rejected when everybody who voted would be.
"""

from dataclasses import dataclass

import numpy as np

from finevq.study.votes import BoolArray, FloatArray, by_stimulus, deviation_of, mean_of

NORMAL_KURTOSIS = (2.0, 4.0)
NORMAL_LIMIT = 2.0
"""Standard deviations, where the votes of a stimulus look normally distributed."""
OTHER_LIMIT = float(np.sqrt(20.0))
"""Standard deviations, where they do not."""
MAX_OUTLIER_SHARE = 0.05
MAX_ASYMMETRY = 0.3
"""A subject with more outliers than the share above is rejected when they lie on both sides."""


@dataclass(frozen=True, slots=True)
class Screening:
    """What BT.500 says about subjects."""

    rejected: BoolArray
    """(S,)"""
    outlier_share: FloatArray
    """(S,), outlying votes by presentations, 0..1."""
    asymmetry: FloatArray
    """(S,), 0 (as many above as below) .. 1 (one side only); NaN without outliers."""


def kurtosis_of(values: FloatArray) -> float:
    """Return the fourth standardized moment (3 for a normal distribution), NaN for equal values.

    >>> round(kurtosis_of(np.array([1.0, 2.0, 3.0, 4.0, 5.0])), 6)
    1.7
    """
    if values.size == 0:
        return float("nan")
    center = values.mean()
    second = float(np.mean((values - center) ** 2))
    # Equal values up to rounding have no shape.
    if second <= (np.finfo(np.float64).resolution * center) ** 2:
        return float("nan")
    return float(np.mean((values - center) ** 4)) / second**2


def outlier_sides(
    votes: FloatArray, *, count_unanimous: bool = True
) -> tuple[BoolArray, BoolArray]:
    """Mark the votes that lie at or beyond the limits of their stimulus.

    Args:
        votes: (E, S, R), NaN where missing.
        count_unanimous: The recommendation's comparison includes the limit itself, so equal votes
            are all outliers on both sides. True keeps the letter (and sureal's result); False
            leaves a stimulus on which everybody agrees in peace.

    Returns:
        Two (E, S, R) masks: too high, too low.
    """
    rows = by_stimulus(votes)
    center = mean_of(rows, axis=1)
    spread = deviation_of(rows, axis=1, ddof=0)
    shapes = np.array([kurtosis_of(row[~np.isnan(row)]) for row in rows])
    is_normal = (shapes >= NORMAL_KURTOSIS[0]) & (shapes <= NORMAL_KURTOSIS[1])
    limits = np.where(is_normal, NORMAL_LIMIT, OTHER_LIMIT) * spread
    # Comparisons with NaN (no vote, no limit) are False: never an outlier.
    high = votes >= (center + limits)[:, None, None]
    low = votes <= (center - limits)[:, None, None]
    if not count_unanimous:
        differs = (~np.isnan(shapes))[:, None, None]
        high, low = high & differs, low & differs
    return high, low


def screen_subjects(
    votes: FloatArray, *, count_unanimous: bool = True, by_votes_given: bool = False
) -> Screening:
    """Find the subjects whose votes are erratic: many outliers, on both sides.

    Args:
        votes: (E, S, R), NaN where missing.
        count_unanimous: As in `outlier_sides`.
        by_votes_given: Divide by the votes that the subject gave instead of all presentations;
            fairer where subjects saw different parts, equal where everybody saw everything.
    """
    high, low = outlier_sides(votes, count_unanimous=count_unanimous)
    above, below = high.sum(axis=(0, 2)), low.sum(axis=(0, 2))
    num_stimuli, num_subjects, num_repetitions = votes.shape
    shown = np.full(num_subjects, num_stimuli * num_repetitions)
    if by_votes_given:
        shown = (~np.isnan(votes)).sum(axis=(0, 2))
    share = np.divide(above + below, shown, out=np.zeros(num_subjects), where=shown > 0)
    asymmetry = np.full(num_subjects, np.nan)
    np.divide(np.abs(above - below), above + below, out=asymmetry, where=above + below > 0)
    rejected = (share > MAX_OUTLIER_SHARE) & (asymmetry < MAX_ASYMMETRY)
    has_votes = (~np.isnan(votes)).any(axis=(0, 2))
    if rejected[has_votes].all():
        rejected = np.zeros(num_subjects, dtype=np.bool_)
    return Screening(rejected, share, asymmetry)
