"""A video file to the few pictures that a model looks at: `probe_video`, `decode_video`.

Two passes over the file: the first reads packets only and gives the true table of frames; the
sampler picks from it; the second decodes what is needed for those, converts and scales only them.
Memory is a few arrays of numbers a frame plus the pictures asked for, whatever the length.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from finevq.errors import InvalidInputError, VideoDecodeError
from finevq.records import MediaInfo
from finevq.settings import Settings
from finevq.video.animated_webp import open_animated_webp
from finevq.video.file_source import FileSource
from finevq.video.orientation import Orientation, OrientationReader
from finevq.video.pil_resize import pil_bicubic_resize
from finevq.video.sampling import FrameTable, Sampler
from finevq.video.source import SourceFacts, VideoSource, no_frames_error, warnings_of
from finevq.video.transforms import FrameTransform


@dataclass(frozen=True, kw_only=True, slots=True)
class DecodedVideo:
    """The pictures that a sampler asked for, and what the file is."""

    media: MediaInfo
    arrays: Mapping[str, NDArray[np.uint8]]
    """Stream name -> (n, H, W, 3) RGB, upright, in the order of the sampler's indices."""
    times: Mapping[str, NDArray[np.float64]]
    """Stream name -> (n,) seconds at which each picture appears."""
    indices: Mapping[str, NDArray[np.int64]]
    """Stream name -> (n,) rows of `table`."""
    table: FrameTable
    warnings: tuple[str, ...]
    """What is wrong with the file although it could be read; whole sentences."""
    seconds: float
    """Wall time of reading, decoding and scaling."""


def probe_video(path: str | Path, *, settings: Settings | None = None) -> MediaInfo:
    """Return the facts about a video: all packets are counted, one frame is decoded.

    Args:
        path: A local file.
        settings: Limits; the defaults where None.

    Raises:
        InvalidInputError: there is no such file.
        VideoDecodeError: not one frame can be decoded; the message says why.
        VideoLimitError: larger or longer than the settings allow.
    """
    return decode_video(path, sampler=lambda _: {}, transforms={}, settings=settings).media


def decode_video(
    path: str | Path,
    *,
    sampler: Sampler,
    transforms: Mapping[str, FrameTransform],
    settings: Settings | None = None,
    threads: int | None = None,
) -> DecodedVideo:
    """Decode the frames that a sampler picks, each once, and turn them into model inputs.

    Args:
        path: A local file: video, animation or still picture.
        sampler: Picks frames by their times; stream name -> indices.
        transforms: One for each stream of the sampler.
        settings: Limits; the defaults where None.
        threads: Decoder threads; `settings.decode_threads` where None, 0 lets FFmpeg choose.

    Raises:
        InvalidInputError: there is no such file.
        VideoDecodeError: not one frame can be decoded; the message says why.
        VideoLimitError: larger, longer or slower than the settings allow.
    """
    settings = settings or Settings()
    begin = time.monotonic()
    source = _open_source(path, settings=settings, threads=threads)
    collector = _collect(source, sampler, transforms)
    if (collector.missing or source.is_damaged) and source.recount():
        collector = _collect(source, sampler, transforms)
    if collector.first is None:
        raise no_frames_error(path, source.facts.codec)
    warnings = list(warnings_of(source))
    if collector.first.is_interlaced:
        warnings.append(
            "The video is interlaced; it was judged as stored, with the combing that most players "
            "on the web show. Deinterlace it first to judge what a television would show."
        )
    if collector.missing:
        warnings.append(
            f"{collector.missing} of the {len(collector.wanted)} frames that were looked at could "
            "not be decoded; the frames before them stood in."
        )
        collector.fill_missing()
    return DecodedVideo(
        media=_media(source.facts, collector.first, source.table),
        arrays=collector.arrays(),
        times={n: source.table.times_seconds[rows] for n, rows in collector.plan.items()},
        indices=collector.plan,
        table=source.table,
        warnings=tuple(warnings),
        seconds=time.monotonic() - begin,
    )


def _open_source(path: str | Path, *, settings: Settings, threads: int | None) -> VideoSource:
    deadline = time.monotonic() + settings.decode_timeout_seconds
    animation = open_animated_webp(path, settings=settings, deadline=deadline)
    if animation is not None:
        return animation
    chosen = settings.decode_threads if threads is None else threads
    return FileSource(path, settings=settings, deadline=deadline, threads=chosen)


def _collect(
    source: VideoSource, sampler: Sampler, transforms: Mapping[str, FrameTransform]
) -> "_Collector":
    """Read what the sampler picks, and the first frame for its facts."""
    picked = sampler(source.table)
    plan = {name: np.asarray(rows, np.int64) for name, rows in picked.items()}
    _check_plan(plan, transforms, source.table)
    collector = _Collector(plan, transforms)
    try:
        for index, frame in source.frames(collector.wanted):
            collector.take(index, frame)
    except av.FFmpegError as error:
        raise VideoDecodeError(f"the pictures cannot be converted to RGB: {error}") from error
    return collector


@dataclass(frozen=True, slots=True)
class DecodedFrame:
    """One picture of a stream that is read piece by piece."""

    position: int
    """Place in the sorted list of asked-for indices, 0 first."""
    index: int
    """Row of the frame table."""
    time_seconds: float
    image: NDArray[np.uint8]
    """(H, W, 3) RGB, upright."""


