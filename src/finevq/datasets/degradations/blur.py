"""Faults of blur: resolution, defocus, motion, exposure, gaussian, and the odd ones.

Radii are relative to the frame's shorter side, as a viewer sees every clip at the same size.
Compression blur is a matter of codecs: see codecs.py.
"""

from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage, Frames, Outcome, Parameter, ramp

_Frame: TypeAlias = npt.NDArray[np.uint8]


def gaussian_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Convolve with a gaussian, as a soft lens, a diffusion filter or a bad scaler does."""
    sigma = max(0.05, ramp(severity, 0.0, 0.0016, 0.0034, 0.0064, 0.0125) * footage.short_side)
    for frame in footage.frames:
        cv2.GaussianBlur(frame, (0, 0), sigma, dst=frame)
    return Outcome(footage, {"sigma_pixels": round(sigma, 3)})


def camera_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Put the lens out of focus: convolution with the aperture's disk, steady or hunting.

    Source: geometrical optics: a point out of focus spreads to a uniform disk, the circle of
    confusion (Hecht, "Optics", 6.4); blades make it a polygon. A hunting lens swings the radius.
    """
    radius = ramp(severity, 0.0, 0.0032, 0.0066, 0.0125, 0.024) * footage.short_side
    hunts = bool(rng.random() < 0.25)
    blades = int(rng.choice([0, 0, 5, 6]))
    num_frames = len(footage.frames)
    swing = np.ones(num_frames)
    if hunts:
        phase, rate = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.0)
        swing = 1.0 + 0.35 * np.sin(2 * np.pi * rate * np.arange(num_frames) / footage.fps + phase)
    kernels: dict[float, npt.NDArray[np.float32]] = {}
    for frame, factor in zip(footage.frames, swing, strict=True):
        size = round(radius * factor * 4) / 4
        if size not in kernels:
            kernels[size] = disk_kernel(size, blades)
        _convolve(frame, kernels[size])
    return Outcome(footage, {"radius_pixels": round(radius, 3), "hunting": hunts, "blades": blades})


def disk_kernel(radius: float, blades: int = 0) -> npt.NDArray[np.float32]:
    """Return a normalised disk (or regular polygon) of that radius, edges antialiased.

    Args:
        radius: Pixels, may be fractional; 0 gives the identity.
        blades: Sides of the polygon; 0 for a round aperture.
    """
    half = int(np.ceil(radius))
    steps = np.linspace(-half - 0.5, half + 0.5, (2 * half + 1) * 8 + 1)
    centers = (steps[:-1] + steps[1:]) / 2
    y, x = np.meshgrid(centers, centers, indexing="ij")
    limit = np.full(x.shape, max(radius, 0.05) + 0.25)
    if blades:
        angle = np.mod(np.arctan2(y, x), 2 * np.pi / blades) - np.pi / blades
        limit = limit * np.cos(np.pi / blades) / np.cos(angle) * 1.08
    inside = (np.hypot(x, y) <= limit).astype(np.float64)
    size = 2 * half + 1
    kernel = inside.reshape(size, 8, size, 8).sum(axis=(1, 3))
    normalised: npt.NDArray[np.float32] = (kernel / kernel.sum()).astype(np.float32)
    return normalised


