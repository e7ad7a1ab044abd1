"""Decoded frames to RGB: colour matrix, range, bit depth and chroma layout, all through swscale.

What is tagged is honoured. What is not tagged follows what players do: BT.709 from 720 lines or
1280 columns up, BT.601 below; limited range, except for the formats that are full by definition.
"""

from typing import Literal

import av
import numpy as np
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

InterpolationName = Literal["bilinear", "area", "bicubic"]

# Exact rounding and chroma interpolated at full resolution: the cheap paths are off by up to 4 of
# 255 levels on flat colours and save a quarter of the time of scaling, a few percent of decoding.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT

_FLAGS = {
    "bilinear": Interpolation.BILINEAR | _EXACT,
    "area": Interpolation.AREA | _EXACT,
    "bicubic": Interpolation.BICUBIC | _EXACT,
}

_UNSPECIFIED_COLORSPACE = 2  # AVCOL_SPC_UNSPECIFIED
_HD_WIDTH, _HD_HEIGHT = 1280, 720


class RgbScaler:
    """Converts and scales frames; keeps swscale's tables from one frame to the next of its kind.

    Pickles as a new one, so that transforms can be sent to a worker process.
    """

    def __init__(self) -> None:
        self._reformatter = VideoReformatter()

    def __reduce__(self) -> tuple[type["RgbScaler"], tuple[()]]:
        return RgbScaler, ()

    def __call__(
        self,
        frame: av.VideoFrame,
        *,
        width: int | None = None,
        height: int | None = None,
        interpolation: InterpolationName = "bicubic",
    ) -> NDArray[np.uint8]:
        """Return a frame as RGB, scaled, as stored (not yet turned upright).

        Args:
            frame: Any format that swscale reads. Transparency is dropped, not blended.
            width: Pixels of the result; the frame's own where None.
            height: Pixels of the result; the frame's own where None.
            interpolation: Filter, widened by the ratio when scaling down, so it does not alias.

        Returns:
            (height, width, 3) uint8.
        """
        is_hd = frame.width >= _HD_WIDTH or frame.height >= _HD_HEIGHT
        is_tagged = frame.colorspace != _UNSPECIFIED_COLORSPACE
        scaled = self._reformatter.reformat(
            frame,
            width=width,
            height=height,
            format="rgb24",
            src_colorspace=Colorspace.ITU709 if is_hd and not is_tagged else None,
            dst_color_range=ColorRange.JPEG,
            interpolation=_FLAGS[interpolation],
        )
        return np.asarray(scaled.to_ndarray(), np.uint8)
