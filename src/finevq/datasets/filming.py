"""From a source to a clean clip: which source, how large, how long, and how the camera moves."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from finevq.datasets.camera import film, handheld_path
from finevq.datasets.degradations.chain import PlannedFault, needs_margin, needs_motion
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.temporal import SHAKE_MARGIN
from finevq.datasets.sources import (
    Source,
    SourceKind,
    probe_clip,
    read_photo,
    read_window,
    source_shares,
)
from finevq.errors import DatasetError, FineVQError

logger = logging.getLogger(__name__)

_SHORT_SIDES = (240, 360, 432, 480, 540, 720, 1080, 1440, 2160)
_SHORT_SIDE_SHARES = (0.07, 0.27, 0.12, 0.2, 0.17, 0.12, 0.04, 0.006, 0.004)
_ASPECTS = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0)
_ASPECT_SHARES = (0.5, 0.2, 0.14, 0.06, 0.1)
_FPS = (24.0, 25.0, 30.0, 50.0, 60.0)
_FPS_SHARES = (0.15, 0.2, 0.5, 0.05, 0.1)
_FEWEST_FRAMES = 12
_STILL_FRAMES = 3
"""One before and one after the picture: codecs predict it, and motion blur has its motion."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Filming:
    """How sources become clips."""

    max_short_side: int
    """Largest frame height (landscape) or width (portrait), in pixels."""
    is_still: bool
    """Three frames instead of two or three seconds."""
    always_moves: bool
    """The camera makes an intended move even where no fault of the chain needs one."""


def draw_footage(
    sources: Sequence[Source],
    chain: tuple[PlannedFault, ...],
    filming: Filming,
    rng: np.random.Generator,
) -> tuple[Source, Footage]:
    """Draw a source and film it; one that cannot be read is replaced by the next draw.

    Args:
        sources: What there is; large folders are drawn from more, but only with their square root.
        chain: Faults to come: some need a margin around the picture, or motion.
        filming: How.
        rng: Source of all randomness.

    Raises:
        VideoDecodeError: eight sources in a row could not be read.
    """
    shares = source_shares(sources)
    problem: FineVQError | None = None
    for _ in range(8):
        source = sources[int(rng.choice(len(sources), p=shares))]
        try:
            if source.kind is SourceKind.CLIP:
                return source, _clip_footage(source, filming, rng)
            return source, _photo_footage(source, chain, filming, rng)
        except FineVQError as error:
            logger.warning("%s is left out: %s", source.name, error)
            problem = error
    raise cast(FineVQError, problem)


def _photo_footage(
    source: Source,
    chain: tuple[PlannedFault, ...],
    filming: Filming,
    rng: np.random.Generator,
) -> Footage:
    margin = 1.0 + 2.0 * SHAKE_MARGIN if needs_margin(chain) else 1.0
    picture = read_photo(source.path)
    rows, columns = picture.shape[:2]
    aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    # The view may be at most as dense as the photograph, or a clean clip would be soft.
    room = 1.06
    largest = min(columns / max(aspect, 1.0), rows / max(1.0 / aspect, 1.0)) / room / margin
    short = min(_drawn_short_side(filming, rng), int(largest))
    width, height = even(short * max(aspect, 1.0)), even(short * max(1.0 / aspect, 1.0))
    fps = float(rng.choice(_FPS, p=_FPS_SHARES))
    seconds = rng.uniform(2.0, 3.0) if fps <= 30 and short <= 720 else 2.0
    num_frames = round(fps * seconds)
    moves = needs_motion(chain) or filming.always_moves
    sway = float(rng.uniform(0.8, 1.6) if moves else rng.uniform(0.3, 1.0))
    path = handheld_path(num_frames, fps, rng, sway, is_moving=moves)
    if filming.is_still:
        path = path.part(int(rng.integers(0, num_frames - _STILL_FRAMES + 1)), _STILL_FRAMES)
    size = (even(width * margin), even(height * margin))
    widest = min(columns / size[0], rows / size[1])
    view = float(np.clip(rng.uniform(0.6, 1.0) / room, min(1.0, 1.0 / widest), 1.0))
    frames = film(picture, size, path, rng, field_of_view=view)
    return Footage(frames, fps)


def _clip_footage(source: Source, filming: Filming, rng: np.random.Generator) -> Footage:
    facts = probe_clip(source.path)
    native = min(facts.width, facts.height)
    short = min(_drawn_short_side(filming, rng), native)
    scale = short / native
    size = (even(facts.width * scale), even(facts.height * scale))
    seconds = float(rng.uniform(2.0, 3.0))
    start = float(rng.uniform(0, max(0.0, facts.duration_seconds - seconds - 0.2)))
    num_frames = _STILL_FRAMES if filming.is_still else round(facts.fps * seconds)
    frames = read_window(source.path, start, num_frames, size)
    needed = min(num_frames, _FEWEST_FRAMES)
    if len(frames) < needed:
        raise DatasetError(f"only {len(frames)} frames at {start:.1f} s; {needed} are needed")
    return Footage(frames, facts.fps)


def _drawn_short_side(filming: Filming, rng: np.random.Generator) -> int:
    side = int(rng.choice(_SHORT_SIDES, p=_SHORT_SIDE_SHARES))
    return min(side, filming.max_short_side)


def even(pixels: float) -> int:
    """Round to an even number of pixels, as codecs want it, 32 at least."""
    return max(32, round(pixels / 2) * 2)


def without_color(footage: Footage) -> Footage:
    """Show luma alone (ITU-R BT.601, as OpenCV weighs it) in all three channels."""
    for frame in footage.frames:
        frame[:] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
    return footage