def _convolve(frame: _Frame, kernel: npt.NDArray[np.float32]) -> None:
    """Convolve in place; wide kernels at half size, where the picture has nothing to lose."""
    if kernel.shape[0] >= 15:
        small = cv2.resize(frame, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        shrunk = cv2.resize(kernel, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        size = shrunk.shape[0] | 1
        shrunk = cv2.resize(kernel, (size, size), interpolation=cv2.INTER_AREA)
        cv2.filter2D(small, -1, shrunk / shrunk.sum(), dst=small)
        cv2.resize(
            small, (frame.shape[1], frame.shape[0]), dst=frame, interpolation=cv2.INTER_LINEAR
        )
    else:
        cv2.filter2D(frame, -1, kernel, dst=frame)


def resolution_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Scale down and up again: a small video shown large, with the usual interpolators."""
    factor = ramp(severity, 1.0, 0.55, 0.35, 0.23, 0.14)
    size = (max(16, round(footage.width * factor)), max(16, round(footage.height * factor)))
    down = cv2.INTER_AREA if rng.random() < 0.8 else cv2.INTER_LINEAR
    name = str(rng.choice(["bilinear", "bicubic", "lanczos", "nearest"], p=[0.4, 0.4, 0.12, 0.08]))
    up = {
        "bilinear": cv2.INTER_LINEAR,
        "bicubic": cv2.INTER_CUBIC,
        "lanczos": cv2.INTER_LANCZOS4,
        "nearest": cv2.INTER_NEAREST,
    }[name]
    full = (footage.width, footage.height)
    for frame in footage.frames:
        cv2.resize(cv2.resize(frame, size, interpolation=down), full, dst=frame, interpolation=up)
    effects = {"blocking": 0.7 * severity} if name == "nearest" else {}
    return Outcome(footage, {"factor": round(factor, 4), "upscaler": name}, effects)


def motion_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Keep the shutter open: smear each frame along the motion that the clip really has there.

    The global motion between frames (translation, rotation, zoom) is fitted to a dense flow at
    low resolution; the exposure integral along it is a mean of 2^n warps, built in n halving
    steps. A clip that hardly moves gets a steady pan direction instead.
    Source: exposure integral of a moving scene, Potmesil and Chakravarty, "Modeling motion blur
    in computer-generated images" (SIGGRAPH 1983); flow: DIS (Kroeger et al., ECCV 2016).
    """
    length = ramp(severity, 0.0, 0.008, 0.018, 0.034, 0.062) * footage.short_side
    motions = _global_motions(footage.frames)
    speed = np.hypot(motions[:, 0, 2], motions[:, 1, 2])
    direction = rng.uniform(0, 2 * np.pi)
    mean_speed = float(speed.mean())
    for frame, motion in zip(footage.frames, motions, strict=True):
        travel = _exposure_travel(motion, mean_speed, length, direction)
        _smear(frame, travel, length)
    parameters: dict[str, Parameter] = {
        "length_pixels": round(length, 2),
        "clip_speed_pixels": round(mean_speed, 3),
    }
    return Outcome(footage, parameters)


def _global_motions(frames: Frames) -> npt.NDArray[np.float64]:
    """Return (T, 2, 3) similarity motions to the next frame, minus identity, in pixels."""
    scale = 96.0 / min(frames.shape[1:3])
    flow_of = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    small = [
        cv2.resize(f[..., 1], None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        for f in frames
    ]
    height, width = small[0].shape
    y, x = np.mgrid[0:height:4, 0:width:4].astype(np.float64)
    x, y = (x - x.mean()).ravel(), (y - y.mean()).ravel()
    radius = float((x**2 + y**2).sum())
    motions = np.zeros((len(frames), 2, 3))
    for index, (now, then) in enumerate(pairwise(small)):
        flow = flow_of.calc(now, then, None)[::4, ::4].reshape(-1, 2).astype(np.float64)
        shift = np.median(flow, axis=0)
        u, v = (flow - shift).T
        zoom = float((x * u + y * v).sum()) / radius
        turn = float((x * v - y * u).sum()) / radius
        motions[index] = [[zoom, -turn, shift[0] / scale], [turn, zoom, shift[1] / scale]]
    if len(frames) > 1:
        motions[-1] = motions[-2]
    return motions


def _exposure_travel(
    motion: npt.NDArray[np.float64], mean_speed: float, length: float, direction: float
) -> npt.NDArray[np.float64]:
    """Scale one frame's motion so that the clip's mean smear has the wanted length."""
    if mean_speed < 0.35:
        travel = np.zeros((2, 3))
        travel[:, 2] = length * np.cos(direction), length * np.sin(direction)
        return travel
    speed = float(np.hypot(motion[0, 2], motion[1, 2]))
    gain = length / mean_speed
    # Still and very fast moments of a clip both keep a visible, finite smear.
    wanted = float(np.clip(speed * gain, 0.55 * length, 1.6 * length))
    travel = motion * min(wanted / max(speed, 1e-6), 60.0)
    travel[:, :2] = np.clip(travel[:, :2], -0.06, 0.06)
    return travel


def _smear(frame: _Frame, travel: npt.NDArray[np.float64], length: float) -> None:
    """Average the frame along `travel`, in halving steps: 2^n samples cost n warps.

    Every step takes the mean of the picture and of its copy moved by half, a quarter, ... of the
    way. The first step goes forth and all others back, so the smear is centred on the picture.
    """
    height, width = frame.shape[:2]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    steps = int(np.clip(np.ceil(np.log2(max(length, 1.0))), 2, 5))
    moved = np.empty_like(frame)
    for step in range(1, steps + 1):
        matrix = travel * (0.5**step if step == 1 else -(0.5**step))
        matrix[:, 2] -= matrix[:, :2] @ center
        matrix[0, 0] += 1.0
        matrix[1, 1] += 1.0
        cv2.warpAffine(
            frame,
            matrix,
            (width, height),
            dst=moved,
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        cv2.addWeighted(frame, 0.5, moved, 0.5, 0.0, dst=frame)


def exposure_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Let highlights bleed: glare and bloom wash detail out around what is too bright.

    Exposure blur means here the blur that wrong exposure brings: light of clipped areas spreads
    (veiling glare of the lens, charge bloom of the sensor) and long exposure mixes neighbouring
    frames. Source: the spread function of veiling glare as a wide gaussian mixture, McCann and
    Rizzi, "The Art and Science of HDR Imaging" (2011), ch. 4.
    """
    strength = ramp(severity, 0.0, 0.35, 0.7, 1.1, 1.7)
    soften = ramp(severity, 0.0, 0.0012, 0.0026, 0.005, 0.009) * footage.short_side
    threshold = 255.0 * ramp(severity, 0.8, 0.66, 0.55, 0.45, 0.35)
    codes = np.arange(256, dtype=np.float64)
    lights = np.clip((codes - threshold) / (255.0 - threshold), 0, 1) ** 1.5 * 255.0
    table = lights.astype(np.uint8)
    scale = 96.0 / footage.short_side
    small_size = (max(8, round(footage.width * scale)), max(8, round(footage.height * scale)))
    previous: _Frame | None = None
    trail = ramp(severity, 0.0, 0.15, 0.3, 0.42, 0.5)
    for frame in footage.frames:
        sharp = frame.copy()
        if previous is not None:
            cv2.addWeighted(frame, 1.0 - trail, previous, trail, 0.0, dst=frame)
        previous = sharp
        small = cv2.resize(frame, small_size, interpolation=cv2.INTER_AREA)
        light = cv2.LUT(small.max(axis=2), table)
        glow = cv2.multiply(small, cv2.merge([light, light, light]), scale=1 / 255.0)
        wide = cv2.GaussianBlur(glow, (0, 0), 9.0)
        glow = cv2.addWeighted(cv2.GaussianBlur(glow, (0, 0), 2.5), 0.6, wide, 0.6, 0.0)
        glow = cv2.resize(glow, (footage.width, footage.height), interpolation=cv2.INTER_LINEAR)
        if soften > 0.3:
            cv2.GaussianBlur(frame, (0, 0), soften, dst=frame)
        cv2.addWeighted(frame, 1.0, glow, strength, 0.0, dst=frame)
    return Outcome(
        footage,
        {"glare": round(strength, 3), "soften_pixels": round(soften, 3), "trail": round(trail, 3)},
        {"overexposure": 0.45 * severity},
    )


def other_blur(footage: Footage, severity: float, rng: np.random.Generator) -> Outcome:
    """Blur unevenly: sharp centre and soft rim, zoom smear, a greasy lens, or watercolor.

    Other blur means here: radial softness (field curvature), zoom blur (focal length changed
    during exposure), a smudge on the lens, or the watercolor look of an over-strong denoiser.
    """
    kind = str(rng.choice(["radial", "zoom", "smudge", "watercolor"], p=[0.3, 0.25, 0.25, 0.2]))
    if kind == "zoom":
        return _zoom_blur(footage, severity)
    if kind == "watercolor":
        return _watercolor(footage, severity)
    sigma = max(0.05, ramp(severity, 0.0, 0.003, 0.0062, 0.011, 0.02) * footage.short_side)
    weight = _rim_weight(footage) if kind == "radial" else _smudge_weight(footage, rng)
    weight = cv2.merge([weight] * 3)
    for frame in footage.frames:
        soft = cv2.GaussianBlur(frame, (0, 0), sigma)
        difference = cv2.subtract(soft, frame, dtype=cv2.CV_32F)
        cv2.multiply(difference, weight, dst=difference)
        cv2.add(frame, difference, dst=frame, dtype=cv2.CV_8U)
    return Outcome(footage, {"kind": kind, "sigma_pixels": round(sigma, 3)})


def _rim_weight(footage: Footage) -> npt.NDArray[np.float32]:
    y = np.linspace(-1, 1, footage.height)[:, None]
    x = np.linspace(-1, 1, footage.width)[None, :]
    weight: npt.NDArray[np.float32] = np.clip((np.hypot(x, y) - 0.25) / 0.6, 0, 1).astype(
        np.float32
    )
    return weight


def _smudge_weight(footage: Footage, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    coarse = rng.random((4, 5)).astype(np.float32)
    size = (footage.width, footage.height)
    smooth = cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)
    weight: npt.NDArray[np.float32] = np.clip((smooth - 0.3) / 0.25, 0, 1).astype(np.float32)
    return weight


def _zoom_blur(footage: Footage, severity: float) -> Outcome:
    zoom = ramp(severity, 0.0, 0.03, 0.065, 0.12, 0.22)
    travel = np.zeros((2, 3))
    travel[0, 0] = travel[1, 1] = zoom
    for frame in footage.frames:
        _smear(frame, travel, zoom * footage.width / 2)
    return Outcome(footage, {"kind": "zoom", "zoom": round(zoom, 4)})


def _watercolor(footage: Footage, severity: float) -> Outcome:
    size = round(ramp(severity, 1, 2, 3.4, 5.5, 9) * footage.short_side / 480)
    aperture = 2 * max(1, size) + 1
    for frame in footage.frames:
        cv2.medianBlur(frame, aperture, dst=frame)
    return Outcome(footage, {"kind": "watercolor", "aperture_pixels": aperture})
