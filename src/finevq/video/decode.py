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
from finevq.video.container import open_video
from finevq.video.orientation import Orientation, orientation_of
from finevq.video.packets import PacketTable, scan_packets
from finevq.video.reader import DecodeTally, PacketMismatchError, decode_frames
from finevq.video.sampling import FrameTable, Sampler
from finevq.video.transforms import FrameTransform

STILL_FORMATS = ("image2", "_pipe")
"""Names or endings of the demuxers for single pictures."""


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
    deadline = begin + settings.decode_timeout_seconds
    warnings: list[str] = []
    packets, facts = _scan(path, settings, deadline)
    is_still = _is_still(facts.container, len(packets))
    plan = {name: np.asarray(chosen, np.int64) for name, chosen in sampler(packets.frames).items()}
    _check_plan(plan, transforms, packets.frames)
    wanted = np.unique(np.concatenate([*plan.values(), np.zeros(1, np.int64)]))
    collector = _Collector(plan, transforms)
    first: tuple[av.VideoFrame, Orientation] | None = None
    for index, frame in _frames(path, packets, wanted, settings, deadline, threads):
        orientation = orientation_of(frame)
        first = first or (frame, orientation)
        collector.take(index, frame, orientation)
    if first is None:
        raise VideoDecodeError(f"{path}: not one frame could be decoded ({facts.codec})")
    return DecodedVideo(
        media=_media(facts, first[0], first[1], packets.frames, is_still),
        arrays=collector.arrays(),
        times={name: packets.frames.times_seconds[chosen] for name, chosen in plan.items()},
        indices=plan,
        table=packets.frames,
        warnings=tuple(warnings),
        seconds=time.monotonic() - begin,
    )


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
    deadline = time.monotonic() + settings.decode_timeout_seconds
    packets, _ = _scan(path, settings, deadline)
    table = packets.frames
    indices = np.sort(np.asarray(select(table), np.int64))
    _check_plan({"frames": indices}, {"frames": transform}, table)
    waiting, image = 0, None
    for index, frame in _frames(path, packets, np.unique(indices), settings, deadline, threads):
        while waiting < len(indices) and indices[waiting] <= index:
            is_due = indices[waiting] == index
            if is_due or image is None:
                image = transform(frame, orientation_of(frame), waiting)
            yield _decoded(waiting, indices, table, image)
            waiting += 1
    if image is None:
        raise VideoDecodeError(f"{path}: not one frame could be decoded")
    for position in range(waiting, len(indices)):
        yield _decoded(position, indices, table, image)


def _decoded(
    position: int, indices: NDArray[np.int64], table: FrameTable, image: NDArray[np.uint8]
) -> DecodedFrame:
    index = int(indices[position])
    return DecodedFrame(position, index, float(table.times_seconds[index]), image)


def _scan(path: str | Path, settings: Settings, deadline: float) -> "tuple[PacketTable, _Facts]":
    with open_video(path, settings) as (container, stream):
        packets = scan_packets(container, stream, settings=settings, deadline=deadline)
        if packets is None:
            raise VideoDecodeError(f"{path}: the video stream holds no frames")
        return packets, _Facts(
            codec=stream.codec_context.codec.canonical_name,
            container=container.format.name,
            bit_rate=stream.bit_rate or container.bit_rate or None,
        )


def _frames(
    path: str | Path,
    packets: PacketTable,
    wanted: NDArray[np.int64],
    settings: Settings,
    deadline: float,
    threads: int | None,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode with jumps where they land where they should, else from the start."""
    tally = DecodeTally()
    for may_seek in (True, False):
        missing = wanted[~np.isin(wanted, list(tally.delivered))]
        with open_video(path, settings) as (container, stream):
            frames = decode_frames(
                container,
                stream,
                packets,
                missing,
                settings=settings,
                deadline=deadline,
                threads=settings.decode_threads if threads is None else threads,
                tally=tally,
                may_seek=may_seek,
            )
            try:
                yield from frames
            except PacketMismatchError:
                continue
            return


@dataclass(frozen=True, kw_only=True, slots=True)
class _Facts:
    codec: str
    container: str
    bit_rate: int | None


class _Collector:
    """Puts converted frames where the sampler wants them."""

    def __init__(
        self,
        plan: Mapping[str, NDArray[np.int64]],
        transforms: Mapping[str, FrameTransform],
    ) -> None:
        self._plan = plan
        self._transforms = transforms
        self._arrays: dict[str, NDArray[np.uint8]] = {}
        self._places: dict[int, list[tuple[str, int]]] = {}
        for name, chosen in plan.items():
            for position, index in enumerate(chosen.tolist()):
                self._places.setdefault(index, []).append((name, position))

    def take(self, index: int, frame: av.VideoFrame, orientation: Orientation) -> None:
        """Convert a frame for all places that want it."""
        made: dict[str, NDArray[np.uint8]] = {}
        for name, position in self._places.get(index, ()):
            transform = self._transforms[name]
            if name not in made or transform.depends_on_position:
                made[name] = transform(frame, orientation, position)
            image = made[name]
            if name not in self._arrays:
                self._arrays[name] = np.zeros((len(self._plan[name]), *image.shape), np.uint8)
            self._arrays[name][position] = image

    def arrays(self) -> dict[str, NDArray[np.uint8]]:
        """Return the pictures, stream by stream."""
        return {
            name: self._arrays.get(name, np.zeros((0, 0, 0, 3), np.uint8)) for name in self._plan
        }


def _check_plan(
    plan: Mapping[str, NDArray[np.int64]],
    transforms: Mapping[str, FrameTransform],
    table: FrameTable,
) -> None:
    for name, chosen in plan.items():
        if name not in transforms:
            raise InvalidInputError(f"no transform for the sampler's stream {name!r}")
        if chosen.ndim != 1 or (len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(table)):
            raise InvalidInputError(
                f"stream {name!r}: indices must be one list within 0..{len(table) - 1}"
            )


def _is_still(format_name: str, num_packets: int) -> bool:
    return num_packets == 1 and format_name.endswith(STILL_FORMATS)


def _media(
    facts: _Facts,
    frame: av.VideoFrame,
    orientation: Orientation,
    table: FrameTable,
    is_still: bool,
) -> MediaInfo:
    width, height = frame.width, frame.height
    if orientation.swaps_sides:
        width, height = height, width
    return MediaInfo(
        codec=facts.codec,
        width=width,
        height=height,
        fps=None if is_still else len(table) / table.duration_seconds,
        num_frames=len(table),
        duration_seconds=0.0 if is_still else table.duration_seconds,
        rotation_degrees=orientation.rotation_degrees,
        pixel_format=frame.format.name,
        container=facts.container,
        bit_rate=None if is_still else facts.bit_rate,
    )
