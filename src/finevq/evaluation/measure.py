"""A measured number, or the reason why there is none.

A correlation of constant predictions, an AUROC without positives: such a thing is not 0, it is
undefined. Every metric of this package returns a `Measure`, so the reason travels with the gap.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measure:
    """The value of a metric."""

    value: float
    """NaN where undefined."""
    undefined_because: str = ""
    """Why there is no value; empty where there is one."""

    def __float__(self) -> float:
        return self.value

    @property
    def is_defined(self) -> bool:
        """Whether there is a value.

        >>> Measure(0.5).is_defined, undefined("no pairs").is_defined
        (True, False)
        """
        return not self.undefined_because

    def to_json(self) -> float | None:
        """Return the value, or None (JSON has no NaN)."""
        return None if math.isnan(self.value) else self.value


def undefined(reason: str) -> Measure:
    """Return a measure that has no value.

    >>> undefined("predictions are constant")
    Measure(value=nan, undefined_because='predictions are constant')
    """
    return Measure(math.nan, reason)


def paired(first: ArrayLike, second: ArrayLike) -> tuple[Vector, Vector]:
    """Return both series as float vectors of one length (N,).

    Raises:
        ValueError: the lengths differ, which is always a mistake of the caller.
    """
    a = np.asarray(first, dtype=np.float64).ravel()
    b = np.asarray(second, dtype=np.float64).ravel()
    if a.size != b.size:
        raise ValueError(f"{a.size} predictions do not pair with {b.size} labels")
    return a, b


def why_not_comparable(predictions: Vector, labels: Vector, *, at_least: int) -> str:
    """Return why two series have no correlation; empty where they have one.

    NaN is never dropped silently: a method that fails on the hard videos would look better for it.
    """
    num_bad = int(np.sum(~np.isfinite(predictions) | ~np.isfinite(labels)))
    if num_bad:
        return f"{num_bad} of {predictions.size} pairs hold NaN or infinity"
    if predictions.size < at_least:
        return f"{predictions.size} pairs are too few: at least {at_least} are needed"
    if predictions.min() == predictions.max():
        return "predictions are constant"
    if labels.min() == labels.max():
        return "labels are constant"
    return ""
