"""Small clips made for one question each, by the ffmpeg binary of imageio-ffmpeg."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from finevq.video.decode import decode_video
from finevq.video.transforms import Whole

NUM_FRAMES = 30
COUNTING = f"color=s=64x48:r=25:d={NUM_FRAMES / 25}"
"""Frame N is flat gray of level 16 + 7 N (limited range): the picture tells its number."""

COUNT = "format=yuv420p,geq=lum='16+7*mod(N,30)':cb=128:cr=128"

Encode = Callable[..., Path]


@pytest.fixture(scope="session")
def ffmpeg() -> Callable[..., bytes]:
    """Run ffmpeg; a failure shows what it said."""
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg")
    program = imageio_ffmpeg.get_ffmpeg_exe()

    def run(*arguments: str | Path, stdin: bytes = b"") -> bytes:
        done = subprocess.run(
            [program, "-v", "error", "-y", *map(str, arguments)],
            input=stdin,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done.stdout

    return run


@pytest.fixture(scope="session")
def counting(tmp_path_factory, ffmpeg) -> Encode:
    """Encode the counting clip; the same arguments give the same file again."""
    folder = tmp_path_factory.mktemp("counting")
    made: dict[tuple[str, ...], Path] = {}

    def encode(name: str, *arguments: str, source: str = COUNTING, vf: str = COUNT) -> Path:
        key = (name, source, vf, *arguments)
        if key not in made:
            path = folder / str(len(made)) / name
            path.parent.mkdir()
            ffmpeg("-f", "lavfi", "-i", source, "-vf", vf, "-an", *arguments, path)
            made[key] = path
        return made[key]

    return encode


def plain_frames(path: Path) -> Iterator[av.VideoFrame]:
    """Decode a file the plain way: from the start, one thread, nothing left out."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError:
                continue


def read(path: Path, rows=None, transform=None, **options):
    """Decode some rows (all by default) into one stream called "a"."""
    return decode_video(
        path,
        sampler=lambda table: {
            "a": np.arange(len(table)) if rows is None else np.asarray(rows, np.int64) % len(table)
        },
        transforms={"a": transform or Whole()},
        **options,
    )


def numbers_of(images) -> list[int]:
    """Read the frame numbers off pictures of the counting clip."""
    levels = np.asarray(images).mean(axis=(1, 2, 3)) * 219 / 255
    return np.rint(levels / 7).astype(int).tolist()
