"""Small pictures of the frames that the model saw, as JPEG."""

from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from finevq.records import Thumbnail

_QUALITY = 4
"""FFmpeg's scale for MJPEG: 1 best .. 31 worst."""


def encode_thumbnails(
    frames: Sequence[tuple[float, NDArray[np.uint8]]],
) -> tuple[Thumbnail, ...]:
    """Encode frames.

    Args:
        frames: Time in seconds and (H, W, 3) RGB of each.
    """
    return tuple(_encode(seconds, frame) for seconds, frame in frames)


def _encode(seconds: float, frame: NDArray[np.uint8]) -> Thumbnail:
    height, width = frame.shape[:2]
    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height = width, height
    codec.pix_fmt = "yuvj420p"
    codec.time_base = Fraction(1, 25)
    codec.options = {"qmin": str(_QUALITY), "qmax": str(_QUALITY)}
    picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format="yuvj420p")
    packets = [*codec.encode(picture), *codec.encode(None)]
    return Thumbnail(seconds, b"".join(map(bytes, packets)), width, height)