def iterate_frames(
    path: str | Path,
    *,
    select: Callable[[FrameTable], NDArray[np.int64]],
    transform: FrameTransform,
    settings: Settings | None = None,
    threads: int | None = None,
) -> Iterator[DecodedFrame]:
    """Yield pictures one after another in the order of time; nothing but the current one is held.

    For models that see all frames. A frame that cannot be decoded is replaced by the one shown
    before it, as a player would keep it on the screen.

    Args:
        path: A local file.
        select: Picks indices by the frames' times; they are yielded sorted, repeats included.
        transform: Makes the picture.
        settings: Limits; the defaults where None.
        threads: Decoder threads; `settings.decode_threads` where None, 0 lets FFmpeg choose.

    Raises:
        InvalidInputError: there is no such file.
        VideoDecodeError: not one frame can be decoded; the message says why.
        VideoLimitError: larger, longer or slower than the settings allow.
    """
    settings = settings or Settings()
    source = _open_source(path, settings=settings, threads=threads)
    table = source.table
    indices = np.sort(np.asarray(select(table), np.int64))
    _check_plan({"frames": indices}, {"frames": transform}, table)
    waiting, image = 0, None
    orientation_of = OrientationReader()
    for index, frame in source.frames(np.unique(indices)):
        while waiting < len(indices) and indices[waiting] <= index:
            if indices[waiting] == index or image is None:
                image = transform(frame, orientation_of(frame), waiting)
            yield _decoded(waiting, indices, table, image)
            waiting += 1
    if image is None:
        raise no_frames_error(path, source.facts.codec)
    for position in range(waiting, len(indices)):
        yield _decoded(position, indices, table, image)


def _decoded(
    position: int, indices: NDArray[np.int64], table: FrameTable, image: NDArray[np.uint8]
) -> DecodedFrame:
    index = int(indices[position])
    return DecodedFrame(position, index, float(table.times_seconds[index]), image)


class _Collector:
    """Puts converted frames where the sampler wants them."""

    def __init__(
        self,
        plan: Mapping[str, NDArray[np.int64]],
        transforms: Mapping[str, FrameTransform],
    ) -> None:
        self.plan = plan
        self.wanted = np.unique(np.concatenate([*plan.values(), np.zeros(1, np.int64)]))
        """(K,) rows of the table to decode; the first frame always, for the facts."""
        self.first: FirstFrame | None = None
        self._transforms = transforms
        self._orientation_of = OrientationReader()
        self._arrays: dict[str, NDArray[np.uint8]] = {}
        self._taken: set[int] = set()
        self._places: dict[int, list[tuple[str, int]]] = {}
        for name, rows in plan.items():
            for position, row in enumerate(rows.tolist()):
                self._places.setdefault(row, []).append((name, position))

    def take(self, index: int, frame: av.VideoFrame) -> None:
        """Convert a frame for all places that want it."""
        orientation = self._orientation_of(frame)
        self.first = self.first or _first(frame, orientation)
        self._taken.add(index)
        made: dict[str, NDArray[np.uint8]] = {}
        for name, position in self._places.get(index, ()):
            transform = self._transforms[name]
            if name not in made or transform.depends_on_position:
                made[name] = transform(frame, orientation, position)
            self._put(name, position, made[name])

    def _put(self, name: str, position: int, image: NDArray[np.uint8]) -> None:
        if name not in self._arrays:
            self._arrays[name] = np.zeros((len(self.plan[name]), *image.shape), np.uint8)
        height, width = self._arrays[name].shape[1:3]
        if image.shape[:2] != (height, width):  # the resolution changed in the middle of the file
            image = pil_bicubic_resize(image, (width, height))
        self._arrays[name][position] = image

    @property
    def missing(self) -> int:
        """How many of the wanted frames did not come."""
        return len(self.wanted) - len(self._taken)

    def fill_missing(self) -> None:
        """Show the frame before a missing one, as a player does; the next where there is none."""
        for name, rows in self.plan.items():
            is_there = np.isin(rows, list(self._taken))
            there = np.flatnonzero(is_there)
            there = there[np.argsort(rows[there], kind="stable")]
            if len(there) == 0:
                continue
            for position in np.flatnonzero(~is_there):
                before = int(np.searchsorted(rows[there], rows[position], side="right")) - 1
                self._arrays[name][position] = self._arrays[name][there[max(before, 0)]]

    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures, stream by stream."""
        return {
            name: self._arrays.get(name, np.zeros((len(rows), 0, 0, 3), np.uint8))
            for name, rows in self.plan.items()
        }


def _check_plan(
    plan: Mapping[str, NDArray[np.int64]],
    transforms: Mapping[str, FrameTransform],
    table: FrameTable,
) -> None:
    for name, rows in plan.items():
        if name not in transforms:
            raise InvalidInputError(
                f"no transform for the sampler's stream {name!r}; given: {sorted(transforms)}"
            )
        if rows.ndim != 1 or (len(rows) and not 0 <= rows.min() <= rows.max() < len(table)):
            raise InvalidInputError(
                f"stream {name!r}: indices must be one list within 0..{len(table) - 1}"
            )


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """What the first decoded frame tells of the video."""

    width: int
    height: int
    pixel_format: str
    rotation_degrees: int
    is_interlaced: bool


def _first(frame: av.VideoFrame, orientation: Orientation) -> FirstFrame:
    width, height = frame.width, frame.height
    if orientation.swaps_sides:
        width, height = height, width
    turn = orientation.rotation_degrees
    return FirstFrame(width, height, frame.format.name, turn, frame.interlaced_frame)


def _media(facts: SourceFacts, first: FirstFrame, table: FrameTable) -> MediaInfo:
    return MediaInfo(
        codec=facts.codec,
        width=first.width,
        height=first.height,
        fps=None if facts.is_still else len(table) / table.duration_seconds,
        num_frames=len(table),
        duration_seconds=0.0 if facts.is_still else table.duration_seconds,
        rotation_degrees=first.rotation_degrees,
        pixel_format=first.pixel_format,
        container=facts.container,
        bit_rate=facts.bit_rate,
    )
