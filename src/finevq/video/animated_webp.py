"""Animated WebP, which FFmpeg decodes only as single pictures.

The container is split here; each part goes through FFmpeg's WebP decoder as a picture of its own
and is put on the canvas. Source: WebP Container Specification (Google), "Extended File Format".
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.video.reformatter import ColorRange
from numpy.typing import NDArray

from finevq.errors import VideoLimitError
from finevq.settings import Settings
from finevq.video.container import decoder_pixels
from finevq.video.packets import check_time
from finevq.video.sampling import FrameTable
from finevq.video.source import SourceFacts

_PART_HEADER_BYTES = 16
_IS_ANIMATED, _HAS_ALPHA = 0x02, 0x10
_IS_DISPOSED, _REPLACES = 0x01, 0x02
_SHORTEST_MILLISECONDS, _USUAL_MILLISECONDS = 11, 100
"""Browsers show frames of 10 ms and less for 100 ms."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One ANMF chunk: a rectangle that is put on the canvas for a while."""

    left: int
    top: int
    width: int
    height: int
    milliseconds: int
    replaces: bool
    """Whether it replaces what is below, rather than being blended over it."""
    is_disposed: bool
    """Whether the rectangle is cleared afterwards."""
    start: int
    size: int
    """Where its picture chunks lie in the file."""


class AnimatedWebp:
    """An animated WebP file as a source of frames."""

    num_lost = 0

    def __init__(self, path: Path, *, canvas: tuple[int, int], parts: list[_Part]) -> None:
        """Remember the parts; `open_animated_webp` finds them."""
        self.facts = SourceFacts(
            codec="webp", container="webp", bit_rate=None, is_still=False, promised_seconds=None
        )
        self.is_damaged = False
        self._path = path
        self._canvas = canvas
        self._parts = parts
        self._table = _table(parts)

    @property
    def table(self) -> FrameTable:
        """The frames as the file times them."""
        return self._table

    def frames(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield (row of the table, frame) in the order of time."""
        rows = set(wanted.tolist())
        width, height = self._canvas
        canvas = np.zeros((height, width, 4), np.uint8)
        with self._path.open("rb") as file:
            for row in range(max(rows, default=-1) + 1):
                part = self._parts[row]
                area = canvas[part.top : part.top + part.height, part.left : part.left + part.width]
                file.seek(part.start)
                picture = _decode_part(file.read(part.size), part, width * height)
                if picture is None:
                    self.is_damaged = True
                else:
                    _put(area, picture, part.replaces)
                if row in rows:
                    yield row, av.VideoFrame.from_ndarray(canvas[..., :3].copy(), format="rgb24")
                if part.is_disposed:
                    area[:] = 0

    def recount(self) -> bool:
        """Parts that do not decode leave the canvas as it was; there is nothing to count."""
        return False


def open_animated_webp(
    path: str | Path, *, settings: Settings, deadline: float
) -> AnimatedWebp | None:
    """Return the animation, or None where the file is anything else.

    Raises:
        VideoLimitError: more pixels or frames than the settings allow.
    """
    path = Path(path)
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(30)
        is_animated = (
            head[:4] == b"RIFF"
            and head[8:16] == b"WEBPVP8X"
            and len(head) == 30
            and bool(head[20] & _IS_ANIMATED)
        )
        if not is_animated:
            return None
        width, height = _int24(head, 24) + 1, _int24(head, 27) + 1
        if width * height > settings.max_frame_pixels:
            raise VideoLimitError(
                f"{path} has pictures of {width}x{height} pixels, more than the limit of "
                f"{settings.max_frame_pixels:,}; raise FINEVQ_MAX_FRAME_PIXELS to allow it"
            )
        parts: list[_Part] = []
        for name, start, size in _chunks(file, 12, path.stat().st_size):
            check_time(deadline, settings)
            if name == b"ANMF" and size > _PART_HEADER_BYTES:
                file.seek(start)
                part = _part(file.read(_PART_HEADER_BYTES), start, size)
                if part.left + part.width <= width and part.top + part.height <= height:
                    parts.append(part)
            if len(parts) > settings.max_frames:
                raise VideoLimitError(
                    f"{path} has more than {settings.max_frames:,} frames; "
                    "raise FINEVQ_MAX_FRAMES to allow it"
                )
    return AnimatedWebp(path, canvas=(width, height), parts=parts) if parts else None


def _chunks(file: BinaryIO, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, start of payload, size) of the RIFF chunks that are wholly there."""
    while position + 8 <= end:
        file.seek(position)
        name, size = struct.unpack("<4sI", file.read(8))
        if position + 8 + size > end:
            return
        yield name, position + 8, size
        position += 8 + size + size % 2


def _part(header: bytes, start: int, size: int) -> _Part:
    return _Part(
        left=2 * _int24(header, 0),
        top=2 * _int24(header, 3),
        width=_int24(header, 6) + 1,
        height=_int24(header, 9) + 1,
        milliseconds=_int24(header, 12),
        replaces=bool(header[15] & _REPLACES),
        is_disposed=bool(header[15] & _IS_DISPOSED),
        start=start + _PART_HEADER_BYTES,
        size=size - _PART_HEADER_BYTES,
    )


def _int24(data: bytes, position: int) -> int:
    return int.from_bytes(data[position : position + 3], "little")


def _decode_part(chunks: bytes, part: _Part, pixels: int) -> NDArray[np.uint8] | None:
    """Return the rectangle's picture as RGBA, or None where it does not decode."""
    if chunks[:4] == b"ALPH":  # only the extended header may carry alpha beside lossy colours
        flags = bytes([_HAS_ALPHA, 0, 0, 0])
        size = (part.width - 1).to_bytes(3, "little") + (part.height - 1).to_bytes(3, "little")
        chunks = b"VP8X" + struct.pack("<I", 10) + flags + size + chunks
    picture = b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WEBP" + chunks
    context = av.CodecContext.create("webp", "r")
    context.options = {"max_pixels": str(decoder_pixels(pixels))}
    try:
        frames = context.decode(av.Packet(picture))
        if not frames or (frames[0].width, frames[0].height) != (part.width, part.height):
            return None
        return np.asarray(frames[0].to_ndarray(format="rgba", dst_color_range=ColorRange.JPEG))
    except av.FFmpegError:
        return None


def _put(area: NDArray[np.uint8], picture: NDArray[np.uint8], replaces: bool) -> None:
    """Put a picture (H, W, 4) on the canvas; both carry alpha that is not premultiplied."""
    if replaces or picture[..., 3].min() == 255:
        area[:] = picture
        return
    above, below = picture[..., 3:] / 255.0, area[..., 3:] / 255.0
    alpha = above + below * (1 - above)
    colours = picture[..., :3] * above + area[..., :3] * below * (1 - above)
    area[..., :3] = np.rint(colours / np.maximum(alpha, 1e-6))
    area[..., 3:] = np.rint(alpha * 255)


def _table(parts: list[_Part]) -> FrameTable:
    milliseconds = [
        part.milliseconds if part.milliseconds >= _SHORTEST_MILLISECONDS else _USUAL_MILLISECONDS
        for part in parts
    ]
    durations = np.array(milliseconds) / 1000.0
    return FrameTable(
        times_seconds=np.cumsum(durations) - durations,
        durations_seconds=durations,
        is_keyframe=np.arange(len(parts)) == 0,
    )
