"""Faults of color: saturation, exposure, contrast, casts.

All are per-pixel maps that stay the same (or drift slowly) over the clip, so they are applied as
a 256-entry table or a 3x3 matrix a frame.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage, Frames, Outcome, Parameter, ramp
from finevq.datasets.degradations.visibility import middle_frame, visibility

_LUMA = np.array([0.2126, 0.7152, 0.0722])
"""BT.709 luma weights of R, G, B. Source: ITU-R BT.709-6, item 3.2."""

_Table: TypeAlias = npt.NDArray[np.uint8]


def to_linear(code: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn sRGB code values 0..1 into linear light 0..1. Source: IEC 61966-2-1."""
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4)


def from_linear(light: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Turn linear light (clipped to 0..1) into sRGB code values 0..1. Source: IEC 61966-2-1."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def low_saturation(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Pull every colour towards its own gray: chroma is multiplied by a factor below 1.

    Source: the linear saturation matrix of SVG feColorMatrix (W3C Filter Effects 1, 9.3).
    """
    factor = ramp(severity, 1.0, 0.62, 0.38, 0.18, 0.0)
    shown = float(np.clip(_mean_chroma(footage.frames) / _VISIBLE_CHROMA, 0.05, 1.0))
    return Outcome(footage, _saturate(footage, factor), visibility=shown)


def high_saturation(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Push colours away from gray until channels clip, as "vivid" picture modes do."""
    factor = ramp(severity, 1.0, 1.5, 2.0, 2.8, 4.0)
    before = middle_frame(footage)
    parameters = _saturate(footage, factor)
    shown = visibility(before, footage, severity, _TYPICAL_DIFFERENCE)
    return Outcome(footage, parameters, visibility=shown)


_TYPICAL_DIFFERENCE = (0.0, 8.5, 16.9, 28.6, 42.7)
"""What high saturation does to a typical photograph, see `visibility`; measured by
`dev/typical_differences.py` on Debian's wallpapers."""


def _saturate(footage: Footage, factor: float) -> dict[str, Parameter]:
    matrix = factor * np.eye(3) + (1.0 - factor) * np.tile(_LUMA, (3, 1))
    for frame in footage.frames:
        cv2.transform(frame, matrix, dst=frame)
    return {"chroma_factor": round(factor, 4)}


_VISIBLE_CHROMA = 12.0
"""Mean spread of R, G and B (codes) from which a picture counts as coloured."""


def _mean_chroma(frames: Frames) -> float:
    """Return the mean spread between the channels, in codes, on a coarse grid."""
    coarse = frames[:: max(1, len(frames) // 4), ::8, ::8].astype(np.int16)
    return float((coarse.max(axis=-1) - coarse.min(axis=-1)).mean())


def underexposure(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Collect fewer photons: linear light is scaled down by a number of stops, blacks crush.

    Source: exposure value arithmetic (one stop halves linear light), sRGB transfer curve.
    """
    stops = ramp(severity, 0.0, -1.1, -2.0, -3.0, -4.4)
    pedestal = ramp(severity, 0.0, 0.0, 0.001, 0.0025, 0.004)
    codes = np.arange(256) / 255.0
    light = to_linear(codes) * 2.0**stops - pedestal
    return _mapped(footage, from_linear(light), {"stops": round(stops, 3)})


def overexposure(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Collect too many photons: linear light is scaled up, highlights clip to white."""
    stops = ramp(severity, 0.0, 0.7, 1.3, 2.0, 3.0)
    codes = np.arange(256) / 255.0
    flare = ramp(severity, 0.0, 0.0, 0.005, 0.015, 0.03)
    light = to_linear(codes) * 2.0**stops + flare
    return _mapped(footage, from_linear(light), {"stops": round(stops, 3)})


def low_contrast(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Veil the picture: codes are squeezed towards a haze level, colours included.

    Source: the atmospheric veil I = J t + A (1 - t) of Koschmieder's law with constant depth.
    """
    transmission = ramp(severity, 1.0, 0.7, 0.5, 0.33, 0.18)
    haze = float(rng.uniform(0.42, 0.72))
    codes = np.arange(256) / 255.0
    curve = codes * transmission + haze * (1.0 - transmission)
    return _mapped(footage, curve, {"transmission": round(transmission, 4), "haze": round(haze, 3)})


def high_contrast(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Stretch codes around the clip's own middle until shadows and highlights clip."""
    gain = ramp(severity, 1.0, 1.35, 1.8, 2.5, 4.0)
    middle = float(
        np.clip(
            footage.frames[:: max(1, len(footage.frames) // 4), ::8, ::8].mean() / 255, 0.3, 0.65
        )
    )
    codes = np.arange(256) / 255.0
    curve = (codes - middle) * gain + middle
    return _mapped(footage, curve, {"gain": round(gain, 3), "middle": round(middle, 3)})


def _mapped(
    footage: Footage, curve: npt.NDArray[np.float64], parameters: dict[str, float]
) -> Outcome:
    table = _as_table(curve)
    for frame in footage.frames:
        cv2.LUT(frame, table, dst=frame)
    return Outcome(footage, dict(parameters))


def _as_table(curve: npt.NDArray[np.float64]) -> _Table:
    table: _Table = np.clip(np.rint(curve * 255.0), 0, 255).astype(np.uint8)
    return table


def other_color(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Get the white balance wrong: a cast, a cast that drifts, or one channel that clips.

    Other color means here: the colours are off, not too weak, strong, dark or bright. A cast is a
    von Kries scaling of linear R, G, B (warm/cool along the daylight axis or green/magenta); the
    drifting one swings between two casts as an unsettled auto white balance does; a clipped
    channel loses its upper or lower codes.
    """
    kind = str(rng.choice(["cast", "drift", "clipped channel"], p=[0.55, 0.25, 0.2]))
    if kind == "clipped channel":
        return _clipped_channel(footage, severity, rng)
    strength = ramp(severity, 0.0, 0.22, 0.45, 0.75, 1.25)
    direction = _cast_direction(rng)
    num_frames = len(footage.frames)
    if kind == "drift":
        phase = rng.uniform(0, 2 * np.pi)
        swing = np.sin(2 * np.pi * 0.35 * np.arange(num_frames) / footage.fps + phase)
    else:
        swing = np.ones(num_frames)
    light = to_linear(np.arange(256) / 255.0)[:, None]
    for frame, amount in zip(footage.frames, swing, strict=True):
        gains = np.exp2(direction * strength * 1.6 * amount)
        gains /= gains @ _LUMA
        table = _as_table(from_linear(light * gains))
        cv2.LUT(frame, table.reshape(1, 256, 3), dst=frame)
    return Outcome(
        footage,
        {
            "kind": kind,
            "strength": round(strength, 3),
            "red_green_blue": tuple(round(100 * x) for x in direction),
        },
    )


def _cast_direction(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """Return per-channel stops of a unit cast: mostly warm or cool, sometimes green or magenta."""
    warmth, tint = rng.normal(0, 1.0), rng.normal(0, 0.45)
    length = np.hypot(warmth, tint) + 1e-9
    warmth, tint = warmth / length, tint / length
    return np.array([0.75 * warmth + 0.25 * tint, -0.55 * tint, -0.9 * warmth + 0.25 * tint])


def _clipped_channel(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    channel = int(rng.integers(3))
    keep = ramp(severity, 1.0, 0.72, 0.5, 0.3, 0.08)
    lifts = bool(rng.random() < 0.4)
    codes = np.arange(256) / 255.0
    curve = np.maximum(codes, 1.0 - keep) if lifts else np.minimum(codes, keep)
    tables = np.tile(np.arange(256, dtype=np.uint8)[:, None], (1, 3))
    tables[:, channel] = _as_table(curve)
    for frame in footage.frames:
        cv2.LUT(frame, tables.reshape(1, 256, 3), dst=frame)
    parameters: dict[str, Parameter] = {
        "kind": "clipped channel",
        "channel": "rgb"[channel],
        "keeps": round(keep, 3),
        "lifts": lifts,
    }
    return Outcome(footage, parameters)


__all__ = [
    "from_linear",
    "high_contrast",
    "high_saturation",
    "low_contrast",
    "low_saturation",
    "other_color",
    "overexposure",
    "to_linear",
    "underexposure",
]
