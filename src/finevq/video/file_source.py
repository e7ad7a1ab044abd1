"""A file read by FFmpeg, as a source of frames.

Where the plan cannot be met, because frames that the packets promise do not come out of the
decoder, `recount` decodes everything once and goes by what is really there.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from finevq.errors import VideoDecodeError
from finevq.settings import Settings
from finevq.video.container import open_video
from finevq.video.packets import PacketTable, check_time, scan_packets
from finevq.video.reader import DecodeTally, PacketMismatchError, decode_all, decode_frames
from finevq.video.sampling import FrameTable
from finevq.video.source import SourceFacts, no_frames_error

MAX_RECOUNT_FRAMES = 20_000
"""Longer files are not decoded as a whole for a few lost frames; their neighbours stand in."""

_STILL_FORMATS = ("image2", "_pipe")


class FileSource:
    """A file read by FFmpeg."""

    def __init__(
        self, path: str | Path, *, settings: Settings, deadline: float, threads: int
    ) -> None:
        """Read the packets once.

        Args:
            path: A local file.
            settings: Limits.
            deadline: Of `time.monotonic`.
            threads: Decoder threads; 0 lets FFmpeg choose.

        Raises:
            InvalidInputError: there is no such file.
            VideoDecodeError: no video, or no frames in it.
            VideoLimitError: larger or longer than the settings allow.
        """
        self._path = path
        self._settings = settings
        self._deadline = deadline
        self._threads = threads
        self._is_counted = False
        self.num_lost = 0
        self.is_damaged = False
        with open_video(path, settings) as (container, stream):
            packets = scan_packets(container, stream, settings=settings, deadline=deadline)
            if packets is None:
                raise VideoDecodeError(f"{path}: the video stream holds no frames")
            self._packets = packets
            self.facts = _facts(container, stream, len(packets))

    @property
    def table(self) -> FrameTable:
        """The frames that a player shows."""
        return self._packets.frames

    def frames(self, wanted: NDArray[np.int64]) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decode with jumps where they land as planned, else from the start."""
        tally = DecodeTally()
        for may_seek in (True, False):
            missing = wanted[~np.isin(wanted, list(tally.delivered))]
            with open_video(self._path, self._settings) as (container, stream):
                try:
                    yield from decode_frames(
                        container,
                        stream,
                        self._packets,
                        missing,
                        settings=self._settings,
                        deadline=self._deadline,
                        threads=self._threads,
                        tally=tally,
                        may_seek=may_seek,
                    )
                except PacketMismatchError:
                    continue
                finally:
                    self.is_damaged |= tally.is_damaged
                return

    def recount(self) -> bool:
        """Decode everything on one thread: errors then cost the same frames every time."""
        if self._is_counted or len(self._packets) > MAX_RECOUNT_FRAMES:
            return False
        times: list[int | None] = []
        is_key: list[bool] = []
        with open_video(self._path, self._settings) as (container, stream):
            for frame in decode_all(container, stream, self._packets, settings=self._settings):
                check_time(self._deadline, self._settings)
                times.append(frame.pts)
                is_key.append(frame.key_frame)
        if not times:
            raise no_frames_error(self._path, self.facts.codec)
        self.num_lost = max(0, len(self.table) - len(times))
        self._packets = replace(
            self._packets,
            frames=_counted_table(times, is_key, self._packets),
            is_matched=False,
            can_skip=False,
        )
        self._threads = 1
        self._is_counted = True
        return True


def _facts(container: InputContainer, stream: VideoStream, num_packets: int) -> SourceFacts:
    is_still = num_packets == 1 and container.format.name.endswith(_STILL_FORMATS)
    promised: float | None = None
    time_base = stream.time_base
    if container.format.name == "avi" and stream.frames and time_base:
        # Its duration is guessed from the size of the file; the header's count is the promise.
        promised = float(stream.frames * time_base)
    elif stream.duration and time_base:
        promised = float(stream.duration * time_base)
    elif container.duration:
        promised = container.duration / av.time_base
    return SourceFacts(
        codec=stream.codec_context.codec.canonical_name,
        container=container.format.name,
        bit_rate=None if is_still else stream.bit_rate or container.bit_rate or None,
        is_still=is_still,
        promised_seconds=None if is_still else promised,
    )


def _counted_table(times: list[int | None], is_key: list[bool], packets: PacketTable) -> FrameTable:
    """Return the table of frames as they came out of the decoder."""
    known = packets.frames
    if len(times) == len(known):
        return known
    pts = np.array([0 if value is None else value for value in times], np.int64)
    steps = np.diff(pts) * float(packets.time_base)
    is_exact = None not in times and bool((steps > 0).all())
    usual = 1 / known.nominal_rate_fps if known.nominal_rate_fps else known.duration_seconds
    if not is_exact:
        steps = np.full(len(times) - 1, usual)
    return FrameTable(
        times_seconds=np.concatenate([[0.0], np.cumsum(steps)]),
        durations_seconds=np.append(steps, usual),
        is_keyframe=np.array(is_key),
        is_exact=is_exact,
    )
