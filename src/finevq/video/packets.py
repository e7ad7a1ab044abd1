"""What the compressed packets of a file tell without decoding: times, keyframes, order.

One pass over the packets (no pixels) gives the exact table of shown frames, whatever the container:
edit lists applied by the demuxer, B-frames put in order by their presentation times, frames that
the codec hides left out. An hour of video is about 100,000 packets and half a second.
"""

import time
from array import array
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from finevq.errors import VideoLimitError
from finevq.settings import Settings
from finevq.video.bitstream import PacketReader, packet_reader
from finevq.video.container import out_of_time
from finevq.video.sampling import FrameTable

NO_TIME: int = np.iinfo(np.int64).min
"""Stands for a missing timestamp in arrays."""
_DEFAULT_RATE = Fraction(25)
_NUM_COLUMNS = 5
_LONGEST_LAST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PacketTable:
    """The packets of the picture stream in the order of decoding, and how they map to frames."""

    raw_pts: NDArray[np.int64]
    """(P,) presentation times in `time_base` as the demuxer gives them, or `NO_TIME`."""
    raw_dts: NDArray[np.int64]
    """(P,) decoding times in `time_base` as the demuxer gives them, or `NO_TIME`."""
    sizes: NDArray[np.int64]
    """(P,) bytes."""
    pts: NDArray[np.int64]
    """(P,) presentation times without clock jumps; meaningful only where `has_times`."""
    is_entry: NDArray[np.bool_]
    """(P,) whether decoding can start here and give the same pictures as from the beginning."""
    is_keyframe: NDArray[np.bool_]
    """(P,) as the container flags it."""
    shown: NDArray[np.int64]
    """(N,) packet of each shown frame, in the order of presentation."""
    frames: FrameTable
    is_matched: bool
    """Whether each shown packet has a presentation time of its own, by which its frame is known;
    if not, frames are counted as they come out of the decoder."""
    can_skip: bool
    """Whether the decoder may leave out unreferenced frames without changing the others."""
    time_base: Fraction

    def __len__(self) -> int:
        return len(self.pts)


def scan_packets(
    container: InputContainer, stream: VideoStream, *, settings: Settings, deadline: float
) -> PacketTable | None:
    """Read all packets once; None where there is not a single one.

    Raises:
        VideoLimitError: too many frames, too long, or out of time.
    """
    reader = packet_reader(stream)
    rows = _read_rows(container, stream, reader, settings, deadline)
    if not len(rows):
        return None
    raw_pts, dts, durations, sizes, flags = rows.T
    pts = raw_pts
    is_key, is_shown, is_entry = (flags & bit != 0 for bit in (1, 2, 4))
    if not is_shown.any():
        return None
    time_base = stream.time_base or Fraction(1, 1000)
    has_times = bool((pts[is_shown] != NO_TIME).all())
    shown = np.flatnonzero(is_shown)
    is_monotonic = bool((np.diff(raw_pts[is_shown]) >= 0).all())
    if has_times:
        pts = _continuous(pts, dts, container, time_base)
        shown = shown[np.argsort(pts[shown], kind="stable")]
    is_matched = (
        has_times
        and len(np.unique(raw_pts[shown])) == len(shown)
        and not (_guesses_times(container) and _is_reordered(stream) and is_monotonic)
    )
    frames = _frame_table(
        pts[shown] if has_times else None, durations[shown], is_key[shown], stream, time_base
    )
    if frames.duration_seconds > settings.max_duration_seconds:
        raise VideoLimitError(
            f"{container.name} lasts {frames.duration_seconds:,.0f} s, more than the limit of "
            f"{settings.max_duration_seconds:,.0f}; raise FINEVQ_MAX_DURATION_SECONDS to allow it"
        )
    return PacketTable(
        raw_pts=raw_pts,
        raw_dts=dts,
        sizes=sizes,
        pts=pts,
        is_entry=is_entry,
        is_keyframe=is_key,
        shown=shown,
        frames=frames,
        is_matched=is_matched,
        can_skip=is_matched and reader.can_skip,
        time_base=time_base,
    )


