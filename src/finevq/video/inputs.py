"""From a video file to what a model takes from it: sampling, transforms and decoding joined.

The same function feeds training and inference, so that a model sees in use what it saw in training.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finevq.records import MediaInfo, VideoInputConfig
from finevq.settings import Settings
from finevq.video import sampling
from finevq.video.decode import DecodedVideo, decode_video
from finevq.video.sampling import FrameTable
from finevq.video.transforms import DetailCrop, FrameTransform, OfficialSquash, Squash, Whole

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


def read_inputs(
    path: str,
    config: VideoInputConfig,
    *,
    settings: Settings,
    segment_seconds: float | None = None,
    with_thumbnails: bool = False,
) -> VideoInputs:
    """Read from a video what a model takes, in one decoding pass.

    Args:
        path: A video or picture.
        config: Frames, views and motion of the model.
        settings: Limits.
        segment_seconds: Also read the video in stretches of about this length, at most
            `MAX_SEGMENTS` of them; None for the whole video alone.
        with_thumbnails: Also keep small pictures of the sparse frames.

    Raises:
        VideoDecodeError: nothing can be read.
        VideoLimitError: the file exceeds a limit of `settings`.
    """
    spans: list[tuple[float, float]] = []

    def sample(table: FrameTable) -> Mapping[str, NDArray[np.int64]]:
        # Asked again where a damaged file turns out shorter than its table.
        spans[:] = [(0.0, table.duration_seconds), *_segments(table, segment_seconds)]
        streams: dict[str, NDArray[np.int64]] = {}
        for number, (start, end) in enumerate(spans):
            rows = sampling.window(table, start, end)
            for name, indices in _indices(sampling.restrict(table, rows), config).items():
                streams[_stream(name, number)] = indices + rows[0]
        if with_thumbnails:
            streams[_THUMBNAILS] = sampling.uniform_indices(len(table), config.num_frames)
        return streams

    transforms: dict[str, FrameTransform] = {
        _stream(name, number): transform
        for name, transform in _transforms(config).items()
        for number in range(1 if segment_seconds is None else MAX_SEGMENTS + 1)
    }
    transforms[_THUMBNAILS] = Whole(_THUMBNAIL_PIXELS)
    decoded = decode_video(path, sampler=sample, transforms=transforms, settings=settings)
    whole, *segments = (_pixels(decoded, config, number, span) for number, span in enumerate(spans))
    return VideoInputs(
        whole=whole,
        segments=tuple(segments),
        media=decoded.media,
        warnings=decoded.warnings,
        seconds=decoded.seconds,
        thumbnails=_thumbnails(decoded) if with_thumbnails else (),
    )


def _thumbnails(decoded: DecodedVideo) -> tuple[tuple[float, NDArray[np.uint8]], ...]:
    times, frames = decoded.times[_THUMBNAILS], decoded.arrays[_THUMBNAILS]
    return tuple(zip(map(float, times), frames, strict=True))


def _segments(table: FrameTable, segment_seconds: float | None) -> list[tuple[float, float]]:
    if segment_seconds is None:
        return []
    duration = table.duration_seconds
    count = min(max(math.floor(duration / segment_seconds), 1), MAX_SEGMENTS, len(table))
    edges = [duration * index / count for index in range(count + 1)]
    return list(zip(edges[:-1], edges[1:], strict=True))


def _indices(table: FrameTable, config: VideoInputConfig) -> dict[str, NDArray[np.int64]]:
    sparse = sampling.uniform_indices(len(table), config.num_frames)
    if config.motion == "bursts":
        motion = sampling.burst_indices(
            table, num_bursts=config.num_bursts, frames_per_burst=config.burst_frames
        )
    elif config.motion == "all_frames":
        motion = sampling.official_motion_indices(len(table))
    else:
        motion = np.zeros(0, np.int64)  # the sparse frames serve for motion too, or nothing does
    return {**{view: sparse for view in config.views}, "motion": motion}


def _transforms(config: VideoInputConfig) -> dict[str, FrameTransform]:
    squash = OfficialSquash if config.resize == "pil" else Squash
    transforms: dict[str, FrameTransform] = {
        view: squash(size) if view == "whole" else DetailCrop(size)
        for view, size in zip(config.views, config.view_sizes, strict=True)
    }
    transforms["motion"] = squash(config.motion_size)
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
