"""The few bits of a compressed packet that containers do not tell, codec by codec.

Three questions: is a frame shown at all (VP8 hides some), may decoding start at this keyframe (an
H.264 or HEVC keyframe may still lean on what came before), and may unreferenced frames be skipped.
"""

from collections.abc import Iterator

from av.packet import Packet
from av.video.stream import VideoStream

_H264_SLICE_IDR, _H264_SEI = 5, 6
_SEI_RECOVERY_POINT = 6
_HEVC_FIRST_IRAP, _HEVC_LAST_IRAP = 16, 21
_HEVC_LAST_SLICE = 31
_MAX_UNITS = 64
_PROGRESSIVE = 1  # AV_FIELD_PROGRESSIVE


class PacketReader:
    """Answers for codecs whose keyframes are always clean and whose packets are all shown."""

    can_skip = False
    """Whether leaving out unreferenced frames keeps the others as they are."""

    def read(self, packet: "Packet[VideoStream]", is_keyframe: bool) -> tuple[bool, bool]:
        """Return whether the packet's frame is shown, and whether decoding may start here."""
        return True, is_keyframe


class _SkippingReader(PacketReader):
    """MPEG-2 and MPEG-4: B-frames are never referenced."""

    can_skip = True


class _Vp8Reader(PacketReader):
    """VP8 has invisible frames (bit 4 of the frame tag). Source: RFC 6386, section 9.1."""

    def read(self, packet: "Packet[VideoStream]", is_keyframe: bool) -> tuple[bool, bool]:
        return bool(memoryview(packet)[0] & 0x10), is_keyframe


class _H264Reader(PacketReader):
    """Clean entries: IDR pictures, and recovery points that are exact from their own frame on."""

    def __init__(self, length_bytes: int, is_progressive: bool) -> None:
        self._length_bytes = length_bytes
        # Fields in packets of their own: skipping the second would tear the first one's frame.
        self.can_skip = is_progressive

    def read(self, packet: "Packet[VideoStream]", is_keyframe: bool) -> tuple[bool, bool]:
        return True, is_keyframe and self._is_clean(memoryview(packet))

    def _is_clean(self, data: memoryview) -> bool:
        for unit in _units(data, self._length_bytes):
            kind = unit[0] & 0x1F
            if kind == _H264_SLICE_IDR or (kind == _H264_SEI and _is_exact_recovery(unit[1:])):
                return True
            if 1 <= kind < _H264_SLICE_IDR:
                return False
        return False


class _HevcReader(PacketReader):
    """Clean entries: IRAP pictures. Skipping is exact only without temporal layers."""

    def __init__(self, length_bytes: int) -> None:
        self._length_bytes = length_bytes
        self._has_layers = False

    @property
    def can_skip(self) -> bool:  # type: ignore[override]  # known only once all packets are read
        return not self._has_layers

    def read(self, packet: "Packet[VideoStream]", is_keyframe: bool) -> tuple[bool, bool]:
        for unit in _units(memoryview(packet), self._length_bytes):
            kind = (unit[0] >> 1) & 0x3F
            if kind <= _HEVC_LAST_SLICE and len(unit) > 1:
                self._has_layers |= (unit[1] & 7) > 1
                return True, is_keyframe and _HEVC_FIRST_IRAP <= kind <= _HEVC_LAST_IRAP
        return True, False


def packet_reader(stream: VideoStream) -> PacketReader:
    """Return the reader for the stream's codec."""
    context = stream.codec_context
    extradata = bytes(context.extradata or b"")
    if context.codec.name == "h264":
        # avcC: the size of length fields is in the low bits of byte 4. Source: ISO/IEC 14496-15.
        length = (extradata[4] & 3) + 1 if len(extradata) > 4 and extradata[0] == 1 else 0
        return _H264Reader(length, context.field_order == _PROGRESSIVE)
    if context.codec.name == "hevc":
        # hvcC: byte 21. Annex B starts with a zero instead of the version.
        length = (extradata[21] & 3) + 1 if len(extradata) > 22 and extradata[0] != 0 else 0
        return _HevcReader(length)
    if context.codec.name in ("mpeg2video", "mpeg4"):
        return _SkippingReader()
    return _Vp8Reader() if context.codec.name == "vp8" else PacketReader()


def _units(data: memoryview, length_bytes: int) -> Iterator[memoryview]:
    """Yield the first NAL units of a packet, length-prefixed or after start codes (0)."""
    if length_bytes:
        position = 0
        for _ in range(_MAX_UNITS):
            start = position + length_bytes
            size = int.from_bytes(data[position:start], "big")
            if size == 0 or start + size > len(data):
                return
            yield data[start : start + size]
            position = start + size
        return
    # The units before the first slice are short; a bounded prefix holds their start codes.
    prefix = bytes(data[:8192])
    position = prefix.find(b"\0\0\1")
    for _ in range(_MAX_UNITS):
        if position < 0 or position + 3 >= len(prefix):
            return
        following = prefix.find(b"\0\0\1", position + 3)
        yield data[position + 3 : following if following > 0 else len(data)]
        position = following


def _is_exact_recovery(payload: memoryview) -> bool:
    """Whether SEI messages hold a recovery point at this very frame with an exact match."""
    data = bytes(payload[:256]).replace(b"\0\0\3", b"\0\0")
    position = 0
    while position + 2 < len(data):
        kind = size = 0
        while position < len(data) and data[position] == 255:
            kind, position = kind + 255, position + 1
        kind, position = kind + data[position], position + 1
        while position < len(data) and data[position] == 255:
            size, position = size + 255, position + 1
        if position >= len(data):
            return False
        size, position = size + data[position], position + 1
        if kind == _SEI_RECOVERY_POINT and position < len(data):
            # recovery_frame_cnt ue(v) = 0 is one set bit; exact_match_flag follows.
            return data[position] >> 6 == 0b11
        position += size
    return False
