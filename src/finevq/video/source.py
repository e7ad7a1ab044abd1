"""A file as a list of frames: what there is (`table`), and the pictures of chosen ones (`frames`).

The seam between the kinds of files and `decode.py`, with the words for what is wrong with a file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from finevq.errors import VideoDecodeError
from finevq.video.sampling import FrameTable

_CUT_OFF_SECONDS, _CUT_OFF_SHARE = 1.0, 0.05
"""How much shorter than promised the pictures must be to be worth a warning."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFacts:
    """What the container says of the file."""

    codec: str
    container: str
    bit_rate: int | None
    is_still: bool
    """Whether it is a still picture."""
    promised_seconds: float | None
    """How long the file says it lasts."""


class VideoSource(Protocol):
    """A file that is open for decoding."""

    facts: SourceFacts
    num_lost: int
    """Frames that were promised but do not come out, as far as known."""
    is_damaged: bool
    """Whether the decoder complained so far."""

    @property
    def table(self) -> FrameTable:
        """The frames that a player shows, as far as known."""

    def frames(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (row of the table, frame) in the order of time; lost frames are left out."""

    def recount(self) -> bool:
        """Go by what really comes out from now on; False where that is known or too costly."""


def warnings_of(source: VideoSource) -> tuple[str, ...]:
    """Return what is wrong with a file that could be read all the same; whole sentences."""
    table, promised = source.table, source.facts.promised_seconds
    found: list[str] = []
    if promised is not None and promised - table.duration_seconds > max(
        _CUT_OFF_SECONDS, _CUT_OFF_SHARE * promised
    ):
        found.append(
            f"The file says that it lasts {promised:.1f} s, but its pictures end after "
            f"{table.duration_seconds:.1f} s ({len(table)} frames); it was probably cut off."
        )
    if source.num_lost:
        found.append(
            f"{source.num_lost} of {len(table) + source.num_lost} frames could not be decoded; "
            f"the other {len(table)} were used."
        )
    elif source.is_damaged:
        found.append("Some frames are damaged; they were used as far as they could be decoded.")
    return tuple(found)


def no_frames_error(path: str | Path, codec: str) -> VideoDecodeError:
    """Return the error for a file that gave nothing."""
    return VideoDecodeError(
        f"{path}: not one frame of its {codec} stream could be decoded; the data is damaged or "
        "encrypted, or its pictures are larger than FINEVQ_MAX_FRAME_PIXELS allows"
    )
