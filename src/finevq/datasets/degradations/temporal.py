"""Faults of time: shake, stutter, flicker, and frames shown in the wrong order or rhythm.

Shake and stutter move frames about without changing what a frame looks like, so a full-reference
metric of the picture must compare with a reference that moved the same way (`MOVES_FRAMES`).
"""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.camera import filtered_noise
from finevq.datasets.degradations.footage import Footage, Frames, Outcome, Parameter, ramp

SHAKE_MARGIN = 0.09
"""Share of each side that a source delivers beyond the frame when shake will crop it away."""

_Floats: TypeAlias = npt.NDArray[np.float64]


def shake(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Hold the camera badly: a smooth random path of 1.5-7 Hz through a larger picture.

    Expects frames with `SHAKE_MARGIN` more on every side, and crops it. Source: measured hand
    tremor and walking shake lie between 1 and 10 Hz with falling power (ISO 20954-1,
    Annex on vibration waveforms for image stabilisation measurement).
    """
    height, width = (_without_margin(v) for v in footage.frames.shape[1:3])
    num_frames = len(footage.frames)
    amplitude = ramp(severity, 0.0, 0.004, 0.010, 0.021, 0.038) * min(height, width)
    center_hz = float(rng.uniform(1.8, 5.5))
    shift = np.stack(
        [filtered_noise(num_frames, footage.fps, center_hz, rng) for _ in range(2)]
    ) * np.array([[amplitude], [amplitude * rng.uniform(0.7, 1.3)]])
    turn = filtered_noise(num_frames, footage.fps, center_hz, rng)
    turn = turn * np.deg2rad(ramp(severity, 0.0, 0.15, 0.35, 0.8, 1.6))
    limit = 0.95 * SHAKE_MARGIN * min(height, width)
    shift = limit * np.tanh(shift / limit)
    shaken = np.empty((num_frames, height, width, 3), np.uint8)
    for index, frame in enumerate(footage.frames):
        matrix = _crop_matrix(footage, height, width, shift[:, index], float(turn[index]))
        cv2.warpAffine(
            frame,
            matrix,
            (width, height),
            dst=shaken[index],
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
    parameters: dict[str, Parameter] = {
        "amplitude_pixels": round(amplitude, 2),
        "center_hertz": round(center_hz, 2),
    }
    return Outcome(footage.with_frames(shaken), parameters)


def _without_margin(pixels: int) -> int:
    return round(pixels / (1 + 2 * SHAKE_MARGIN) / 2) * 2


def _crop_matrix(footage: Footage, height: int, width: int, shift: _Floats, turn: float) -> _Floats:
    cos, sin = np.cos(turn), np.sin(turn)
    matrix = np.array([[cos, -sin, 0.0], [sin, cos, 0.0]])
    middle = np.array([footage.width / 2, footage.height / 2]) - 0.5 + shift
    matrix[:, 2] = middle - matrix[:, :2] @ (np.array([width / 2, height / 2]) - 0.5)
    return matrix


def stutter(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Drop frames and repeat others: freezes at random moments, or a steadily lower rate.

    A freeze holds one frame and then jumps to where the clip would be (late frames are dropped).
    Source: the skipping model of ITU-T P.1204/J.247 conditions (frame freezing with skipping).
    """
    num_frames = len(footage.frames)
    kind = str(rng.choice(["freezes", "low rate"], p=[0.7, 0.3]))
    if kind == "low rate":
        shown_fps = ramp(severity, footage.fps, 14.0, 9.0, 5.5, 3.0)
        hold = max(2, round(footage.fps / min(shown_fps, footage.fps / 2)))
        order = np.arange(num_frames) // hold * hold
        return _reordered(footage, order, {"kind": kind, "hold_frames": hold})
    frozen_share = ramp(severity, 0.0, 0.15, 0.30, 0.48, 0.68)
    longest = ramp(severity, 0.1, 0.18, 0.32, 0.55, 0.9) * footage.fps
    order = np.arange(num_frames)
    frozen = 0
    for _ in range(200):
        if frozen >= frozen_share * num_frames:
            break
        length = int(max(2, round(rng.uniform(0.4, 1.0) * longest)))
        start = int(rng.integers(1, max(2, num_frames - length)))
        before = int((np.diff(order) == 0).sum())
        order[start : start + length] = order[start - 1]
        frozen = int((np.diff(order) == 0).sum())
        if frozen == before and frozen_share * num_frames - frozen < 2:
            break
    order = np.maximum.accumulate(order)
    parameters: dict[str, Parameter] = {
        "kind": kind,
        "frozen_share": round(frozen / num_frames, 3),
        "longest_seconds": round(longest / footage.fps, 3),
    }
    return _reordered(footage, order, parameters)


def _reordered(
    footage: Footage, order: npt.NDArray[np.int64], parameters: dict[str, Parameter]
) -> Outcome:
    visibility = float(np.clip(_mean_step(footage.frames) / _VISIBLE_STEP, 0.1, 1.0))
    return Outcome(footage.with_frames(footage.frames[order]), parameters, visibility=visibility)


_VISIBLE_STEP = 1.5
"""Mean difference of neighbouring frames (codes of green) from which a lost frame is seen."""


def _mean_step(frames: Frames) -> float:
    """Return how much neighbouring frames differ on average, in codes, on a coarse grid."""
    coarse = frames[:, ::4, ::4, 1].astype(np.int16)
    return float(np.abs(np.diff(coarse, axis=0)).mean()) if len(frames) > 1 else 0.0


def flicker(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Let brightness jump from frame to frame: beating mains light, old film, bands that roll.

    Source: the alias of 100/120 Hz lamp light with the frame rate (IEEE 1789-2015, percent
    flicker); with a rolling shutter the gain varies along the rows too.
    """
    depth = ramp(severity, 0.0, 0.06, 0.13, 0.25, 0.45)
    num_frames = len(footage.frames)
    time = np.arange(num_frames) / footage.fps
    kind = str(rng.choice(["periodic", "random", "rolling"], p=[0.4, 0.35, 0.25]))
    fastest = min(12.0, footage.fps / 2.2)
    hertz = float(rng.uniform(min(4.0, fastest), fastest))
    parameters: dict[str, Parameter] = {
        "kind": kind,
        "depth": round(depth, 3),
        "hertz": round(hertz, 2),
    }
    if kind == "rolling":
        return Outcome(_rolling_gain(footage, depth, hertz, rng), parameters)
    if kind == "periodic":
        wave = np.sin(2 * np.pi * hertz * time + rng.uniform(0, 2 * np.pi))
    else:
        wave = np.clip(rng.normal(0, 0.8, num_frames), -1.6, 1.6)
    return Outcome(_gained(footage, 1.0 + depth * wave), parameters)


def _gained(footage: Footage, gains: _Floats) -> Footage:
    codes = np.arange(256, dtype=np.float64)
    for frame, gain in zip(footage.frames, gains, strict=True):
        table = np.clip(np.rint(codes * gain), 0, 255).astype(np.uint8)
        cv2.LUT(frame, table, dst=frame)
    return footage


def _rolling_gain(
    footage: Footage, depth: float, hertz: float, rng: np.random.Generator
) -> Footage:
    rows = np.arange(footage.height)[:, None] / footage.height
    bands = float(rng.uniform(0.8, 2.5))
    ones = np.ones((1, footage.width))
    for index, frame in enumerate(footage.frames):
        phase = 2 * np.pi * (bands * rows + hertz * index / footage.fps)
        plane = ((1.0 + depth * np.sin(phase)) * ones).astype(np.float32)
        cv2.multiply(frame, cv2.merge([plane, plane, plane]), dst=frame, dtype=cv2.CV_8U)
    return footage


def other_temporal(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Break the rhythm in a way of its own: judder, frames out of order, exposure pumping.

    Other temporal means here: judder (an uneven cadence as of a bad rate conversion: frames
    shown too long in turn with frames left out), order glitches (a frame or a few shown before
    their time) or pumping (auto exposure that swings slowly between two levels).
    """
    kind = str(rng.choice(["judder", "order", "pumping"], p=[0.3, 0.35, 0.35]))
    num_frames = len(footage.frames)
    if kind == "pumping":
        depth = ramp(severity, 0.0, 0.16, 0.3, 0.5, 0.8)
        hertz = float(rng.uniform(0.6, 1.6))
        wave = np.sin(
            2 * np.pi * hertz * np.arange(num_frames) / footage.fps + rng.uniform(0, 6.28)
        )
        footage = _gained(footage, np.exp2(1.3 * depth * wave))
        return Outcome(footage, {"kind": kind, "depth": round(depth, 3), "hertz": round(hertz, 2)})
    order = np.arange(num_frames)
    if kind == "judder":
        step = round(ramp(severity, 1, 2.5, 4, 6, 9) * footage.fps / 30)
        cadence = np.cumsum(rng.integers(1, 2 * max(1, step) + 1, num_frames))
        starts = np.concatenate([[0], cadence[cadence < num_frames]])
        order = starts[np.searchsorted(starts, order, side="right") - 1]
        return _reordered(footage, order, {"kind": kind, "mean_hold_frames": step + 0.5})
    per_second = ramp(severity, 0.0, 1.0, 2.2, 4.5, 8.0)
    reach = max(2, round(ramp(severity, 2, 3, 5, 7, 10) * footage.fps / 30))
    glitches = max(1, round(per_second * num_frames / footage.fps))
    for at in rng.integers(0, max(1, num_frames - 2), glitches):
        jump = int(rng.integers(2, reach + 1)) * int(rng.choice([-1, 1]))
        length = int(rng.integers(1, 3))
        order[at : at + length] = np.clip(
            np.arange(at, min(at + length, num_frames)) + jump, 0, num_frames - 1
        )
    return _reordered(footage, order, {"kind": kind, "glitches": glitches, "reach_frames": reach})


MOVES_FRAMES = frozenset({"shake", "stutter", "other temporal"})
"""Attributes whose fault changes where or when a picture is shown, not (only) how it looks."""

__all__ = [
    "MOVES_FRAMES",
    "SHAKE_MARGIN",
    "Frames",
    "flicker",
    "other_temporal",
    "shake",
    "stutter",
]
