"""Frames to model inputs: squashed whole pictures, native-pixel crops, normalization.

A transform gets a decoded frame and returns an upright RGB picture. Scaling happens on the stored
picture, in swscale; turning it upright comes last, on the few pixels that are left.
"""

from collections.abc import Sequence
from typing import Protocol

import av
import numpy as np
from numpy.typing import NDArray

from finevq.video.orientation import Orientation
from finevq.video.pil_resize import pil_bicubic_resize
from finevq.video.pixels import InterpolationName, RgbScaler

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "SPREAD_POSITIONS",
    "DetailCrop",
    "FrameTransform",
    "OfficialSquash",
    "Squash",
    "Whole",
    "normalize",
    "pil_bicubic_resize",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

SPREAD_POSITIONS: tuple[tuple[float, float], ...] = (
    (0.5, 0.5),
    (0.0, 0.0),
    (1.0, 1.0),
    (1.0, 0.0),
    (0.0, 1.0),
    (0.5, 0.0),
    (0.5, 1.0),
    (0.25, 0.5),
)
"""Where crops lie, (x, y) relative to the free room: centre, corners, then what is left between."""


class FrameTransform(Protocol):
    """Turns a decoded frame into one picture of a model's input."""

    depends_on_position: bool
    """Whether equal frames at different positions of a stream give different pictures."""

    def __call__(
        self, frame: av.VideoFrame, orientation: Orientation, position: int
    ) -> NDArray[np.uint8]:
        """Return an upright picture (H, W, 3), RGB.

        Args:
            frame: As decoded.
            orientation: How to turn it upright.
            position: Place of the frame in its stream, 0 first.
        """


class Squash:
    """The whole picture scaled to a square; the aspect ratio is lost."""

    depends_on_position = False

    def __init__(self, size: int, interpolation: InterpolationName = "bilinear") -> None:
        """Remember the side in pixels and swscale's filter."""
        self.size = size
        self.interpolation = interpolation
        self._to_rgb = RgbScaler()

    def __call__(
        self, frame: av.VideoFrame, orientation: Orientation, position: int
    ) -> NDArray[np.uint8]:
        """Return (size, size, 3)."""
        image = self._to_rgb(
            frame,
            width=self.size,
            height=self.size,
            interpolation=self.interpolation,
        )
        return orientation.upright(image)


class OfficialSquash:
    """The whole picture as FineVQ's preprocessing makes it: PIL's bicubic resize, bit for bit."""

    depends_on_position = False

    def __init__(self, size: int = 448) -> None:
        """Remember the side in pixels."""
        self.size = size
        self._to_rgb = RgbScaler()

    def __call__(
        self, frame: av.VideoFrame, orientation: Orientation, position: int
    ) -> NDArray[np.uint8]:
        """Return (size, size, 3)."""
        image = orientation.upright(self._to_rgb(frame))
        return pil_bicubic_resize(image, self.size)


class Whole:
    """The whole picture with its aspect ratio, scaled down only where it is too large."""

    depends_on_position = False

    def __init__(
        self, max_side: int | None = None, interpolation: InterpolationName = "bicubic"
    ) -> None:
        """Remember the longest side allowed; None keeps the native size."""
        self.max_side = max_side
        self.interpolation = interpolation
        self._to_rgb = RgbScaler()

    def __call__(
        self, frame: av.VideoFrame, orientation: Orientation, position: int
    ) -> NDArray[np.uint8]:
        """Return (H, W, 3)."""
        scale = min(1.0, (self.max_side or np.inf) / max(frame.width, frame.height))
        image = self._to_rgb(
            frame,
            width=max(1, round(frame.width * scale)),
            height=max(1, round(frame.height * scale)),
            interpolation=self.interpolation,
        )
        return orientation.upright(image)


class DetailCrop:
    """A square of native pixels, where noise, blur and blocking are as the camera left them.

    The picture is scaled (antialiased) only where its short side is below `size` or above
    `max_short_side`. The k-th picture of a stream is cut at the k-th of a list of positions.
    """

    depends_on_position = True

    def __init__(
        self,
        size: int = 320,
        max_short_side: int = 1080,
        positions: Sequence[tuple[float, float]] = SPREAD_POSITIONS,
    ) -> None:
        """Remember side, largest short side (pixels) and relative positions (x, y; 0..1)."""
        if max_short_side < size:
            raise ValueError(f"max_short_side {max_short_side} is below the crop's size {size}")
        self.size = size
        self.max_short_side = max_short_side
        self.positions = tuple(positions)
        self._to_rgb = RgbScaler()

    def __call__(
        self, frame: av.VideoFrame, orientation: Orientation, position: int
    ) -> NDArray[np.uint8]:
        """Return (size, size, 3)."""
        short = min(frame.width, frame.height)
        scale = min(max(short, self.size), self.max_short_side) / short
        width = max(self.size, round(frame.width * scale))
        height = max(self.size, round(frame.height * scale))
        image = self._to_rgb(frame, width=width, height=height)
        x, y = orientation.stored_position(*self.positions[position % len(self.positions)])
        left, top = round(x * (width - self.size)), round(y * (height - self.size))
        return orientation.upright(image[top : top + self.size, left : left + self.size])


def normalize(
    images: NDArray[np.uint8],
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
) -> NDArray[np.float32]:
    """Return (pixel / 255 - mean) / std with channels first.

    Args:
        images: (..., H, W, 3), 0..255.
        mean: One number a channel, on the scale 0..1.
        std: One number a channel, on the scale 0..1.

    Returns:
        (..., 3, H, W) float32, contiguous.
    """
    scaled = images.astype(np.float32) / np.float32(255)
    scaled -= np.asarray(mean, np.float32)
    scaled /= np.asarray(std, np.float32)
    return np.ascontiguousarray(np.moveaxis(scaled, -1, -3))
