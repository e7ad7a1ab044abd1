"""Real codecs at low rates, in process: compression artifact, blocking, compression blur.

Encoders of PyAV's FFmpeg, one thread each so that the same input gives the same bytes. What a
codec breaks depends on the codec: MPEG-4 and MJPEG (and H.264 without its loop filter) show their
block grid, H.264 shows a mix, and H.265, VP9 and AV1 smooth detail away. The attribute decides
which codecs are drawn; what else the codec does is reported as side effects.
"""

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import cast

import av
import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Footage, Frames, Parameter, ramp


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """One trip through an encoder."""

    codec: str
    """FFmpeg's encoder name."""
    quality: float
    """CRF (x264, x265, VP9, AV1) or quantiser scale (MPEG-4, MJPEG); higher is worse."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Further private options of the encoder."""
    scale: float = 1.0
    """Size while encoded, as a share of the clip's; the decoded frames are scaled back."""
    pixel_format: str = "yuv420p"

    @property
    def is_deliverable(self) -> bool:
        """Whether the stream itself can be the final file."""
        return self.scale == 1.0


NEAR_LOSSLESS = Encoding(codec="libx264", quality=12, options={"preset": "ultrafast"})
"""Carries frames whose faults are already in the pixels."""


def delivery_severity(crf: float) -> float:
    """Return how much compression artifact H.264 at that CRF is: 0 up to 18, slight at 31.

    >>> delivery_severity(12), delivery_severity(24.5)
    (0.0, 0.125)
    """
    clear, slight = _QUALITY_ANCHORS["libx264"][:2]
    return max(0.0, 0.25 * (crf - clear) / (slight - clear))


_QUALITY_ANCHORS: Mapping[str, tuple[float, ...]] = {
    "libx264": (18, 31, 37, 43, 50),
    "libx265": (18, 31, 37, 43, 49),
    "libvpx-vp9": (25, 54, 62, 63, 63),
    "libsvtav1": (30, 58, 63, 63, 63),
    "mpeg4": (2, 12, 24, 28, 31),
    "mjpeg": (2, 18, 26, 30, 31),
}
"""Quality at severity 0, 1/4, 1/2, 3/4, 1.

Chosen, with `_SCALE_ANCHORS`, so that the mean VMAF over test clips is about 82, 62, 40 and 20 at
1/4, 1/2, 3/4 and 1: docs/synthesis.md has the measurement.
"""

_SCALE_ANCHORS: Mapping[str, tuple[float, ...]] = {
    "libvpx-vp9": (1, 1, 0.9, 0.55, 0.36),
    "libsvtav1": (1, 1, 0.9, 0.55, 0.36),
    "mpeg4": (1, 1, 0.85, 0.6, 0.42),
    "mjpeg": (1, 0.9, 0.7, 0.5, 0.34),
}
"""Encoded size at the same severities, where a codec's own worst quality is not bad enough."""

_BASE_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "superfast"},
    "libx265": {
        "preset": "ultrafast",
        "x265-params": "pools=none:frame-threads=1:log-level=none",
    },
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "0"},
    "libsvtav1": {"preset": "12", "svtav1-params": "lp=1"},
    "mpeg4": {},
    "mjpeg": {},
}


_BT601, _LIMITED_RANGE, _FULL_RANGE = 6, 1, 2
"""FFmpeg's codes AVCOL_SPC_SMPTE170M, AVCOL_RANGE_MPEG and AVCOL_RANGE_JPEG: what we convert to."""

_SMALLEST_SIDES: Mapping[str, int] = {"libsvtav1": 64, "libvpx-vp9": 64, "libx265": 64}
"""Pixels below which an encoder refuses the frame, or aborts the process (SVT-AV1)."""


@dataclass(frozen=True, slots=True)
class CompressionPlan:
    """Which encodings a fault of compression runs, and what it does to the labels."""

    encodings: tuple[Encoding, ...]
    parameters: Mapping[str, Parameter]
    side_effects: Mapping[str, float]


def compression_artifact(
    footage: Footage, severity: float, rng: np.random.Generator
) -> CompressionPlan:
    """Compress too hard with a common codec; sometimes twice, or through a smaller size.

    Source: the re-encoding chains of sharing platforms (upload transcode plus rendition ladder).
    """
    codec = str(rng.choice(["libx264", "mpeg4", "libx265", "mjpeg"], p=[0.6, 0.15, 0.15, 0.1]))
    last = encoding_of(codec, severity)
    route = str(rng.choice(["once", "twice", "ladder"], p=[0.65, 0.2, 0.15]))
    encodings: tuple[Encoding, ...] = (last,)
    effects = {"compression blur": (0.35 if codec != "libx265" else 0.6) * severity}
    if codec in {"mpeg4", "mjpeg"}:
        effects["blocking"] = 0.6 * severity
    if route == "twice":
        first = encoding_of(str(rng.choice(["libx264", "mpeg4"])), 0.8 * severity)
        encodings = (first, last)
    elif route == "ladder":
        scale = ramp(severity, 0.9, 0.75, 0.6, 0.5, 0.4)
        encodings = (replace(encoding_of("libx264", 0.7 * severity), scale=scale), last)
        effects["resolution blur"] = 0.5 * severity
    return _plan(encodings, effects, {"route": route})


