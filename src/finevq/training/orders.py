"""Orders that are certain without any score: more of the same fault, on the same source.

Whatever people would say of a picture, they would say no better of it with a further fault, unless
that one hides an earlier one: noise may do a clip less harm once it is blurred.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finevq.training.samples import TrainingSample
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, Dimension

CLEARLY_WORSE = 0.2
"""Difference of severity that everybody sees."""
_UNNOTICED = 0.05
"""Difference of severity that nobody sees: a further fault hides a little of the earlier ones."""


@dataclass(frozen=True, slots=True)
class CertainPairs:
    """Rows whose order is certain."""

    better: Tensor
    """(P,)."""
    worse: Tensor
    """(P,)."""
    dimensions: Tensor
    """(P, dimensions): whose order is certain; overall's always is."""

    @classmethod
    def among(cls, samples: Sequence[TrainingSample]) -> "CertainPairs":
        """Return all pairs of the very same frames, and one for each other sample that has any."""
        found = [
            (row, other)
            for row, others in worse_of_same_source(samples).items()
            for other in (others if samples[row].scene else others[:1])
        ]
        clear = [
            [
                _severity(samples[worse], name) - _severity(samples[better], name) >= CLEARLY_WORSE
                or name is Dimension.OVERALL
                for name in DIMENSIONS
            ]
            for better, worse in found
        ]
        rows = torch.tensor(found, dtype=torch.long).reshape(-1, 2)
        dimensions = torch.tensor(clear, dtype=torch.bool).reshape(-1, len(DIMENSIONS))
        return cls(rows[:, 0], rows[:, 1], dimensions)


def worse_of_same_source(samples: Sequence[TrainingSample]) -> dict[int, list[int]]:
    """Return, for each sample that has such, the rows of the same source that are surely worse.

    Where samples show the very same frames (one scene), only those are compared.

    Args:
        samples: With known severities.

    Returns:
        Row -> rows with no fault noticeably weaker, and one dimension at least `CLEARLY_WORSE` more
        severe.
    """
    by_source: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        by_source.setdefault(sample.scene or sample.group, []).append(row)
    found: dict[int, list[int]] = {}
    for rows in by_source.values():
        faults = np.array([_fault_vector(samples[row]) for row in rows])
        dimensions = np.array([_dimension_vector(samples[row]) for row in rows])
        for place, row in enumerate(rows):
            no_weaker = (faults >= faults[place] - _UNNOTICED).all(axis=1)
            is_clear = (dimensions - dimensions[place]).max(axis=1) >= CLEARLY_WORSE
            worse = np.flatnonzero(no_weaker & is_clear)
            if len(worse):
                found[row] = [rows[other] for other in worse]
    return found


def _fault_vector(sample: TrainingSample) -> list[float]:
    return [(sample.severities or {}).get(name, 0.0) for name in ALL_ATTRIBUTES]


def _dimension_vector(sample: TrainingSample) -> list[float]:
    return [_severity(sample, name) for name in FAULT_DIMENSIONS]


def _severity(sample: TrainingSample, dimension: Dimension) -> float:
    return (sample.dimension_severities or {}).get(dimension, 0.0)
