"""Decoding runs of packets with PyAV, prepared for everything that a file can do to a decoder.

Frames are known by their presentation times, or counted where a file has none. Packets are decoded
one by one: an error costs one packet, not the rest of the file. (PyAV's `packet.opaque` would name
the packet of a frame, but is keyed by object identity and loses entries when objects are reused.)
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from finevq.settings import Settings
from finevq.video.container import decoder_pixels
from finevq.video.packets import NO_TIME, PacketTable, check_time
from finevq.video.plan import Run, plan_runs

SEEK_PACKETS = 400
"""Gaps up to this many packets are read over; longer ones are jumped by seeking."""


@dataclass(slots=True)
class DecodeTally:
    """What went wrong while decoding."""

    num_errors: int = 0
    num_corrupt: int = 0
    delivered: set[int] = field(default_factory=set)
    """Shown-frame indices that came out."""

    @property
    def is_damaged(self) -> bool:
        """Whether the decoder complained."""
        return self.num_errors > 0 or self.num_corrupt > 0


class PacketMismatchError(Exception):
    """The demuxer delivered other packets than in the first pass."""


class _Cursor:
    """Knows which packet the demuxer delivers next."""

    def __init__(
        self, container: InputContainer, stream: VideoStream, packets: PacketTable
    ) -> None:
        self._container = container
        self._stream = stream
        self._packets = packets
        self._position = 0
        self._iterator: Iterator[Packet[VideoStream]] = container.demux(stream)

    def move_to(self, target: int, *, may_seek: bool) -> None:
        """Make `target` the next packet."""
        if may_seek and target - self._position > SEEK_PACKETS and self._packets.is_matched:
            self._seek(target)
        if target < self._position:
            raise PacketMismatchError(f"packet {target} lies behind {self._position}")
        while self._position < target:
            self.take()

    def take(self) -> "Packet[VideoStream]":
        """Return the next packet that holds data."""
        for packet in self._iterator:
            if packet.size == 0:  # the demuxer's sign for the end
                continue
            if self._packets.raw_pts[self._position] != _time_of(packet.pts):
                raise PacketMismatchError(f"packet {self._position} is not where it was")
            self._position += 1
            return packet
        raise PacketMismatchError("the file ends earlier than in the first pass")

    def _seek(self, target: int) -> None:
        for times in (self._packets.raw_pts, self._packets.raw_dts):
            if times[target] == NO_TIME:
                continue
            self._container.seek(int(times[target]), stream=self._stream)
            self._iterator = self._container.demux(self._stream)
            first = next((packet for packet in self._iterator if packet.size), None)
            found = self._index_of(first) if first is not None else None
            if found is not None and found <= target:
                # The first packet is already out: go back to have it delivered again.
                self._container.seek(int(times[target]), stream=self._stream)
                self._iterator = self._container.demux(self._stream)
                self._position = found
                return
        raise PacketMismatchError(f"seeking to packet {target} landed elsewhere")

    def _index_of(self, packet: "Packet[VideoStream]") -> int | None:
        # Not by decoding time: after a seek, demuxers that compute it know it later than before.
        table = self._packets
        same = (table.raw_pts == _time_of(packet.pts)) & (table.sizes == packet.size)
        found = np.flatnonzero(same)
        return int(found[0]) if len(found) == 1 else None


def _time_of(value: int | None) -> int:
    return NO_TIME if value is None else value


def decode_frames(
    container: InputContainer,
    stream: VideoStream,
    packets: PacketTable,
    wanted: NDArray[np.int64],
    *,
    settings: Settings,
    deadline: float,
    threads: int,
    tally: DecodeTally,
    may_seek: bool = True,
    may_skip: bool = True,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Yield (index of the shown frame, frame) for the wanted frames, as they come out.

    Args:
        container: Freshly opened.
        stream: Its picture stream.
        packets: What `scan_packets` found.
        wanted: Indices of shown frames; each is delivered once.
        settings: For the limits on pixels and time.
        deadline: Of `time.monotonic`.
        threads: Decoder threads; 0 lets FFmpeg choose.
        tally: Is told what came out and what went wrong.
        may_seek: Whether gaps may be jumped.
        may_skip: Whether unreferenced frames may be left out.

    Raises:
        PacketMismatchError: the file does not deliver the packets of the first pass.
    """
    context = _prepare(stream, settings, threads)
    runs = plan_runs(packets, wanted)
    if not may_seek and runs:
        everything = frozenset[int]().union(*(run.wanted for run in runs))
        runs = [Run(0, runs[-1].stop, everything)]
    index_of = _Identifier(packets, wanted)
    cursor = _Cursor(container, stream, packets)
    for number, run in enumerate(runs):
        cursor.move_to(run.start, may_seek=may_seek)
        if number:
            context.flush_buffers()
        missing = len(run.wanted)
        for frame in _decode_run(cursor, context, run, packets.can_skip and may_skip, tally):
            check_time(deadline, settings)
            tally.num_corrupt += frame.is_corrupt
            index = index_of(frame)
            if index is None or index in tally.delivered:
                continue
            tally.delivered.add(index)
            yield index, frame
            missing -= 1
            if missing == 0:
                break


def decode_all(
    container: InputContainer, stream: VideoStream, packets: PacketTable, *, settings: Settings
) -> Iterator[av.VideoFrame]:
    """Yield every frame that comes out, decoding on one thread."""
    context = _prepare(stream, settings, threads=1)
    cursor = _Cursor(container, stream, packets)
    try:
        run = Run(0, len(packets), frozenset())
        yield from _decode_run(cursor, context, run, False, DecodeTally())
    except PacketMismatchError:
        yield from _decode(context, None, DecodeTally())


def _prepare(stream: VideoStream, settings: Settings, threads: int) -> av.VideoCodecContext:
    context = stream.codec_context
    context.thread_count = threads
    context.thread_type = "AUTO"
    context.options = {"max_pixels": str(decoder_pixels(settings.max_frame_pixels))}
    return context


class _Identifier:
    """Says which of the wanted frames a decoded frame is, if any."""

    def __init__(self, packets: PacketTable, wanted: NDArray[np.int64]) -> None:
        self._num_seen = 0
        self._by_time: dict[int, int] | None = None
        self._wanted = frozenset(wanted.tolist())
        if packets.is_matched:
            times = packets.raw_pts[packets.shown[wanted]]
            self._by_time = dict(zip(times.tolist(), wanted.tolist(), strict=True))

    def __call__(self, frame: av.VideoFrame) -> int | None:
        if self._by_time is not None:
            return None if frame.pts is None else self._by_time.get(frame.pts)
        index = self._num_seen
        self._num_seen += 1
        return index if index in self._wanted else None


def _decode_run(
    cursor: _Cursor,
    context: av.VideoCodecContext,
    run: Run,
    may_skip: bool,
    tally: DecodeTally,
) -> Iterator[av.VideoFrame]:
    """Decode one run and drain the decoder, in the order of presentation."""
    skips = False
    for number in range(run.start, run.stop):
        packet = cursor.take()
        if may_skip and skips != (number not in run.wanted):
            skips = not skips
            context.skip_frame = "NONREF" if skips else "DEFAULT"
        yield from _decode(context, packet, tally)
    if may_skip:
        context.skip_frame = "DEFAULT"
    yield from _decode(context, None, tally)


def _decode(
    context: av.VideoCodecContext, packet: "Packet[VideoStream] | None", tally: DecodeTally
) -> list[av.VideoFrame]:
    try:
        return context.decode(packet)
    except av.FFmpegError:
        tally.num_errors += 1
        return []
