"""How a stored picture has to be turned, or mirrored, to be seen upright.

Cameras store the sensor's picture and a 3x3 display matrix beside it. FFmpeg hands the matrix on
as side data of the frame and leaves the pixels alone; so does PyAV.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction
from math import atan2, degrees
from typing import cast

import av
import av.filter
import numpy as np
from av.sidedata.sidedata import SideData
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Orientation:
    """What the player does to a stored picture: first mirror it left to right, then turn it."""

    rotation_degrees: int = 0
    """Clockwise turn: 0, 90, 180 or 270."""
    is_mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height change places."""
        return self.rotation_degrees in (90, 270)

    def upright(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the picture (H, W, C) as it is meant to be seen."""
        if self.is_mirrored:
            image = image[:, ::-1]
        return np.rot90(image, -self.rotation_degrees // 90) if self.rotation_degrees else image

    def stored_position(self, x: float, y: float) -> tuple[float, float]:
        """Return where in the stored picture a relative position (0..1) of the upright one lies.

        >>> Orientation(90).stored_position(1.0, 0.0)
        (0.0, 0.0)
        """
        for _ in range(self.rotation_degrees // 90):
            x, y = y, 1.0 - x
        return (1.0 - x, y) if self.is_mirrored else (x, y)


UPRIGHT = Orientation()

_MATRIX_BYTES = 36
_DISPLAY_MATRIX = 6
_OTHER_KINDS = tuple(kind for kind in range(48) if kind != _DISPLAY_MATRIX)
"""Kinds of side data by number (FFmpeg, libavutil/frame.h), with room for future ones."""


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Return the orientation that the frame's display matrix asks for.

    Angles between the quarter turns are taken as the nearest one; a degenerate matrix as none.
    """
    payload = _display_matrix(frame)
    if len(payload) < _MATRIX_BYTES:
        return UPRIGHT
    # Row vectors: (x, y) becomes (a x + c y, b x + d y). Source: FFmpeg, libavutil/display.h.
    a, b, _, c, d, *_ = struct.unpack("=9i", payload[:_MATRIX_BYTES])
    determinant = a * d - b * c
    if determinant == 0:
        return UPRIGHT
    if determinant < 0:  # undo the mirroring first: x runs the other way
        a, b = -a, -b
    turns = round(degrees(atan2(b, a)) / 90) % 4
    return Orientation(rotation_degrees=turns * 90, is_mirrored=determinant < 0)


class OrientationReader:
    """Gives the orientation of a video's frames, looking closely only where it changes.

    Listing the side data of a frame ties it into a reference cycle in PyAV, so its pixels stay in
    memory until the garbage collector comes by: hundreds of megabytes within a second of video.
    """

    def __init__(self) -> None:
        self._by_angle: dict[int, Orientation] = {}

    def __call__(self, frame: av.VideoFrame) -> Orientation:
        """Return how to turn the frame upright."""
        angle = frame.rotation
        if angle not in self._by_angle:
            self._by_angle[angle] = orientation_of(frame)
        return self._by_angle[angle]


def _display_matrix(frame: av.VideoFrame) -> bytes:
    """Return the matrix as stored; empty where there is none."""
    matrix = _with_matrix_alone(frame).side_data.get("DISPLAYMATRIX")
    return b"" if matrix is None else bytes(cast(SideData, matrix))


def _with_matrix_alone(frame: av.VideoFrame) -> av.VideoFrame:
    """Return the frame without side data but for the display matrix.

    PyAV lists all side data or none. It stops at a kind that is newer than its own list, such as
    the EXIF of every phone's JPEG, and frees the metadata of a kind that has some a second time,
    such as the name of a PNG's colour profile, which ends the process (measured with PyAV 18.1).
    """
    graph = av.filter.Graph()
    last = graph.add_buffer(
        width=frame.width,
        height=frame.height,
        format=frame.format,
        time_base=frame.time_base or Fraction(1, 25),
    )
    for kind in _OTHER_KINDS:
        remover = graph.add("sidedata", f"mode=delete:type={kind}")
        last.link_to(remover)
        last = remover
    sink = graph.add("buffersink")
    last.link_to(sink)
    graph.configure()
    graph.push(frame)
    return cast(av.VideoFrame, graph.pull())
