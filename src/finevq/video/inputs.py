"""From a video file to what a model takes from it: sampling, transforms and decoding joined.

The same function feeds training and inference, so that a model sees in use what it saw in training.
"""

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from finevq.records import MediaInfo, VideoInputConfig
from finevq.video import sampling
from finevq.video.decode import DecodedVideo
from finevq.video.sampling import FrameTable, Sampler
from finevq.video.transforms import DetailCrop, FrameTransform, Squash, Whole

MAX_SEGMENTS = 30
"""Most stretches that a timeline is cut into; longer videos get longer stretches."""

_THUMBNAILS = "thumbnails"
_THUMBNAIL_PIXELS = 320


@dataclass(frozen=True, kw_only=True, slots=True)
class Pixels:
    """What a model looks at in one stretch of a video."""

    views: tuple[NDArray[np.uint8], ...]
    """For each view (F, H, W, 3), RGB."""
    motion: NDArray[np.uint8]
    """(M * T, H, W, 3), RGB: burst after burst."""
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInputs:
    """Pixels of one video, ready for a model."""

    whole: Pixels
    """Sampled over the whole video."""
    segments: tuple[Pixels, ...]
    """Sampled over each stretch of the timeline; empty where none was asked for."""
    media: MediaInfo
    warnings: tuple[str, ...]
    """What was wrong with the file although frames could be read."""
    seconds: float
    """Wall time of reading."""
    thumbnails: tuple[tuple[float, NDArray[np.uint8]], ...] = ()
    """Time in seconds and (H, W, 3) RGB of each sparse frame; empty where not asked for."""


class Decode(Protocol):
    """How a file is decoded: `decode_video` here, or `DecoderPool.decode` in another process."""

    def __call__(
        self, path: str, *, sampler: Sampler, transforms: Mapping[str, FrameTransform]
    ) -> DecodedVideo:
        """Decode the frames that the sampler picks."""


def read_inputs(
    path: str,
    config: VideoInputConfig,
    *,
    decode: Decode,
    segment_seconds: float | None = None,
    with_thumbnails: bool = False,
) -> VideoInputs:
    """Read from a video what a model takes, in one decoding pass.

    Args:
        path: A video or picture.
        config: Frames, views and motion of the model.
        decode: How files are decoded.
        segment_seconds: Also read the video in stretches of about this length, at most
            `MAX_SEGMENTS` of them; None for the whole video alone.
        with_thumbnails: Also keep small pictures of the sparse frames.

    Raises:
        VideoDecodeError: nothing can be read.
        VideoLimitError: the file exceeds a limit of the settings.
    """
    sampler = _InputSampler(config, segment_seconds, with_thumbnails)
    decoded = decode(path, sampler=sampler, transforms=sampler.transforms())
    spans = sampler.spans(decoded.table)
    whole, *segments = (_pixels(decoded, config, number, span) for number, span in enumerate(spans))
    return VideoInputs(
        whole=whole,
        segments=tuple(segments),
        media=decoded.media,
        warnings=decoded.warnings,
        seconds=decoded.seconds,
        thumbnails=_thumbnails(decoded) if with_thumbnails else (),
    )


@dataclass(frozen=True, slots=True)
class _InputSampler:
    """Picks the frames of the whole video and of its segments; can be sent to another process."""

    config: VideoInputConfig
    segment_seconds: float | None
    with_thumbnails: bool

    def __call__(self, table: FrameTable) -> Mapping[str, NDArray[np.int64]]:
        streams: dict[str, NDArray[np.int64]] = {}
        for number, (start, end) in enumerate(self.spans(table)):
            rows = sampling.window(table, start, end)
            part = _indices(sampling.restrict(table, rows), self.config)
            streams |= {_stream(name, number): chosen + rows[0] for name, chosen in part.items()}
        if self.with_thumbnails:
            streams[_THUMBNAILS] = sampling.uniform_indices(len(table), self.config.num_frames)
        return streams

    def spans(self, table: FrameTable) -> list[tuple[float, float]]:
        """Return start and end of the whole video and then of each segment."""
        duration = table.duration_seconds
        spans = [(0.0, duration)]
        if self.segment_seconds is not None:
            count = max(math.floor(duration / self.segment_seconds), 1)
            count = min(count, MAX_SEGMENTS, len(table))
            edges = [duration * index / count for index in range(count + 1)]
            spans += itertools.pairwise(edges)
        return spans

    def transforms(self) -> dict[str, FrameTransform]:
        """Return a transform for every stream that there may be."""
        num_spans = 1 if self.segment_seconds is None else MAX_SEGMENTS + 1
        transforms: dict[str, FrameTransform] = {
            _stream(name, number): transform
            for name, transform in _transforms(self.config).items()
            for number in range(num_spans)
        }
        transforms[_THUMBNAILS] = Whole(_THUMBNAIL_PIXELS)
        return transforms


def _thumbnails(decoded: DecodedVideo) -> tuple[tuple[float, NDArray[np.uint8]], ...]:
    times, frames = decoded.times[_THUMBNAILS], decoded.arrays[_THUMBNAILS]
    return tuple(zip(map(float, times), frames, strict=True))


def _indices(table: FrameTable, config: VideoInputConfig) -> dict[str, NDArray[np.int64]]:
    sparse = sampling.uniform_indices(len(table), config.num_frames)
    if config.motion == "bursts":
        motion = sampling.burst_indices(
            table, num_bursts=config.num_bursts, frames_per_burst=config.burst_frames
        )
    else:
        motion = sampling.official_motion_indices(len(table))
    return {**{view: sparse for view in config.views}, "motion": motion}


def _transforms(config: VideoInputConfig) -> dict[str, FrameTransform]:
    transforms: dict[str, FrameTransform] = {
        view: Squash(size) if view == "whole" else DetailCrop(size)
        for view, size in zip(config.views, config.view_sizes, strict=True)
    }
    transforms["motion"] = Squash(config.motion_size)
    return transforms


def _stream(name: str, number: int) -> str:
    return f"{name}@{number}"


def _pixels(
    decoded: DecodedVideo, config: VideoInputConfig, number: int, span: tuple[float, float]
) -> Pixels:
    return Pixels(
        views=tuple(decoded.arrays[_stream(view, number)] for view in config.views),
        motion=decoded.arrays[_stream("motion", number)],
        start_seconds=span[0],
        end_seconds=span[1],
    )
