"""Which frames a model looks at, decided from times alone, before anything is decoded.

A `FrameTable` lists the frames that a player would show. Samplers turn it into indices; the reader
then decodes exactly those. Indices may repeat: a frame that stays on the screen for long (a freeze,
dropped frames under variable frame rate) appears again in a burst, so stutter stays visible.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

OFFICIAL_MIN_MOTION_FRAMES = 32
"""Fewest frames that the SlowFast branch of FineVQ accepts; shorter videos are stretched."""

MIN_RATE_FPS = 18.0
"""Below this nominal rate a burst looks at the clip on `SLOW_CLIP_RATE_FPS` instead."""

SLOW_CLIP_RATE_FPS = 30.0
"""The grid for clips of very low rate: their frames repeat on it, as a player repeats them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameTable:
    """The frames that a player shows, in the order of presentation."""

    times_seconds: NDArray[np.float64]
    """(N,) when each frame appears; the first at 0, never decreasing."""
    durations_seconds: NDArray[np.float64]
    """(N,) how long each stays on the screen, all positive; the last one's is the file's word for
    it or else the median."""
    is_keyframe: NDArray[np.bool_]
    """(N,) whether the frame is coded without reference to others."""
    is_exact: bool = True
    """False where the file has no presentation times: then they follow from the nominal rate."""

    def __post_init__(self) -> None:
        if not len(self.times_seconds) == len(self.durations_seconds) == len(self.is_keyframe):
            raise ValueError("times, durations and keyframe flags differ in length")
        if len(self.times_seconds) == 0:
            raise ValueError("a frame table needs at least one frame")

    def __len__(self) -> int:
        return len(self.times_seconds)

    @property
    def duration_seconds(self) -> float:
        """From the first frame's time to the end of the last."""
        return float(self.times_seconds[-1] + self.durations_seconds[-1])

    @property
    def mean_rate_fps(self) -> float | None:
        """Frames a second over the whole clip; None for a single frame."""
        return len(self) / self.duration_seconds if len(self) > 1 else None

    @property
    def nominal_rate_fps(self) -> float | None:
        """The rate of the clock that the frames tick on: 1 / median step; None for one frame.

        Freezes and dropped frames move the mean rate but not this one.
        """
        steps = np.diff(self.times_seconds)
        steps = steps[steps > 0]
        if len(steps) == 0:
            return None
        median = float(np.sort(steps)[(len(steps) - 1) // 2])
        # Containers round times to milliseconds or so: 33 and 34 ms are one and the same step.
        # Half a median keeps them together; freezes and dropped frames stay out.
        near: NDArray[np.float64] = steps[np.abs(steps - median) <= 0.5 * median]
        return 1.0 / float(np.mean(near))

    def index_at(self, seconds: NDArray[np.floating]) -> NDArray[np.int64]:
        """Return the index of the frame on display at each time; times outside are clamped."""
        found = np.searchsorted(self.times_seconds, seconds, side="right") - 1
        return np.clip(found, 0, len(self) - 1).astype(np.int64)


Sampler: TypeAlias = Callable[[FrameTable], Mapping[str, NDArray[np.int64]]]
"""Stream name -> indices into the table; any order, repeats allowed."""


def uniform_indices(num_frames: int, num_segments: int) -> NDArray[np.int64]:
    """Return one index per segment, as FineVQ takes its 8 frames.

    With m = n - 1 and s = m / segments: index i = int(s / 2 + round_half_even(s * i)). The last
    frame is never taken (except where it is the only one). Source: FineVQ, commit 2dd8bc6a,
    frame selection of the inference scripts.

    Args:
        num_frames: Frames of the video, at least 1.
        num_segments: How many indices, at least 1.

    Raises:
        ValueError: an argument below 1.

    >>> uniform_indices(300, 8).tolist()
    [18, 55, 93, 130, 168, 205, 242, 280]
    """
    if num_frames < 1 or num_segments < 1:
        raise ValueError(f"need at least 1 frame and 1 segment, not {num_frames}, {num_segments}")
    step = (num_frames - 1) / num_segments
    positions = np.arange(num_segments, dtype=np.float64)
    return (step / 2 + np.rint(step * positions)).astype(np.int64)


def official_motion_indices(num_frames: int) -> NDArray[np.int64]:
    """Return the frames of FineVQ's motion branch: all of them by the 8-frame rule, at least 32.

    One index comes twice near the middle and the last frame is left out; that is the reference's
    behaviour. Source: FineVQ, commit 2dd8bc6a, inference scripts.

    Raises:
        ValueError: `num_frames` below 1.

    >>> len(official_motion_indices(20)), len(official_motion_indices(300))
    (32, 300)
    """
    return uniform_indices(num_frames, max(num_frames, OFFICIAL_MIN_MOTION_FRAMES))


def burst_rate_fps(nominal_rate_fps: float | None, max_rate_fps: float = 40.0) -> float:
    """Return the rate of the regular time grid that bursts are taken on.

    The clip's own rate where it lies between 18 fps and the maximum; above it, the half, the third,
    ...; below 18 fps, 30 Hz, so that a slide show is seen as a slide show.

    >>> [burst_rate_fps(rate) for rate in (25.0, 60.0, 120.0, 10.0, None)]
    [25.0, 30.0, 40.0, 30.0, 30.0]
    """
    if nominal_rate_fps is None or nominal_rate_fps < MIN_RATE_FPS:
        return SLOW_CLIP_RATE_FPS
    # A hair of slack: 40.0004 fps is 40 fps read off rounded timestamps.
    return nominal_rate_fps / max(1, math.ceil(nominal_rate_fps / max_rate_fps - 1e-3))


def burst_indices(
    table: FrameTable, *, num_bursts: int, frames_per_burst: int, max_rate_fps: float = 40.0
) -> NDArray[np.int64]:
    """Return short dense windows spread evenly over the clip, burst after burst.

    Each instant of a regular time grid is mapped to the frame on display at that time. Instants lie
    in the middle of a frame, so that jitter of the timestamps does not fake a repeated frame.
    In a clip shorter than all windows they overlap; where it is shorter than one, its last frame
    is repeated.

    Args:
        table: The frames to choose from.
        num_bursts: Number of windows, at least 1.
        frames_per_burst: Instants in each, at least 1.
        max_rate_fps: Fastest grid, see `burst_rate_fps`.

    Returns:
        (num_bursts * frames_per_burst,) indices into `table`.

    Raises:
        ValueError: a count below 1.
    """
    if num_bursts < 1 or frames_per_burst < 1:
        raise ValueError(f"need counts of at least 1, not {num_bursts} and {frames_per_burst}")
    nominal_rate_fps = table.nominal_rate_fps
    step = 1.0 / burst_rate_fps(nominal_rate_fps, max_rate_fps)
    middle = min(step, 1.0 / nominal_rate_fps) / 2 if nominal_rate_fps else step / 2
    slack = max(0.0, table.duration_seconds - frames_per_burst * step)
    # Segments of equal length, a window in the middle of each; overlapping windows share the slack.
    if slack >= (num_bursts - 1) * frames_per_burst * step:
        segment = table.duration_seconds / num_bursts
        starts = (np.arange(num_bursts) + 0.5) * segment - frames_per_burst * step / 2
    else:
        starts = np.linspace(0.0, slack, num_bursts) if num_bursts > 1 else np.array([slack / 2])
    # Start on the clip's own clock: whole steps after the time of the frame on display there.
    shown_since = table.times_seconds[table.index_at(starts + middle)]
    starts = shown_since + np.floor((starts + middle - shown_since) / step) * step
    instants = starts[:, None] + np.arange(frames_per_burst) * step + middle  # (bursts, frames)
    return table.index_at(instants.ravel())


def window(table: FrameTable, start_seconds: float, end_seconds: float) -> NDArray[np.int64]:
    """Return the indices of the frames on display at some time within [start, end).

    Never empty: a stretch without a change shows the frame that was already there.

    Raises:
        ValueError: the end is not after the start.
    """
    if not end_seconds > start_seconds:
        raise ValueError(f"the window [{start_seconds}, {end_seconds}) is empty")
    first = int(table.index_at(np.array([start_seconds]))[0])
    stop = int(np.searchsorted(table.times_seconds, end_seconds, side="left"))
    return np.arange(first, max(stop, first + 1), dtype=np.int64)


def restrict(table: FrameTable, indices: NDArray[np.int64]) -> FrameTable:
    """Return the table of a consecutive run of frames, its times starting at 0 again.

    Samplers work on it as on a whole clip; add `indices[0]` to what they return.
    """
    times = table.times_seconds[indices]
    return FrameTable(
        times_seconds=times - times[0],
        durations_seconds=table.durations_seconds[indices],
        is_keyframe=table.is_keyframe[indices],
        is_exact=table.is_exact,
    )
