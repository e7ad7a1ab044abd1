"""Pick a diverse subset of clips by measured features; pure.

Greedy farthest-point selection on standardized features: every pick is the clip farthest from all
clips picked so far, so the subset spans the range instead of repeating its middle. Source of the
aim: FineVQ, section 3.1 (videos screened for diversity); of the method: Gonzalez, 1985.
"""

from collections.abc import Sequence

import numpy as np

from finevq.errors import StudyError
from finevq.study.votes import FloatArray

FEATURES = (
    "spatial_information",
    "temporal_information",
    "colorfulness",
    "brightness",
    "pixels",
    "fps",
)
"""Names of the features, as in the table that `finevq study screen` writes."""


def pick_diverse(features: FloatArray, count: int, sources: Sequence[str] = ()) -> list[int]:
    """Return the rows of a diverse subset, in order of picking.

    Args:
        features: (N, F), any units; a constant column does not matter.
        count: How many to pick, 1..N.
        sources: N names of contents; a source is used again only when all have been used.

    Raises:
        StudyError: `count` is impossible.

    >>> pick_diverse(np.array([[0.0], [0.1], [5.0], [10.0]]), 3)
    [1, 3, 2]
    """
    num_clips = len(features)
    if not 1 <= count <= num_clips:
        raise StudyError(f"cannot pick {count} of {num_clips} clips; allowed is 1 to {num_clips}")
    spread = features.std(axis=0)
    scaled = (features - features.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    picked = [int(np.argmin(np.linalg.norm(scaled - np.median(scaled, axis=0), axis=1)))]
    distance = np.linalg.norm(scaled - scaled[picked[0]], axis=1)
    while len(picked) < count:
        allowed = _unused(num_clips, picked, sources)
        choice = allowed[int(np.argmax(distance[allowed]))]
        picked.append(choice)
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[choice], axis=1))
    return picked


def coverage(features: FloatArray, picked: Sequence[int]) -> FloatArray:
    """Return, per feature, the share of the whole range that the subset spans, 0..1."""
    whole = np.ptp(features, axis=0)
    part = np.ptp(features[list(picked)], axis=0)
    shares = np.ones(features.shape[1])
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares


def _unused(num_clips: int, picked: Sequence[int], sources: Sequence[str]) -> list[int]:
    free = [index for index in range(num_clips) if index not in set(picked)]
    if not sources:
        return free
    used = [sources[index] for index in picked]
    least = min(used.count(sources[index]) for index in free)
    return [index for index in free if used.count(sources[index]) == least]
