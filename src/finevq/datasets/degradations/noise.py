"""Faults of noise: grain of the sensor, impulses, stripes, and what processing makes of noise.

Noise is new in every frame, but drawing millions of normal numbers a frame is where a generator
would spend its time. So one field of a clip's size plus a margin is drawn, and each frame takes a
random window of it, mirrored at random: neighbouring frames share no pixel position.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage, Frames, Outcome, Parameter, ramp

_MARGIN = 96
"""Pixels by which a noise field exceeds the frame on each axis: 9,000 windows x 4 mirrorings."""

_Floats: TypeAlias = npt.NDArray[np.float32]


class NoiseField:
    """A source of per-frame windows of noise with unit deviation.

    Args:
        shape: (H, W, C) of a window.
        rng: Draws the field and the windows.
        grain_pixels: Size of a grain; above 1 the noise is spatially correlated.
    """

    def __init__(
        self, shape: tuple[int, int, int], rng: np.random.Generator, grain_pixels: float = 1.0
    ) -> None:
        height, width, channels = shape
        self._height, self._width, self._rng = height, width, rng
        rows, columns = height + _MARGIN, width + _MARGIN
        drawn = (max(2, round(rows / grain_pixels)), max(2, round(columns / grain_pixels)))
        field = rng.standard_normal((*drawn, channels), dtype=np.float32)
        if drawn != (rows, columns):
            field = cv2.resize(field, (columns, rows), interpolation=cv2.INTER_CUBIC)
            field = field.reshape(rows, columns, channels)
            field /= field.std()
        self._field: _Floats = field

    def window(self) -> _Floats:
        """Return (H, W, C) float32 noise, another part of the field at every call."""
        top, left = (int(v) for v in self._rng.integers(0, _MARGIN, 2))
        view = self._field[top : top + self._height, left : left + self._width]
        flip = int(self._rng.integers(-1, 3))  # cv2.flip codes -1, 0, 1; 2 leaves it
        flipped: _Floats = cv2.flip(view, flip).reshape(view.shape) if flip < 2 else view
        return flipped


def gaussian_noise(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Add sensor grain: photon noise that grows with the signal plus constant read noise.

    Source: the Poissonian-Gaussian model, var = a x + b on linear light x, of Foi et al.,
    "Practical Poissonian-Gaussian noise modeling and fitting for single-image raw-data" (IEEE TIP
    2008). On gamma-coded values its deviation falls from the shadows to the highlights; we use
    that shape with the deviation at mid-gray as the parameter. Half of the draws are plain
    additive noise, half have grains of more than a pixel (demosaicking and scaling correlate).
    """
    sigma = ramp(severity, 0.0, 5.0, 11.0, 21.0, 42.0)
    grain = float(rng.choice([1.0, 1.0, 1.4, 1.8]))
    # Larger grains show more at the same deviation; finer pixels of a large frame show less.
    sigma *= float(np.clip((footage.short_side / 480.0) ** 0.25, 0.85, 1.3)) / grain**0.35
    is_shot = bool(rng.random() < 0.6)
    is_gray = bool(rng.random() < 0.25)
    table = _deviation_table(sigma, is_shot=is_shot)
    field = NoiseField((footage.height, footage.width, 1 if is_gray else 3), rng, grain)
    for frame in footage.frames:
        _add_scaled(frame, field.window(), table)
    return Outcome(
        footage,
        {
            "sigma": round(sigma, 2),
            "grain_pixels": grain,
            "signal_dependent": is_shot,
            "gray": is_gray,
        },
    )


def _deviation_table(sigma: float, *, is_shot: bool) -> _Floats:
    """Return the deviation (in codes) at each of the 256 codes."""
    codes = np.arange(256) / 255.0
    if not is_shot:
        return np.full(256, sigma, np.float32)
    light = codes**2.2
    # Deviation of sqrt-like coded shot noise: derivative of the gamma curve times sqrt(a x + b).
    deviation = np.sqrt(0.18 * light + 0.004) / np.maximum(codes, 0.12) ** 1.2
    deviation /= deviation[118]
    shaped: _Floats = (sigma * np.clip(deviation, 0.3, 2.0)).astype(np.float32)
    return shaped


def _add_scaled(frame: npt.NDArray[np.uint8], noise: _Floats, table: _Floats) -> None:
    if noise.shape[-1] == 1:
        noise = cv2.merge([noise, noise, noise])
    if table.min() == table.max():
        cv2.addWeighted(frame, 1.0, noise, float(table[0]), 0.0, dst=frame, dtype=cv2.CV_8U)
        return
    gains = cv2.LUT(frame, table)
    cv2.multiply(gains, noise, dst=gains)
    cv2.add(frame, gains, dst=frame, dtype=cv2.CV_8U)


