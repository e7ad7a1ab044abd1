"""Opening a video file that nobody vouches for.

Only local files are read, by demuxers that stay inside the one file: playlists and scripts (HLS,
concat, SDP, ...) would make FFmpeg open other files or the network on a stranger's word. Sizes are
checked before FFmpeg allocates a picture. What cannot be opened is named in plain words.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from os import fspath
from pathlib import Path

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from finevq.errors import InvalidInputError, VideoDecodeError, VideoLimitError
from finevq.settings import Settings

_FOLLOWS_REFERENCES: frozenset[str] = frozenset(
    {"hls", "applehttp", "concat", "concatf", "dash", "imf", "sdp", "rtsp", "rtp", "sap", "lavfi"}
    | {"webm_dash_manifest", "tty", "avisynth", "vapoursynth", "libmodplug", "libopenmpt", "dvd"}
    | {"fbdev", "x11grab", "xcbgrab", "kmsgrab", "v4l2", "video4linux2", "alsa", "pulse", "jack"}
    | {"sndio", "openal", "oss", "ffmetadata"}
)
"""Demuxers that read other files, devices or the network, or draw text as video."""

_NOT_VIDEO = {
    b"PK\x03\x04": "a zip archive or office document",
    b"%PDF": "a PDF document",
    b"\x7fELF": "a program",
    b"\x1f\x8b": "a gzip archive",
    b"<!DOCTYPE": "a web page (a download that went wrong?)",
    b"<html": "a web page (a download that went wrong?)",
    b"version https://git-lfs": "a Git LFS pointer; fetch the real file with `git lfs pull`",
    b"#EXTM3U": "a playlist; only the video files themselves are read",
}


@contextmanager
def open_video(
    path: str | Path, settings: Settings
) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a file and pick its picture stream; other streams are not even read.

    Args:
        path: A local file.
        settings: Limits on bytes, pixels and time.

    Raises:
        InvalidInputError: there is no such file, or it is no file.
        VideoDecodeError: it is not a video that can be read; the message says why.
        VideoLimitError: the file or its pictures are larger than the settings allow.
    """
    _check_file(Path(path), settings)
    options = {
        "protocol_whitelist": "file",
        "format_whitelist": _safe_formats(),
        "pattern_type": "none",  # a file called %03d.png is that file, not a sequence
        "max_pixels": str(decoder_pixels(settings.max_frame_pixels)),
    }
    timeout = settings.decode_timeout_seconds
    try:
        container = av.open(
            f"file:{fspath(path)}", options=options, metadata_errors="replace", timeout=timeout
        )
    except av.error.ExitError as error:  # FFmpeg's word for its time being up
        raise out_of_time(settings) from error
    except (av.FFmpegError, ValueError) as error:
        raise VideoDecodeError(f"{path}: {_why_not_opened(Path(path), error)}") from error
    with container:
        stream = _picture_stream(container, path)
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        _check_pixels(stream.width, stream.height, path, settings)
        yield container, stream


def decoder_pixels(pixels: int) -> int:
    """Return FFmpeg's limit for pictures of so many pixels; it counts whole coding blocks.

    The margin holds for any picture that is not a thin strip.
    """
    return pixels + pixels // 4 + 128 * 128


def _check_file(path: Path, settings: Settings) -> None:
    try:
        size = path.stat().st_size
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInputError(f"{path}: cannot be read ({reason})") from error
    if path.is_dir():
        raise InvalidInputError(f"{path} is a folder; name a video file")
    if not path.is_file():
        raise InvalidInputError(f"{path} is not a regular file; name a video file")
    if size == 0:
        raise VideoDecodeError(f"{path}: the file is empty (0 bytes)")
    if size > settings.max_file_bytes:
        raise VideoLimitError(
            f"{path} has {size:,} bytes, more than the limit of {settings.max_file_bytes:,}; "
            "raise FINEVQ_MAX_FILE_BYTES to allow it"
        )


def out_of_time(settings: Settings) -> VideoLimitError:
    """Return the error for a video that took too long."""
    return VideoLimitError(
        f"decoding took longer than {settings.decode_timeout_seconds:g} s; "
        "raise FINEVQ_DECODE_TIMEOUT_SECONDS to allow more"
    )


def _check_pixels(width: int, height: int, path: str | Path, settings: Settings) -> None:
    if width * height > settings.max_frame_pixels:
        raise VideoLimitError(
            f"{path} has pictures of {width}x{height} pixels, more than the limit of "
            f"{settings.max_frame_pixels:,}; raise FINEVQ_MAX_FRAME_PIXELS to allow it"
        )


@cache
def _safe_formats() -> str:
    names = {name for group in av.formats_available for name in group.split(",")}
    return ",".join(sorted(names - _FOLLOWS_REFERENCES))


def _picture_stream(container: InputContainer, path: str | Path) -> VideoStream:
    pictures = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not pictures:
        kinds = sorted({stream.type for stream in container.streams})
        held = f"only {' and '.join(kinds)}" if kinds else "no streams at all"
        raise VideoDecodeError(f"{path}: the file has no video stream ({held})")
    # Among several, what a browser plays: the first that is marked as default, or else the first.
    enabled = [stream for stream in pictures if stream.disposition & Disposition.default]
    stream = (enabled or pictures)[0]
    if stream.codec_context is None:
        raise VideoDecodeError(
            f"{path}: its video codec is unknown to this build of FFmpeg, or the stream is "
            "encrypted; convert it to H.264 and try again"
        )
    return stream


def _why_not_opened(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        head = file.read(4096)
    for magic, what in _NOT_VIDEO.items():
        if head.lstrip().lower().startswith(magic.lower()):
            return f"this is {what}, not a video"
    if not head.strip(b"\0"):
        return "the file holds only zeros (an unfinished download or copy?)"
    if b"ftyp" in head[:12]:
        return (
            "an MP4/MOV file whose index (the moov box) is missing or damaged; the recording or "
            "download was probably cut off before its end"
        )
    if _is_text(head):
        return "this is a text file, not a video"
    return f"not a video that FFmpeg can read ({_plain(error)}); it may be damaged"


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 4:  # not merely cut inside the last character
            return False
        text = head[: error.start].decode("utf-8")
    return all(character.isprintable() or character in "\t\r\n\f" for character in text)


def _plain(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
