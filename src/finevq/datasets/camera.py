"""A virtual hand-held camera: turns one photograph into a clip with natural motion.

The path is what a person's hands do: an intended slow move (pan, tilt, push in, or hold), drift
below 1 Hz, sway of 1-3 Hz and a little tremor, in translation, roll and zoom. Parallax comes from
a smooth depth map: near parts move more than far ones, and farther than the camera turns.
"""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

_Floats: TypeAlias = npt.NDArray[np.float64]
_Picture: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraPath:
    """Where the camera looks in each frame; arrays of shape (T,)."""

    x: _Floats
    """Right, as a share of the frame's shorter side."""
    y: _Floats
    """Down, as a share of the frame's shorter side."""
    roll: _Floats
    """Radians."""
    zoom: _Floats
    """1 shows the base field of view; above 1 is closer."""

    def part(self, start: int, num_frames: int) -> "CameraPath":
        """Return some consecutive positions."""
        rows = slice(start, start + num_frames)
        return CameraPath(
            x=self.x[rows], y=self.y[rows], roll=self.roll[rows], zoom=self.zoom[rows]
        )


def filtered_noise(
    num_frames: int, fps: float, center_hertz: float, rng: np.random.Generator
) -> _Floats:
    """Return (T,) smooth random motion of unit deviation with its power around one frequency.

    Log-normal band (half an octave to each side keeps about two thirds of the power) on white
    gaussian phases.
    """
    padded = max(64, 2 * num_frames)
    frequency = np.fft.rfftfreq(padded, 1.0 / fps)
    with np.errstate(divide="ignore"):
        octaves = np.log2(np.maximum(frequency, 1e-6) / center_hertz)
    gain = np.exp(-0.5 * (octaves / 0.6) ** 2)
    spectrum = gain * (rng.standard_normal(len(gain)) + 1j * rng.standard_normal(len(gain)))
    signal = np.fft.irfft(spectrum, padded)
    motion: _Floats = (signal / (signal.std() + 1e-12))[:num_frames]
    return motion


def handheld_path(
    num_frames: int,
    fps: float,
    rng: np.random.Generator,
    sway: float = 1.0,
    *,
    is_moving: bool = False,
) -> CameraPath:
    """Draw a natural path.

    Args:
        num_frames: T.
        fps: Frames a second.
        rng: Source of all randomness.
        sway: 1 is a calm person; 0 a tripod with a slow intended move only.
        is_moving: Always make an intended move, and a longer one.
    """
    time = np.arange(num_frames) / fps

    def axis(drift: float, swing: float, tremor: float) -> _Floats:
        return sway * (
            drift * filtered_noise(num_frames, fps, 0.35, rng)
            + swing * filtered_noise(num_frames, fps, 1.4, rng)
            + tremor * filtered_noise(num_frames, fps, min(8.0, fps / 3), rng)
        )

    move = str(
        rng.choice(
            ["hold", "pan", "tilt", "push"],
            p=[0.0, 0.5, 0.2, 0.3] if is_moving else [0.3, 0.35, 0.15, 0.2],
        )
    )
    # Intended moves start and end softly, as a hand does.
    progress = 0.5 - 0.5 * np.cos(np.pi * np.clip(time / max(time[-1], 1e-6), 0, 1))
    reach = rng.uniform(0.04, 0.16) * rng.choice([-1, 1]) * (2.0 if is_moving else 1.0)
    x = axis(0.010, 0.0025, 0.0003)
    y = axis(0.008, 0.0022, 0.0003)
    zoom = np.exp2(axis(0.012, 0.002, 0.0))
    if move == "pan":
        x = x + reach * (progress - 0.5)
        y = y + 0.2 * reach * (progress - 0.5)
    elif move == "tilt":
        y = y + reach * (progress - 0.5)
    elif move == "push":
        zoom = zoom * np.exp2(reach * (progress - 0.5))
    roll = axis(0.007, 0.0018, 0.0002)
    return CameraPath(x=x, y=y, roll=roll, zoom=zoom)