def compression_blur(
    footage: Footage, severity: float, rng: np.random.Generator
) -> CompressionPlan:
    """Compress with a codec whose filters turn lost detail into smoothness: VP9, AV1, H.265."""
    codec = str(rng.choice(["libvpx-vp9", "libsvtav1", "libx265"], p=[0.4, 0.3, 0.3]))
    effects = {"compression artifact": 0.45 * severity}
    return _plan((encoding_of(codec, severity),), effects, {})


def blocking(footage: Footage, severity: float, rng: np.random.Generator) -> CompressionPlan:
    """Show the codec's block grid: MPEG-4, MJPEG or H.264 without its loop filter.

    Blocks are 8 or 16 pixels whatever the frame size, so large frames are encoded smaller.
    """
    codec = str(rng.choice(["mpeg4", "mjpeg", "libx264"], p=[0.4, 0.35, 0.25]))
    encoding = encoding_of(codec, min(1.0, 0.2 + 0.8 * severity))
    if codec == "libx264":
        options = {**encoding.options, "x264-params": "no-deblock=1:cabac=0"}
        encoding = replace(encoding, options=options)
    fitting = ramp(severity, 720, 560, 400, 280, 190) / footage.short_side
    if fitting < 0.9:
        encoding = replace(encoding, scale=round(min(fitting, encoding.scale), 3))
    effects = {"compression artifact": 0.75 * severity, "compression blur": 0.3 * severity}
    if encoding.scale < 1:
        effects["resolution blur"] = 0.4 * severity
    return _plan((encoding,), effects, {})


def encoding_of(codec: str, severity: float) -> Encoding:
    """Return an encoder's settings that look about as bad as a severity says."""
    quality = ramp(severity, *_QUALITY_ANCHORS[codec])
    scale = ramp(severity, *_SCALE_ANCHORS.get(codec, (1.0,)))
    return Encoding(
        codec=codec,
        quality=round(quality, 1),
        options=dict(_BASE_OPTIONS[codec]),
        scale=round(scale, 3) if scale < 0.95 else 1.0,
    )


def _plan(
    encodings: tuple[Encoding, ...],
    effects: Mapping[str, float],
    parameters: Mapping[str, Parameter],
) -> CompressionPlan:
    described: dict[str, Parameter] = dict(parameters)
    described["codecs"] = "+".join(encoding.codec for encoding in encodings)
    described["qualities"] = "+".join(f"{encoding.quality:g}" for encoding in encodings)
    described["scales"] = "+".join(f"{encoding.scale:g}" for encoding in encodings)
    return CompressionPlan(encodings, described, effects)


def encode(footage: Footage, encoding: Encoding) -> bytes:
    """Encode frames to an MP4 file in memory.

    Args:
        footage: Frames with even height and width.
        encoding: Codec and quality; its `scale` shrinks the frames first.

    Returns:
        The file's bytes; equal inputs give equal bytes.
    """
    smallest = _SMALLEST_SIDES.get(encoding.codec, 16)
    width = max(smallest, round(footage.width * encoding.scale / 2) * 2)
    height = max(smallest, round(footage.height * encoding.scale / 2) * 2)
    policy = os.sched_getscheduler(0) if encoding.codec == "libsvtav1" else None
    try:
        return _encoded(footage, encoding, (width, height))
    finally:
        if policy is not None:
            # As root, SVT-AV1 raises its caller to the highest realtime priority and leaves it so.
            os.sched_setscheduler(0, policy, os.sched_param(0))


def _encoded(footage: Footage, encoding: Encoding, size: tuple[int, int]) -> bytes:
    width, height = size
    buffer = io.BytesIO()
    rate = Fraction(footage.fps).limit_denominator(1001)
    with av.open(buffer, "w", format="mp4") as container:
        stream = cast(av.VideoStream, container.add_stream(encoding.codec, rate=rate))
        stream.width, stream.height = width, height
        is_mjpeg = encoding.codec == "mjpeg"
        stream.pix_fmt = "yuvj420p" if is_mjpeg else encoding.pixel_format
        context = stream.codec_context
        context.thread_count = 1
        context.options = _rate_options(encoding)
        if encoding.codec in {"mpeg4", "mjpeg"}:
            context.qmin = context.qmax = round(encoding.quality)
            context.bit_rate = 2_000_000_000
        context.gop_size = max(12, round(2 * footage.fps))
        context.colorspace = _BT601
        context.color_range = _FULL_RANGE if is_mjpeg else _LIMITED_RANGE
        for pixels in footage.frames:
            frame = av.VideoFrame.from_ndarray(_resized(pixels, (width, height)), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _rate_options(encoding: Encoding) -> dict[str, str]:
    options = dict(encoding.options)
    if encoding.codec not in {"mpeg4", "mjpeg"}:
        options["crf"] = f"{encoding.quality:g}"
    if encoding.codec in {"libvpx-vp9", "libsvtav1"}:
        options["crf"] = f"{round(encoding.quality)}"
    return options


def decode(data: bytes, size: tuple[int, int]) -> Frames:
    """Decode a file made by `encode` to frames of (width, height), scaled up where needed."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        decoded = (frame.to_ndarray(format="rgb24") for frame in container.decode(stream))
        return np.stack([_resized(np.asarray(pixels, np.uint8), size) for pixels in decoded])


def _resized(pixels: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Scale to (width, height): area-averaged down, bicubic up."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    filter_ = cv2.INTER_AREA if size[0] < width else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=filter_), np.uint8)
