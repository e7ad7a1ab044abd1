"""Facts about clips, and playable copies of those that a browser cannot show.

One pass over all frames gives the facts: container, constant frame rate, spatial and temporal
information, colorfulness, brightness. Source: ITU-T P.910 (2008), section 5.3: SI is the largest
spatial standard deviation of the Sobel-filtered luma, TI that of the difference of frames.
"""

import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from finevq.errors import VideoDecodeError, VideoLimitError
from finevq.settings import Settings

PLAYABLE_CODECS = frozenset(["h264", "vp8", "vp9", "av1"])
PLAYABLE_PIXEL_FORMATS = frozenset(["yuv420p", "yuvj420p"])
PLAYABLE_SUFFIXES = frozenset([".mp4", ".m4v", ".webm"])
COPY_CRF = "8"
"""x264's quality of a transcoded copy: far below what the eye tells; the PSNR is measured."""
MAX_COPY_FPS = 120


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFacts:
    """What is measured of a clip."""

    codec: str
    pixel_format: str
    width: int
    """Pixels, as displayed."""
    height: int
    """Pixels, as displayed."""
    fps: float
    num_frames: int
    duration_seconds: float
    is_constant_rate: bool
    rotation_degrees: int
    """Clockwise turn that a player has to apply."""
    spatial_information: float
    temporal_information: float
    colorfulness: float
    """Mean over sampled frames. Source: Hasler and Suesstrunk, 2003."""
    brightness: float
    """Mean luma, 0..255."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)

    @property
    def is_playable(self) -> bool:
        """Whether every current browser shows the stream as it is, at a constant rate."""
        return (
            self.codec in PLAYABLE_CODECS
            and self.pixel_format in PLAYABLE_PIXEL_FORMATS
            and self.is_constant_rate
            and self.rotation_degrees == 0
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class PlayableCopy:
    """How a clip became playable."""

    path: Path
    how: str
    """copied, remuxed or transcoded."""
    psnr_db: float | None
    """Worst frame's luma PSNR of a transcoded copy against the original; None where not needed."""


def measure_clip(path: Path, settings: Settings) -> ClipFacts:
    """Decode a clip once and measure it.

    Raises:
        VideoDecodeError: no frame can be read.
        VideoLimitError: the clip is larger or longer than the settings allow.
    """
    measures = _Measures()
    times: list[int] = []
    try:
        with av.open(str(path)) as container:
            stream = _video_stream(container, path)
            _check_limits(stream, path, settings)
            codec, pixel_format = stream.codec_context.name, stream.codec_context.pix_fmt or ""
            time_base, rotation = stream.time_base or Fraction(1, 1000), 0
            for frame in container.decode(stream):
                if len(times) >= settings.max_frames:
                    raise VideoLimitError(f"{path} has more than {settings.max_frames} frames")
                times.append(frame.pts if frame.pts is not None else len(times))
                rotation = int(-frame.rotation) % 360
                measures.add(frame)
            rate = stream.average_rate or stream.guessed_rate
    except FFmpegError as error:
        if not times:
            raise VideoDecodeError(f"{path}: no frame can be read ({error})") from None
    if not times:
        raise VideoDecodeError(f"{path}: no frame can be read")
    width, height = measures.size
    if rotation in {90, 270}:
        width, height = height, width
    steps = np.diff(np.sort(np.array(times, np.float64))) * float(time_base)
    fps = _frame_rate(steps, float(rate or 25))
    return ClipFacts(
        codec=_plain_codec(codec),
        pixel_format=pixel_format,
        width=width,
        height=height,
        fps=round(fps, 4),
        num_frames=len(times),
        duration_seconds=float(steps.sum()) + 1.0 / fps,
        is_constant_rate=_is_constant(steps, float(time_base)),
        rotation_degrees=rotation,
        **measures.summary(),
    )