def film(
    picture: _Picture,
    size: tuple[int, int],
    path: CameraPath,
    rng: np.random.Generator,
    *,
    field_of_view: float = 0.8,
    parallax: float = 1.0,
) -> npt.NDArray[np.uint8]:
    """Render a clip of a photograph along a path.

    Args:
        picture: (H, W, 3) uint8.
        size: (width, height) of the clip.
        path: T positions.
        rng: Draws where the camera looks and the depth map.
        field_of_view: Share of the largest possible view that is seen; the rest is room to move.
        parallax: How much more near parts move than far ones; 0 for a flat scene.

    Returns:
        (T, H, W, 3) uint8.
    """
    width, height = size
    rows, columns = picture.shape[:2]
    # Source pixels per clip pixel, where the whole view just fits.
    scale = min(columns / width, rows / height) * field_of_view
    # Twice the clip's density is all that linear interpolation can use; more would alias.
    if scale > 1.6:
        shrink = 1.4 / scale
        shrunk = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        picture = np.asarray(shrunk, np.uint8)
        rows, columns = picture.shape[:2]
        scale = 1.4
    short = min(width, height)
    room_x = max(0.0, (columns / scale - width) / 2)
    room_y = max(0.0, (rows / scale - height) / 2)
    spread_x = float(np.abs(path.x).max()) * short
    spread_y = float(np.abs(path.y).max()) * short
    look_x = rng.uniform(-1, 1) * max(0.0, room_x - spread_x) * 0.9
    look_y = rng.uniform(-1, 1) * max(0.0, room_y - spread_y) * 0.9
    depth = _depth_map(width, height, rng) * np.float32(parallax) if rng.random() < 0.5 else None
    interpolation = cv2.INTER_LINEAR if scale >= 1.25 else cv2.INTER_CUBIC
    frames = np.empty((len(path.x), height, width, 3), np.uint8)
    grid_x, grid_y = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    shear = parallax * float(rng.uniform(-0.1, 0.5))
    for index, frame in enumerate(frames):
        x, y = path.x[index] * short, path.y[index] * short
        matrix = _view_matrix(
            (columns, rows),
            (width, height),
            (look_x + x, look_y + y),
            float(path.roll[index]),
            scale / float(path.zoom[index]),
        )
        # Gradient depth: the lower part of a scene is nearer and moves more.
        matrix[0, 1] += scale * shear * x / height
        matrix[0, 2] -= scale * shear * x / 2
        matrix[1, 1] += scale * 0.5 * shear * y / height
        matrix[1, 2] -= scale * 0.5 * shear * y / 2
        if depth is None:
            cv2.warpAffine(
                picture,
                matrix,
                (width, height),
                dst=frame,
                flags=interpolation | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
            continue
        (a, b, c), (d, e, f) = matrix.astype(np.float32)
        map_x = grid_x * a + grid_y * b + (depth * np.float32(scale * x) + c)
        map_y = grid_x * d + grid_y * e + (depth * np.float32(scale * y) + f)
        cv2.remap(
            picture, map_x, map_y, interpolation, dst=frame, borderMode=cv2.BORDER_REFLECT_101
        )
    return frames


def _view_matrix(
    picture_size: tuple[int, int],
    size: tuple[int, int],
    look: tuple[float, float],
    roll: float,
    scale: float,
) -> _Floats:
    """Return the 2x3 map from clip pixels to picture pixels."""
    cos, sin = scale * np.cos(roll), scale * np.sin(roll)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    middle = np.array(size) / 2 - 0.5
    target = np.array(picture_size) / 2 - 0.5 + np.array(look) * scale
    matrix[:, 2] = target - matrix[:, :2] @ middle
    return matrix


def _depth_map(width: int, height: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return (H, W) extra motion of near parts, smooth, within about +-0.5."""
    coarse = rng.normal(0, 0.22, (4, 5)).astype(np.float32)
    coarse += np.linspace(-0.2, 0.3, 4, dtype=np.float32)[:, None]
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float32)
