"""From votes to quality: plain mean, BT.500, Z-scores, bias removal, maximum likelihood; pure.

Every method takes (E, S, R) votes, NaN where missing, and returns an `Estimate`. Where a choice is
open (which standard deviation, which constant, when to stop), it is Netflix/sureal 0.9's, whose
published results are the reference of the tests.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from finevq.errors import StudyError
from finevq.study.screening import outlier_sides, screen_subjects
from finevq.study.votes import (
    BoolArray,
    FloatArray,
    IntArray,
    VoteTable,
    by_stimulus,
    by_subject,
    deviation_of,
    mean_of,
)

CI95_FACTOR = 1.95996
"""Half width of a 95 % interval in standard errors, with sureal's five decimals."""

MLE_MAX_ITERATIONS = 1000
MLE_TOLERANCE = 1e-8
"""Stop when the Euclidean change of all quality values falls below it."""
MLE_VARIANCE_FLOOR = 1e-8
"""Added to each subject's variance, so that a perfectly consistent one has a finite weight."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What a method says of stimuli (E) and subjects (S)."""

    quality: FloatArray
    """(E,), on the scale of the votes; standard deviations for Z-scores; 0..100 for `finevd`."""
    standard_error: FloatArray
    """(E,), same unit; NaN where fewer than two votes are left."""
    rejected: BoolArray
    """(S,)"""
    bias: FloatArray
    """(S,), mean deviation from the stimuli's quality, in votes."""
    inconsistency: FloatArray
    """(S,), standard deviation around quality plus bias, in votes."""
    num_votes: IntArray
    """(E,), votes that the quality is based on."""
    num_outliers: int = 0
    """Single votes that were left out although their subject stayed."""

    @property
    def ci95(self) -> FloatArray:
        """(E, 2), lower and upper end of the 95 % interval."""
        half = CI95_FACTOR * self.standard_error
        return np.stack([self.quality - half, self.quality + half], axis=1)


def estimate_mos(votes: FloatArray) -> Estimate:
    """Average the votes of each stimulus.

    >>> estimate_mos(np.array([[[4.0], [5.0]], [[1.0], [2.0]]])).quality
    array([4.5, 1.5])
    """
    return _average(votes, votes)


def estimate_bt500(votes: FloatArray) -> Estimate:
    """Reject subjects after BT.500, then average."""
    return _average(votes, votes, rejected=screen_subjects(votes).rejected)


def estimate_zscore(votes: FloatArray) -> Estimate:
    """Average each subject's Z-scores. Source: FineVQ, formulas (1) and (2), before rescaling."""
    return _average(zscores_of(votes), votes)


def estimate_zscore_bt500(votes: FloatArray) -> Estimate:
    """Reject subjects after BT.500 on their Z-scores, then average the Z-scores."""
    zscores = zscores_of(votes)
    return _average(zscores, votes, rejected=screen_subjects(zscores).rejected)


def estimate_bias_removed(votes: FloatArray) -> Estimate:
    """Subtract each subject's mean deviation, then average. Source: ITU-T P.913, section 12.4."""
    return _average(_without_bias(votes), votes)


def estimate_bias_removed_bt500(votes: FloatArray) -> Estimate:
    """Subtract each subject's mean deviation, reject subjects after BT.500, then average."""
    unbiased = _without_bias(votes)
    return _average(unbiased, votes, rejected=screen_subjects(unbiased).rejected)


def estimate_maximum_likelihood(votes: FloatArray) -> Estimate:
    """Estimate quality with each subject's bias and inconsistency, by alternating projection.

    The model: vote = quality + bias + inconsistency * noise. Quality is the mean of unbiased votes,
    each subject weighted by the inverse of his variance; the biases average to zero.
    Source: ITU-T P.910 (2023), Appendix VI; Li, Bampis et al., Human Vision and Electronic
    Imaging 2020. The intervals use the spread of residuals at each stimulus.
    """
    quality = mean_of(by_stimulus(votes), axis=1)
    bias = _bias_of(votes, quality)
    inconsistency = spread = np.full(0, np.nan)
    for _ in range(MLE_MAX_ITERATIONS):
        previous = quality
        residuals = votes - quality[:, None, None] - bias[None, :, None]
        inconsistency = deviation_of(by_subject(residuals), axis=0, ddof=0)
        spread = deviation_of(by_stimulus(residuals), axis=1, ddof=0)
        weights = 1.0 / (inconsistency**2 + MLE_VARIANCE_FLOOR)
        quality = _weighted_mean(votes - bias[None, :, None], weights)
        bias = _bias_of(votes, quality)
        if np.linalg.norm(np.nan_to_num(previous - quality)) < MLE_TOLERANCE:
            break
    count = _counts(votes)
    shift = float(mean_of(bias, axis=0))
    return Estimate(
        quality=quality + shift,
        # The spread of a single vote is not zero but unknown.
        standard_error=spread / np.sqrt(np.where(count > 1, count, np.nan)),
        rejected=np.zeros(votes.shape[1], dtype=np.bool_),
        bias=bias - shift,
        inconsistency=inconsistency,
        num_votes=count,
    )


