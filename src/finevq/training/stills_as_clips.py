"""Single pictures shown as clips: many chains of faults at no decoding cost.

A still's crops stand in turn for the sparse frames, and its motion features are borrowed from a
clip of the same split. What the lender's motion suffers from, the still then suffers from too, so
faults of time meet many more pictures, and pictures many more faults of time, than clips show.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finevq.datasets.degradations.labels import label_clip
from finevq.training.encoded import EncodedSet
from finevq.training.samples import TrainingSample
from finevq.vocabulary import Dimension, dimension_of


@dataclass(frozen=True, slots=True)
class EncodedStills:
    """Features of single pictures."""

    samples: Sequence[TrainingSample]
    views: NDArray[np.float16]
    """(N, crops, views, 1, features)."""


def crops_as_frames(views: NDArray[np.float16], num_frames: int) -> Tensor:
    """Let the crops of each still stand for frames, in turn.

    Args:
        views: (N, crops, views, 1, features).
        num_frames: F.

    Returns:
        (N, 1, views, F, features): one variant.
    """
    turns = [frame % views.shape[1] for frame in range(num_frames)]
    return torch.from_numpy(views)[:, turns, :, 0].transpose(1, 2).unsqueeze(1)


def joined(
    clips: EncodedSet, stills: EncodedStills | None, *, share_with_faults: float, seed: int
) -> EncodedSet:
    """Put stills, shown as clips, behind the clips.

    Args:
        clips: Of one split, with and without faults of time.
        stills: Of the same split.
        share_with_faults: Share of stills whose borrowed motion has a fault of time.
        seed: Of the lending.
    """
    if stills is None:
        return clips
    severities, calm, faulty = _lenders(clips)
    generator = random.Random(seed)
    lenders = [
        generator.choice(faulty if faulty and generator.random() < share_with_faults else calm)
        for _ in stills.samples
    ]
    samples = [
        _with_faults(still, severities[lender])
        for still, lender in zip(stills.samples, lenders, strict=True)
    ]
    return _behind(clips, samples, stills.views, lenders)


def with_copies(clips: EncodedSet, copies: EncodedStills | None, *, seed: int) -> EncodedSet:
    """Put further degraded copies of pictures behind all else.

    All of one scene borrow the motion of one calm clip, so that nothing but the further fault tells
    them apart. One of them is there twice, the second time with the motion of a clip with a fault
    of time.

    Args:
        clips: What `joined` gave, of one split.
        copies: Of the same split, several of each scene.
        seed: Of the lending.
    """
    if copies is None:
        return clips
    severities, calm, faulty = _lenders(clips)
    generator = random.Random(seed)
    lender_of: dict[str | None, int] = {}
    shown, lenders, samples = [], [], []
    for row, still in enumerate(copies.samples):
        is_first = still.scene not in lender_of
        lender = lender_of.setdefault(still.scene, generator.choice(calm))
        takers = [lender, generator.choice(faulty)] if is_first and faulty else [lender]
        for taker in takers:
            shown.append(row)
            lenders.append(taker)
            samples.append(_with_faults(still, severities[taker]))
    return _behind(clips, samples, copies.views[shown], lenders)


def _lenders(clips: EncodedSet) -> tuple[list[dict[str, float]], list[int], list[int]]:
    """Return the faults of time of each real clip, and the rows without and with such."""
    lent = range(len(clips) - clips.num_drawn)
    severities = [_of_time(clips.samples[row]) for row in lent]
    calm = [row for row in lent if not severities[row]]
    faulty = [row for row in lent if severities[row]]
    return severities, calm, faulty


def _behind(
    clips: EncodedSet,
    samples: Sequence[TrainingSample],
    views: NDArray[np.float16],
    lenders: Sequence[int],
) -> EncodedSet:
    """Put stills (N, crops, views, 1, features) behind the clips, with the lenders' motion."""
    shown = crops_as_frames(views, clips.views.shape[3])
    return clips.followed_by(EncodedSet(samples, shown, clips.motion[list(lenders)]))


def _of_time(sample: TrainingSample) -> dict[str, float]:
    return {
        name: value
        for name, value in (sample.severities or {}).items()
        if value and dimension_of(name) is Dimension.TEMPORAL
    }


def _with_faults(still: TrainingSample, of_time: dict[str, float]) -> TrainingSample:
    """Label a still anew that has the motion of a clip with faults of time."""
    if not of_time:
        return still
    severities = {**(still.severities or {}), **of_time}
    labels = label_clip(severities, source_quality=still.source_quality)
    return replace(
        still,
        mos=labels.mos,
        severities=severities,
        dimension_severities=labels.severities,
        distorted=labels.distorted,
        most_impactful=labels.most_impactful,
    )