def _read_rows(
    container: InputContainer,
    stream: VideoStream,
    reader: PacketReader,
    settings: Settings,
    deadline: float,
) -> NDArray[np.int64]:
    """Return (P, 5): presentation and decoding time, duration, size, flags."""
    numbers = array("q")
    is_last_corrupt = False
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            numbers.extend(_row(packet, reader))
            is_last_corrupt = packet.is_corrupt
            if len(numbers) > settings.max_frames * _NUM_COLUMNS:
                raise VideoLimitError(
                    f"{container.name} has more than {settings.max_frames:,} frames; "
                    "raise FINEVQ_MAX_FRAMES to allow it"
                )
            if len(numbers) % (256 * _NUM_COLUMNS) == 0:
                check_time(deadline, settings)
    except av.FFmpegError:
        pass  # what came before the damage counts
    rows = np.frombuffer(numbers, np.int64).reshape(-1, _NUM_COLUMNS)
    # Where the file was cut, the last packet is a torn one; the frame would be half a picture.
    return rows[:-1] if is_last_corrupt and len(rows) > 1 else rows


def _row(packet: "Packet[VideoStream]", reader: PacketReader) -> tuple[int, int, int, int, int]:
    is_key = packet.is_keyframe
    is_shown, is_entry = reader.read(packet, is_key)
    pts, dts = packet.pts, packet.dts
    return (
        NO_TIME if pts is None else pts,
        NO_TIME if dts is None else dts,
        packet.duration or 0,
        packet.size,
        is_key + 2 * (is_shown and not packet.is_discard) + 4 * is_entry,
    )


def _guesses_times(container: InputContainer) -> bool:
    """Whether the container has no presentation times; AVI's are the demuxer's guesses."""
    return container.format.name == "avi"


def _is_reordered(stream: VideoStream) -> bool:
    return stream.codec_context.reorder_depth > 0


def _continuous(
    pts: NDArray[np.int64], dts: NDArray[np.int64], container: InputContainer, time_base: Fraction
) -> NDArray[np.int64]:
    """Return presentation times without the jumps of a transport stream's clock.

    Broadcast recordings and joined files restart their clock; a player goes on with the next frame.
    Source: FFmpeg's fftools treat a step of more than 10 s back or forth as such a jump.
    """
    if not container.format.name.startswith("mpeg"):
        return pts
    clock = np.where(dts == NO_TIME, pts, dts)
    steps = np.diff(clock)
    if len(steps) == 0:
        return pts
    limit = float(10 / time_base)
    jumps = np.flatnonzero(np.abs(steps) > limit)
    if len(jumps) == 0:
        return pts
    usual = int(np.median(steps[np.abs(steps) <= limit])) if len(steps) > len(jumps) else 1
    correction = np.zeros(len(pts), np.int64)
    correction[jumps + 1] = usual - steps[jumps]
    return pts + np.cumsum(correction)


def _frame_table(
    pts: NDArray[np.int64] | None,
    durations: NDArray[np.int64],
    is_key: NDArray[np.bool_],
    stream: VideoStream,
    time_base: Fraction,
) -> FrameTable:
    # Raw streams: the demuxer assumes a rate, the bitstream knows one.
    rates = (stream.average_rate, stream.guessed_rate)
    rate = next((one for one in (rates if pts is not None else rates[::-1]) if one), _DEFAULT_RATE)
    usual = float(1 / rate) if rate > 0 else float(1 / _DEFAULT_RATE)
    if pts is None:
        return FrameTable(
            times_seconds=np.arange(len(durations)) * np.float64(usual),
            durations_seconds=np.full(len(durations), usual),
            is_keyframe=is_key,
            is_exact=False,
        )
    times = ((pts - pts[0]) * float(time_base)).astype(np.float64)
    steps = np.diff(times)
    median = float(np.median(steps[steps > 0])) if (steps > 0).any() else usual
    last = float(durations[-1] * time_base)
    if not 0.5 * median < last < _LONGEST_LAST_SECONDS:
        last = median
    # Two frames of one time: the later one hides the earlier; it still needs a positive duration.
    return FrameTable(
        times_seconds=times,
        durations_seconds=np.append(np.where(steps > 0, steps, 1e-6), last),
        is_keyframe=is_key,
    )


def check_time(deadline: float, settings: Settings) -> None:
    """Stop where the wall time of one video is used up.

    Raises:
        VideoLimitError: `deadline` (of `time.monotonic`) has passed.
    """
    if time.monotonic() > deadline:
        raise out_of_time(settings)