def make_playable(path: Path, facts: ClipFacts, target: Path) -> PlayableCopy:
    """Write a copy that browsers play: the file itself, its stream in MP4, or H.264 anew.

    Copies carry no audio (quality of the picture is rated) and no rotation flag.

    Args:
        path: The original.
        facts: Its facts.
        target: Path without suffix.

    Raises:
        VideoDecodeError: the clip cannot be read or written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    if facts.is_playable and path.suffix.lower() in PLAYABLE_SUFFIXES:
        copy = target.with_name(target.name + path.suffix.lower())
        shutil.copyfile(path, copy)
        return PlayableCopy(path=copy, how="copied", psnr_db=None)
    copy = target.with_name(target.name + ".mp4")
    try:
        if facts.is_playable and facts.codec in {"h264", "av1", "vp9"}:
            _remux(path, copy)
            if _num_frames(copy) == facts.num_frames:
                return PlayableCopy(path=copy, how="remuxed", psnr_db=None)
        _transcode(path, facts, copy)
        return PlayableCopy(path=copy, how="transcoded", psnr_db=_worst_psnr(path, facts, copy))
    except FFmpegError as error:
        raise VideoDecodeError(f"{path}: no playable copy can be made ({error})") from None


class _Measures:
    """Accumulates the per-frame measures of one clip."""

    def __init__(self) -> None:
        self.size = (0, 0)
        self._previous: NDArray[np.float32] | None = None
        self._spatial: list[float] = []
        self._temporal: list[float] = []
        self._brightness: list[float] = []
        self._colorfulness: list[float] = []

    def add(self, frame: VideoFrame) -> None:
        self.size = (frame.width, frame.height)
        luma = _luma(frame)
        self._spatial.append(float(_sobel(luma).std()))
        if self._previous is not None and self._previous.shape == luma.shape:
            self._temporal.append(float((luma - self._previous).std()))
        self._brightness.append(float(luma.mean()))
        if len(self._spatial) % 15 == 1:
            self._colorfulness.append(_colorfulness(frame))
        self._previous = luma

    def summary(self) -> dict[str, float]:
        return {
            "spatial_information": max(self._spatial, default=0.0),
            "temporal_information": max(self._temporal, default=0.0),
            "brightness": float(np.mean(self._brightness)),
            "colorfulness": float(np.mean(self._colorfulness)),
        }


def _luma(frame: VideoFrame) -> NDArray[np.float32]:
    """Return (H, W) luma, 0..255."""
    if frame.format.name not in PLAYABLE_PIXEL_FORMATS:
        return np.asarray(frame.to_ndarray(format="gray"), np.float32)
    # The plane as it is: converting to gray would stretch the range and cost time.
    plane = frame.planes[0]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.asarray(rows[: frame.height, : frame.width], np.float32)


def _sobel(luma: NDArray[np.float32]) -> NDArray[np.float32]:
    smooth_rows = luma[:-2] + 2.0 * luma[1:-1] + luma[2:]
    horizontal = smooth_rows[:, 2:] - smooth_rows[:, :-2]
    smooth_columns = luma[:, :-2] + 2.0 * luma[:, 1:-1] + luma[:, 2:]
    vertical = smooth_columns[2:] - smooth_columns[:-2]
    if horizontal.size == 0:
        return np.zeros((1, 1), np.float32)
    return np.asarray(np.hypot(horizontal, vertical), np.float32)


def _colorfulness(frame: VideoFrame) -> float:
    small = frame.reformat(width=160, height=90, format="rgb24").to_ndarray().astype(np.float64)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    first, second = red - green, 0.5 * (red + green) - blue
    spread = np.hypot(first.std(), second.std())
    return float(spread + 0.3 * np.hypot(first.mean(), second.mean()))


def _video_stream(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise VideoDecodeError(f"{path} has no video stream")
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    return stream


def _check_limits(stream: VideoStream, path: Path, settings: Settings) -> None:
    if stream.width * stream.height > settings.max_frame_pixels:
        raise VideoLimitError(
            f"{path} has frames of {stream.width}x{stream.height}; "
            f"at most {settings.max_frame_pixels} pixels are allowed"
        )
    duration = float((stream.duration or 0) * (stream.time_base or 0))
    if duration > settings.max_duration_seconds:
        raise VideoLimitError(
            f"{path} lasts {duration:.0f} s; allowed are {settings.max_duration_seconds:.0f} s"
        )


def _plain_codec(name: str) -> str:
    """Name the format, not the decoder library."""
    return {"libdav1d": "av1", "libaom-av1": "av1", "libvpx-vp9": "vp9", "libvpx": "vp8"}.get(
        name, name
    )


def _frame_rate(steps: NDArray[np.float64], declared: float) -> float:
    """Trust the declared rate where the time stamps, coarse as they may be, agree with it."""
    if not steps.size or steps.sum() <= 0:
        return declared
    measured = float(steps.size / steps.sum())
    return declared if abs(measured - declared) < 0.02 * measured else measured


def _is_constant(steps: NDArray[np.float64], tick: float) -> bool:
    """Tell whether all steps are equal up to rounding: to ticks, or once to milliseconds."""
    if steps.size == 0:
        return True
    rounding = max(2.0 * tick, 2.1e-3)
    return bool(np.ptp(steps) <= rounding)


def _remux(path: Path, copy: Path) -> None:
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        packets = [packet for packet in source.demux(stream) if packet.size]
        _complete_decode_times(packets)
        with av.open(str(copy), "w", options={"movflags": "faststart"}) as out:
            written = out.add_stream_from_template(stream)
            for packet in packets:
                packet.stream = written
                out.mux(packet)


def _num_frames(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(container.streams.video[0]))


def _complete_decode_times(packets: "list[av.Packet[VideoStream]]") -> None:
    """Give the first packets the decoding times that Matroska does not store."""
    known = next((index for index, packet in enumerate(packets) if packet.dts is not None), None)
    if known is None:
        raise VideoDecodeError("the stream has no time stamps")
    for index in range(known - 1, -1, -1):
        later = packets[index + 1].dts
        packets[index].dts = (later or 0) - max(packets[index].duration or 1, 1)


def _frames_on_grid(path: Path, facts: ClipFacts) -> Iterator[VideoFrame]:
    """Yield upright 4:2:0 frames of even size at a constant rate, the latest frame at each time."""
    fps = _copy_fps(facts)
    start: float | None = None
    shown = 0
    last: VideoFrame | None = None
    with av.open(str(path)) as container:
        stream = _video_stream(container, path)
        for frame in container.decode(stream):
            time = frame.time if frame.time is not None else shown / float(fps)
            start = time if start is None else start
            while last is not None and shown / float(fps) < time - start - 0.5 / float(fps):
                yield last
                shown += 1
            last = _upright(frame, facts.rotation_degrees)
    total = max(round(facts.duration_seconds * float(fps)), 1)
    while last is not None and shown < total:
        yield last
        shown += 1


def _copy_fps(facts: ClipFacts) -> Fraction:
    rate = Fraction(min(facts.fps, MAX_COPY_FPS)).limit_denominator(1001)
    return rate if rate > 0 else Fraction(25)


def _upright(frame: VideoFrame, rotation: int) -> VideoFrame:
    width, height = frame.width, frame.height
    if rotation == 0 and width % 2 == 0 and height % 2 == 0:
        return frame.reformat(format="yuv420p")
    picture = np.rot90(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8), k=-rotation // 90)
    even = picture[: picture.shape[0] // 2 * 2, : picture.shape[1] // 2 * 2]
    return VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24").reformat(
        format="yuv420p"
    )


def _transcode(path: Path, facts: ClipFacts, copy: Path) -> None:
    fps = _copy_fps(facts)
    with av.open(str(copy), "w", options={"movflags": "faststart"}) as out:
        stream: Any = None
        for index, frame in enumerate(_frames_on_grid(path, facts)):
            if stream is None:
                stream = out.add_stream("libx264", rate=fps)
                stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                stream.options = {"crf": COPY_CRF, "preset": "medium"}
                stream.codec_context.time_base = 1 / fps
            fresh = frame.reformat(format="yuv420p")
            fresh.pts, fresh.time_base = index, 1 / fps
            out.mux(stream.encode(fresh))
        if stream is None:
            raise VideoDecodeError(f"{path}: no frame can be read")
        out.mux(stream.encode(None))


def _worst_psnr(path: Path, facts: ClipFacts, copy: Path) -> float:
    worst = float("inf")
    with av.open(str(copy)) as container:
        written = container.decode(container.streams.video[0])
        for original, ours in zip(_frames_on_grid(path, facts), written, strict=False):
            error = float(np.mean((_luma(original) - _luma(ours)) ** 2))
            worst = min(worst, 10.0 * np.log10(255.0**2 / max(error, 1e-3)))
    return round(float(worst), 2)