def estimate_finevd(votes: FloatArray) -> Estimate:
    """Go the paper's way: outliers and rejection after BT.500, Z-scores, 0..100, mean.

    Source: FineVQ, section 3.3, with the usual linear map 100 (z + 3) / 6. Two choices where the
    paper is silent: a stimulus on which all agree has no outliers, and a subject's share of
    outliers counts the votes that he gave.
    """
    screening = screen_subjects(votes, count_unanimous=False, by_votes_given=True)
    high, low = outlier_sides(votes, count_unanimous=False)
    outliers = (high | low) & ~screening.rejected[None, :, None]
    kept = np.where(outliers, np.nan, votes)
    rescaled = 100.0 * (zscores_of(kept) + 3.0) / 6.0
    estimate = _average(rescaled, votes, rejected=screening.rejected)
    return replace(estimate, num_outliers=int(outliers.sum()))


METHODS: Mapping[str, Callable[[FloatArray], Estimate]] = MappingProxyType(
    {
        "mos": estimate_mos,
        "bt500": estimate_bt500,
        "zscore": estimate_zscore,
        "zscore-bt500": estimate_zscore_bt500,
        "bias": estimate_bias_removed,
        "bias-bt500": estimate_bias_removed_bt500,
        "mle": estimate_maximum_likelihood,
        "finevd": estimate_finevd,
    }
)
"""Methods by the name that the command line uses."""


def estimate(votes: FloatArray, method: str) -> Estimate:
    """Run a method by its name.

    Args:
        votes: (E, S, R), NaN where missing.
        method: A key of `METHODS`.

    Raises:
        StudyError: the method is unknown.
    """
    if method not in METHODS:
        raise StudyError(f"no method {method!r}; there are {', '.join(METHODS)}")
    return METHODS[method](votes)


def zscores_of(votes: FloatArray) -> FloatArray:
    """Return each vote's distance from its subject's mean, in his standard deviations.

    A subject whose votes are all equal (or single) tells nothing: his Z-scores are NaN.
    """
    rows = by_subject(votes)
    center = mean_of(rows, axis=0)
    spread = deviation_of(rows, axis=0, ddof=1)
    # Equal values up to rounding, not only exactly equal ones.
    spread = np.where(spread > 1e-12 * np.maximum(np.abs(center), 1.0), spread, np.nan)
    return (votes - center[None, :, None]) / spread[None, :, None]


def differential(table: VoteTable, reference_score: float | None = None) -> VoteTable:
    """Return votes relative to the hidden references: vote + reference score - reference's MOS.

    Any method on the result gives DMOS on the scale of the votes, higher is better.
    Source: ITU-T P.910, ACR-HR, in sureal's form (mean of the reference, not vote by vote).

    Args:
        table: Votes; each stimulus names its reference, which is itself among the stimuli.
        reference_score: What a reference would get; the highest vote where None.

    Raises:
        StudyError: a stimulus has no reference among the stimuli.
    """
    if not table.references:
        raise StudyError(
            "differential scores need to know each stimulus's reference: "
            "a column 'reference' that names the stimulus shown as hidden reference"
        )
    rows = {name: index for index, name in enumerate(table.stimuli)}
    orphans = [
        stimulus
        for stimulus, reference in zip(table.stimuli, table.references, strict=True)
        if reference not in rows
    ]
    if orphans:
        raise StudyError(
            f"no hidden reference among the stimuli for {', '.join(orphans[:5])}"
            f"{' ...' if len(orphans) > 5 else ''}; the reference of a stimulus is the stimulus "
            "whose name is in its column 'reference'"
        )
    mos = mean_of(by_stimulus(table.votes), axis=1)
    of_reference = mos[[rows[reference] for reference in table.references]]
    top = table.scale[1] if reference_score is None else reference_score
    return replace(table, votes=table.votes + top - of_reference[:, None, None])


def _average(values: FloatArray, votes: FloatArray, rejected: BoolArray | None = None) -> Estimate:
    """Average `values` over the subjects that stay; describe all subjects by their raw votes."""
    if rejected is None:
        rejected = np.zeros(votes.shape[1], dtype=np.bool_)
    kept = by_stimulus(values[:, ~rejected, :])
    count = np.sum(~np.isnan(kept), axis=1)
    spread = deviation_of(kept, axis=1, ddof=1)
    raw_quality = mean_of(by_stimulus(votes), axis=1)
    bias = _bias_of(votes, raw_quality)
    residuals = votes - raw_quality[:, None, None] - bias[None, :, None]
    return Estimate(
        quality=mean_of(kept, axis=1),
        standard_error=spread / np.sqrt(np.where(count > 0, count, np.nan)),
        rejected=rejected,
        bias=bias,
        inconsistency=deviation_of(by_subject(residuals), axis=0, ddof=0),
        num_votes=count,
    )


def _without_bias(votes: FloatArray) -> FloatArray:
    bias = _bias_of(votes, mean_of(by_stimulus(votes), axis=1))
    return votes - bias[None, :, None]


def _bias_of(votes: FloatArray, quality: FloatArray) -> FloatArray:
    return mean_of(by_subject(votes - quality[:, None, None]), axis=0)


def _weighted_mean(votes: FloatArray, weights: FloatArray) -> FloatArray:
    usable = ~np.isnan(votes) & ~np.isnan(weights)[None, :, None]
    weight = np.where(usable, np.nan_to_num(weights)[None, :, None], 0.0)
    top = (weight * np.nan_to_num(votes)).sum(axis=(1, 2))
    bottom = weight.sum(axis=(1, 2))
    result = np.full(votes.shape[0], np.nan)
    np.divide(top, bottom, out=result, where=bottom > 0)
    return result


def _counts(votes: FloatArray) -> IntArray:
    return np.asarray(np.sum(~np.isnan(votes), axis=(1, 2)), np.int64)