def impulse_noise(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Replace single pixels by black, white or random codes: salt and pepper, hot pixels.

    Source: the impulse model of Gonzalez and Woods, "Digital Image Processing", 5.2. Some draws
    keep part of the positions fixed over time, as stuck pixels of a sensor are; larger frames
    get impulses of more than one pixel so that they stay visible.
    """
    density = ramp(severity, 0.0, 0.002, 0.009, 0.032, 0.11)
    size = max(1, round(footage.short_side / 600))
    is_colored = bool(rng.random() < 0.4)
    stuck = float(rng.choice([0.0, 0.0, 0.5]))
    rows, columns = -(-footage.height // size), -(-footage.width // size)
    count = max(1, round(rows * columns * density))
    frozen = _impulses(rows, columns, round(count * stuck), is_colored, rng)
    for frame in footage.frames:
        fresh = _impulses(rows, columns, count - round(count * stuck), is_colored, rng)
        for positions, values in (frozen, fresh):
            _place(frame, positions, values, size, columns)
    return Outcome(
        footage,
        {
            "density": round(density, 5),
            "size_pixels": size,
            "colored": is_colored,
            "stuck_share": stuck,
        },
    )


def _impulses(
    rows: int, columns: int, count: int, is_colored: bool, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    positions = rng.integers(0, rows * columns, count)
    if is_colored:
        values = rng.integers(0, 2, (count, 3)) * 255
    else:
        values = np.repeat(rng.integers(0, 2, (count, 1)) * 255, 3, axis=1)
    return positions, values.astype(np.uint8)


def _place(
    frame: npt.NDArray[np.uint8],
    positions: npt.NDArray[np.int64],
    values: npt.NDArray[np.uint8],
    size: int,
    columns: int,
) -> None:
    top, left = positions // columns * size, positions % columns * size
    height, width = frame.shape[:2]
    for dy in range(size):
        for dx in range(size):
            frame[np.minimum(top + dy, height - 1), np.minimum(left + dx, width - 1)] = values


def stripe_noise(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Add row or column offsets: fixed-pattern stripes, or bands that roll through the frame.

    Source: row/column noise of CMOS readout (EMVA Standard 1288, 8: row and column
    non-uniformity); the rolling bands are mains interference, a sine along the rows.
    """
    amplitude = ramp(severity, 0.0, 4.0, 9.0, 18.0, 36.0)
    kind = str(rng.choice(["rows", "columns", "rolling"], p=[0.4, 0.35, 0.25]))
    length = footage.width if kind == "columns" else footage.height
    period = float(rng.uniform(0.006, 0.05) if kind == "rolling" else rng.uniform(1.0, 3.0))
    steady = _stripe_profile(length, period, rng)
    share_steady = float(rng.uniform(0.5, 1.0))
    speed = float(rng.uniform(-0.4, 0.4))
    for index, frame in enumerate(footage.frames):
        if kind == "rolling":
            where = np.arange(length) / length
            profile = np.sin(2 * np.pi * (where / period + speed * index / period * 0.2))
        else:
            fresh = _stripe_profile(length, period, rng)
            profile = share_steady * steady + (1 - share_steady) * fresh
        _add_profile(frame, (amplitude * profile).astype(np.float32), across=kind == "columns")
    return Outcome(
        footage, {"kind": kind, "amplitude": round(amplitude, 2), "period": round(period, 4)}
    )


def _stripe_profile(
    length: int, period: float, rng: np.random.Generator
) -> npt.NDArray[np.float64]:
    """Return offsets of unit deviation for `length` lines, some of them much stronger."""
    lines = rng.standard_normal(max(2, round(length / period)))
    lines *= 1.0 + 1.5 * (rng.random(len(lines)) < 0.06)
    return lines[np.linspace(0, len(lines) - 1e-6, length).astype(int)]


def _add_profile(
    frame: npt.NDArray[np.uint8], profile: npt.NDArray[np.float32], *, across: bool
) -> None:
    height, width = frame.shape[:2]
    plane = np.broadcast_to(profile[None, :] if across else profile[:, None], (height, width))
    plane = np.ascontiguousarray(plane)
    cv2.add(frame, cv2.merge([plane, plane, plane]), dst=frame, dtype=cv2.CV_8U)


def other_noise(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Add noise that processing has shaped: color blotches, or smeared remains of grain.

    Other noise means here what a phone's pipeline leaves: chroma blotches (low-frequency noise in
    the color-difference channels, luma untouched) or denoised grain (strong grain after a
    edge-preserving median filter: crawling patches). Source: the two failure modes that
    ISO 15739 separates as chrominance noise and correlated noise.
    """
    kind = str(rng.choice(["chroma", "denoised"]))
    if kind == "chroma":
        return _chroma_noise(footage, severity, rng)
    sigma = ramp(severity, 0.0, 12.0, 22.0, 36.0, 58.0)
    grain = float(rng.uniform(1.8, 3.2))
    field = NoiseField((footage.height, footage.width, 3), rng, grain)
    table = _deviation_table(sigma * 0.7, is_shot=True)
    for frame in footage.frames:
        _add_scaled(frame, field.window(), table)
        cv2.medianBlur(frame, 3 if severity < 0.5 else 5, dst=frame)
    return Outcome(
        footage,
        {"kind": kind, "sigma": round(sigma, 2), "grain_pixels": round(grain, 2)},
        {"other blur": 0.3 * severity},
    )


def _chroma_noise(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    sigma = ramp(severity, 0.0, 7.0, 15.0, 28.0, 50.0)
    grain = float(rng.uniform(2.0, 7.0)) * footage.short_side / 480.0
    field = NoiseField((footage.height, footage.width, 2), rng, max(1.0, grain))
    # Cr and Cb offsets turned into R, G, B offsets that keep luma. Source: ITU-R BT.601-7, 2.5.
    to_rgb = np.array([[1.402, 0.0], [-0.714, -0.344], [0.0, 1.772]], np.float32)
    for frame in footage.frames:
        offsets = cv2.transform(
            np.ascontiguousarray(field.window()), to_rgb * np.float32(0.6 * sigma)
        )
        cv2.add(frame, offsets, dst=frame, dtype=cv2.CV_8U)
    parameters: dict[str, Parameter] = {
        "kind": "chroma",
        "sigma": round(sigma, 2),
        "grain_pixels": round(grain, 2),
    }
    return Outcome(footage, parameters)


__all__ = ["Frames", "NoiseField", "gaussian_noise", "impulse_noise", "other_noise", "stripe_noise"]
