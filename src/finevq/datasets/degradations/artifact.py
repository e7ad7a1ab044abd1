"""Faults of artifact that are not a codec's: ringing, moire, banding, ghosts, combing.

Compression artifact and blocking come from real codecs: see codecs.py.
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage, Outcome, Parameter, ramp
from finevq.datasets.degradations.visibility import middle_frame, visibility

_Frame: TypeAlias = npt.NDArray[np.uint8]
_TYPICAL_DIFFERENCES = {
    "sharpened": (0.0, 7.7, 15.3, 25.8, 39.1),
    "ripples": (0.0, 4.7, 8.9, 15.1, 25.7),
    "moire": (0.0, 6.2, 12.2, 21.2, 35.5),
    "ghosting": (0.0, 3.1, 5.7, 8.8, 12.5),
    "combing": (0.0, 6.3, 9.8, 11.9, 14.1),
    "chroma shift": (0.0, 7.1, 11.1, 14.5, 18.5),
}
"""What these do to a typical photograph, see `visibility`; measured by `dev/typical_differences.py`
on Debian's wallpapers. Banding is as large everywhere."""


def ringing(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Draw halos along edges: over-sharpening, or the ripples of a cut-off spectrum.

    Source: halos are unsharp masking with too much gain (Gonzalez and Woods, 3.6); ripples are
    the Gibbs phenomenon of a sharp low-pass, made here by a windowless sinc filter with gain.
    """
    kind = str(rng.choice(["sharpened", "ripples"]))
    unit = max(1.0, footage.short_side / 480.0)
    before = middle_frame(footage)
    parameters: dict[str, Parameter]
    if kind == "sharpened":
        gain = ramp(severity, 0.0, 1.0, 2.2, 4.2, 8.0)
        sigma = float(rng.uniform(1.0, 2.0)) * unit
        for frame in footage.frames:
            soft = cv2.GaussianBlur(frame, (0, 0), sigma)
            cv2.addWeighted(frame, 1.0 + gain, soft, -gain, 0.0, dst=frame)
        parameters = {"sigma_pixels": round(sigma, 2)}
    else:
        cutoff = float(rng.uniform(0.16, 0.26)) / unit
        gain = ramp(severity, 0.0, 0.9, 1.8, 3.0, 5.0)
        kernel = _ripple_kernel(cutoff, gain, blend=min(1.0, 3.0 * severity))
        for frame in footage.frames:
            cv2.sepFilter2D(frame, -1, kernel, kernel, dst=frame)
        parameters = {"cutoff_cycles_per_pixel": round(cutoff, 3)}
    shown = visibility(before, footage, severity, _TYPICAL_DIFFERENCES[kind])
    return Outcome(footage, {"kind": kind, "gain": round(gain, 3), **parameters}, visibility=shown)


def _ripple_kernel(cutoff: float, gain: float, blend: float) -> npt.NDArray[np.float32]:
    """Return a one-dimensional filter: identity + gain x (sinc - gaussian of the same width)."""
    half = int(np.ceil(3.5 / cutoff))
    offsets = np.arange(-half, half + 1)
    sinc = np.sinc(2 * cutoff * offsets)
    smooth = np.exp(-0.5 * (offsets * cutoff * 2.2) ** 2)
    sinc, smooth = sinc / sinc.sum(), smooth / smooth.sum()
    pulse = (offsets == 0).astype(np.float64)
    taps = (1 - 0.65 * blend) * pulse + 0.65 * blend * sinc + 0.5 * gain * (sinc - smooth)
    kernel: npt.NDArray[np.float32] = (taps / taps.sum()).astype(np.float32)
    return kernel


def moire(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Overlay the beat of two gratings: a screen filmed by a camera, with colored fringes.

    Source: superposition of gratings, Amidror, "The Theory of the Moire Phenomenon", ch. 2: the
    product of two gratings of nearly equal frequency holds a slow wave of their difference. The
    gratings are bent a little (lens, perspective) and shifted per color channel (subpixels), and
    stay with the scene's screen while the camera drifts.
    """
    depth = ramp(severity, 0.0, 0.09, 0.18, 0.32, 0.55)
    unit = footage.short_side / 480.0
    frequency = float(rng.uniform(0.28, 0.42)) / max(1.0, unit)
    detune, angle = float(rng.uniform(0.015, 0.05)) / unit, float(rng.uniform(0, np.pi))
    drift = rng.normal(0, 1.2, 2)
    y, x = np.mgrid[0 : footage.height, 0 : footage.width].astype(np.float32)
    bend = float(rng.uniform(2.0, 7.0)) * unit
    x = x + bend * np.sin(2 * np.pi * y / footage.height * rng.uniform(0.6, 1.6))
    y = y + bend * np.sin(2 * np.pi * x / footage.width * rng.uniform(0.6, 1.6))
    along = (x * np.cos(angle) + y * np.sin(angle)).astype(np.float32)
    other = (x * np.cos(angle + 0.06) + y * np.sin(angle + 0.06)).astype(np.float32)
    spread = float(rng.uniform(0.3, 1.3))
    before = middle_frame(footage)
    num_phases = 8
    patterns = [
        _beat(along, other, frequency, detune, spread, phase * 2 * np.pi / num_phases, depth)
        for phase in range(num_phases)
    ]
    speed = float(np.hypot(*drift)) * 1.5
    for index, frame in enumerate(footage.frames):
        pattern = patterns[int(index / footage.fps * speed * num_phases) % num_phases]
        cv2.multiply(frame, pattern, dst=frame, scale=1.0, dtype=cv2.CV_8U)
    parameters: dict[str, Parameter] = {
        "depth": round(depth, 3),
        "frequency_cycles_per_pixel": round(frequency, 3),
        "detune_cycles_per_pixel": round(detune, 4),
    }
    shown = visibility(before, footage, severity, _TYPICAL_DIFFERENCES["moire"])
    return Outcome(footage, parameters, visibility=shown)


def _beat(
    along: npt.NDArray[np.float32],
    other: npt.NDArray[np.float32],
    frequency: float,
    detune: float,
    spread: float,
    phase: float,
    depth: float,
) -> npt.NDArray[np.float32]:
    """Return (H, W, 3) factors around 1: grating x grating, phases apart per channel."""
    first = np.cos(2 * np.pi * frequency * along)
    planes = []
    for channel in range(3):
        shift = phase + spread * (channel - 1)
        second = np.cos(2 * np.pi * (frequency + detune) * other + shift)
        planes.append(1.0 + depth * (first * second + 0.15 * first))
    factors: npt.NDArray[np.float32] = np.stack(planes, axis=-1).astype(np.float32)
    return factors


def other_artifact(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Break the picture in a way of its own: banding, ghosting, combing or chroma misplacement.

    Other artifact means here: banding (too few code values), ghosting (a delayed, shifted copy:
    analog reception, bad frame blending), combing (fields of two times woven into one frame) or
    chroma shift (colour planes displaced against luma).
    """
    kind = str(rng.choice(["banding", "ghosting", "combing", "chroma shift"]))
    apply = {
        "banding": _banding,
        "ghosting": _ghosting,
        "combing": _combing,
        "chroma shift": _chroma_shift,
    }[kind]
    before = middle_frame(footage)
    parameters = apply(footage, severity, rng)
    typical = _TYPICAL_DIFFERENCES.get(kind)
    shown = visibility(before, footage, severity, typical) if typical else 1.0
    return Outcome(footage, {"kind": kind, **parameters}, visibility=shown)


def _banding(footage: Footage, severity: float, rng: np.random.Generator) -> dict[str, Parameter]:
    levels = round(ramp(severity, 64, 22, 13, 8, 4))
    codes = np.arange(256) / 255.0
    table = np.rint(np.rint(codes * (levels - 1)) / (levels - 1) * 255).astype(np.uint8)
    for frame in footage.frames:
        cv2.LUT(frame, table, dst=frame)
    return {"levels": levels}


def _ghosting(footage: Footage, severity: float, rng: np.random.Generator) -> dict[str, Parameter]:
    weight = ramp(severity, 0.0, 0.12, 0.22, 0.34, 0.48)
    shift = rng.uniform(0.012, 0.05) * footage.short_side * rng.choice([-1, 1])
    rise = rng.normal(0, 0.006) * footage.short_side
    matrix = np.array([[1.0, 0.0, shift], [0.0, 1.0, rise]])
    size = (footage.width, footage.height)
    for frame in footage.frames:
        ghost = cv2.warpAffine(frame, matrix, size, borderMode=cv2.BORDER_REPLICATE)
        cv2.addWeighted(frame, 1.0 - weight, ghost, weight, 0.0, dst=frame)
    return {"weight": round(weight, 3), "shift_pixels": round(float(shift), 2)}


def _combing(footage: Footage, severity: float, rng: np.random.Generator) -> dict[str, Parameter]:
    """Weave every other line from another time; where little moves, from a shifted copy."""
    shift = round(ramp(severity, 0, 1.2, 2.6, 5, 10) * max(1.0, footage.short_side / 480))
    lines = max(1, round(footage.short_side / 480))
    odd = (np.arange(footage.height) // lines) % 2 == 1
    sway = rng.uniform(0, 2 * np.pi)
    for index, frame in enumerate(footage.frames):
        swing = 0.75 + 0.25 * np.sin(2 * np.pi * 0.8 * index / footage.fps + sway)
        frame[odd] = np.roll(frame[odd], round(shift * swing), axis=1)
    return {"shift_pixels": shift, "lines": lines}


def _chroma_shift(
    footage: Footage, severity: float, rng: np.random.Generator
) -> dict[str, Parameter]:
    shift = ramp(severity, 0.0, 0.0022, 0.0048, 0.009, 0.017) * footage.short_side
    angle = rng.uniform(0, 2 * np.pi)
    dx, dy = shift * np.cos(angle), shift * np.sin(angle)
    size = (footage.width, footage.height)
    for frame in footage.frames:
        for channel, sign in ((0, 1.0), (2, -1.0)):
            matrix = np.array([[1.0, 0.0, sign * dx], [0.0, 1.0, sign * dy]])
            plane = np.ascontiguousarray(frame[..., channel])
            frame[..., channel] = cv2.warpAffine(
                plane, matrix, size, borderMode=cv2.BORDER_REPLICATE
            )
    return {"shift_pixels": round(shift, 2)}
