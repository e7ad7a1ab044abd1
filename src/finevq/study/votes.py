"""A table of votes: who said what of which stimulus; pure, numpy only.

Missing votes are NaN. The third axis holds repetitions: one subject's votes on one stimulus shown
several times. The functions below ignore NaN and give NaN, without a warning, where nothing is
left.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class VoteTable:
    """Votes of one dimension, in the order of the file or database that they come from."""

    stimuli: tuple[str, ...]
    """E names."""
    subjects: tuple[str, ...]
    """S names."""
    votes: FloatArray
    """(E, S, R), on the study's own scale; NaN where there is no vote."""
    references: tuple[str, ...] = ()
    """E names of the source content, empty strings where unknown; () where no source is known.
    A stimulus that is named like its reference is the hidden reference."""

    @property
    def num_votes(self) -> int:
        """Votes that were given."""
        return int(np.sum(~np.isnan(self.votes)))

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest vote that occurs; (nan, nan) without votes."""
        given = self.votes[~np.isnan(self.votes)]
        return (float(given.min()), float(given.max())) if given.size else (np.nan, np.nan)


def mean_of(values: FloatArray, axis: int) -> FloatArray:
    """Return means along an axis, NaN ignored.

    >>> mean_of(np.array([[1.0, np.nan], [np.nan, np.nan]]), axis=1)
    array([ 1., nan])
    """
    given = ~np.isnan(values)
    total = np.where(given, values, 0.0).sum(axis=axis)
    return _ratio(total, given.sum(axis=axis))


def deviation_of(values: FloatArray, axis: int, *, ddof: int) -> FloatArray:
    """Return standard deviations along an axis, NaN ignored; NaN below `ddof + 1` values.

    >>> deviation_of(np.array([[1.0, 3.0, np.nan], [2.0, np.nan, np.nan]]), axis=1, ddof=1)
    array([1.41421356,        nan])
    """
    given = ~np.isnan(values)
    center = np.expand_dims(mean_of(values, axis), axis)
    squares = np.where(given, values - center, 0.0) ** 2
    return np.sqrt(_ratio(squares.sum(axis=axis), given.sum(axis=axis) - ddof))


def by_stimulus(votes: FloatArray) -> FloatArray:
    """Lay the repetitions of (E, S, R) side by side: (E, R * S), repetition after repetition."""
    num_stimuli, num_subjects, num_repetitions = votes.shape
    # No -1: without any subject the product is 0 and says nothing.
    return votes.transpose(0, 2, 1).reshape(num_stimuli, num_repetitions * num_subjects)


def by_subject(votes: FloatArray) -> FloatArray:
    """Lay the repetitions of (E, S, R) below each other: (R * E, S)."""
    num_stimuli, num_subjects, num_repetitions = votes.shape
    return votes.transpose(2, 0, 1).reshape(num_repetitions * num_stimuli, num_subjects)


def _ratio(top: NDArray[np.generic], bottom: NDArray[np.generic]) -> FloatArray:
    top_values, bottom_values = np.asarray(top, np.float64), np.asarray(bottom, np.float64)
    result = np.full(np.shape(top_values), np.nan)
    np.divide(top_values, bottom_values, out=result, where=bottom_values > 0)
    return result
