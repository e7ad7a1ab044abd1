"""Frames on their way through a chain of faults, and what every fault returns.

Frames are uint8 RGB of shape (T, H, W, 3), full range, in display orientation. A fault owns the
array that it is given and may overwrite it: a clip of 100 frames is large, and most faults work
frame by frame in place. Nothing here draws random numbers of its own; the generator comes in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Frames: TypeAlias = npt.NDArray[np.uint8]
"""(T, H, W, 3) RGB, 0..255."""
Parameter: TypeAlias = float | int | str | bool | tuple[int, ...]
"""A value of a fault's parameters as the manifest records it."""


class Stage(IntEnum):
    """Where in the life of a video a fault arises; chains are applied in this order."""

    CAMERA = 0
    """How the camera is held and moves: shake, motion blur."""
    LENS = 1
    """Light before it is sampled: defocus, glare, vignette."""
    SENSOR = 2
    """Sampling and reading out: moire, exposure, noise, stripes."""
    PROCESSING = 3
    """Colour, sharpening, scaling, banding."""
    TIMING = 4
    """Which frame is shown when: stutter, judder, flicker."""
    ENCODING = 5
    """Real codecs at low rates."""


@dataclass(frozen=True, slots=True)
class Footage:
    """A clip in memory."""

    frames: Frames
    fps: float

    @property
    def height(self) -> int:
        """Pixels."""
        return int(self.frames.shape[1])

    @property
    def width(self) -> int:
        """Pixels."""
        return int(self.frames.shape[2])

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side: what radii and block sizes are relative to."""
        return min(self.height, self.width)

    def with_frames(self, frames: Frames) -> "Footage":
        """Return the same clip with other pixels."""
        return replace(self, frames=frames)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a fault did."""

    footage: Footage
    parameters: Mapping[str, Parameter]
    """The drawn parameters, in the units that their names carry."""
    side_effects: Mapping[str, float] = field(default_factory=dict)
    """Attributes that the fault brings along, beside its own: name -> severity 0..1."""
    visibility: float = 1.0
    """How much of the fault this content shows, 0..1: a freeze of a still scene shows nothing. The
    labelled severity is the planned one times this."""


ApplyFault: TypeAlias = Callable[[Footage, float, np.random.Generator], Outcome]
"""(footage, severity 0..1, generator) -> outcome."""


def ramp(severity: float, *anchors: float) -> float:
    """Map a severity to a parameter, linearly between values at 0, 1/4, 1/2, 3/4 and 1.

    Severity is meant perceptually (0 invisible, .25 slight, .5 mild, .75 strong, 1 severe), so the
    anchors are what looks like that, and need not be evenly spaced.

    >>> ramp(0.5, 0, 1, 2, 4, 8), ramp(0.875, 0, 1, 2, 4, 8), ramp(0.1, 5, 10)
    (2.0, 6.0, 5.5)
    """
    return float(np.interp(severity, np.linspace(0.0, 1.0, len(anchors)), anchors))
