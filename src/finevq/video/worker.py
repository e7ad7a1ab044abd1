"""The child's side of `isolation`: jobs come in at standard input, results go to its output.

A message is a pickled object whose large arrays follow as raw bytes (pickle protocol 5, buffers out
of band), so pictures are copied once by the pipe and not at all by pickle. Both ends are ours.
"""

import os
import pickle
import struct
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from finevq.settings import Settings
from finevq.video.decode import decode_video
from finevq.video.sampling import Sampler
from finevq.video.transforms import FrameTransform


@dataclass(frozen=True, slots=True)
class Job:
    """One video to decode."""

    path: str
    sampler: Sampler
    transforms: Mapping[str, FrameTransform]
    settings: Settings
    threads: int | None


def send(pipe: IO[bytes], payload: bytes, buffers: Sequence[memoryview]) -> None:
    """Write a pickle and its buffers."""
    sizes = [len(payload), *(buffer.nbytes for buffer in buffers)]
    pipe.write(struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes))
    pipe.write(payload)
    for buffer in buffers:
        pipe.write(buffer)
    pipe.flush()


def receive(pipe: IO[bytes]) -> object:
    """Read what `send` wrote.

    Raises:
        EOFError: the other side is gone.
    """
    (count,) = struct.unpack("<I", _read(pipe, 4))
    sizes = struct.unpack(f"<{count}Q", _read(pipe, 8 * count))
    parts = [_read(pipe, size) for size in sizes]
    return pickle.loads(parts[0], buffers=parts[1:])


def _read(pipe: IO[bytes], size: int) -> bytearray:
    data = bytearray(size)
    view, filled = memoryview(data), 0
    while filled < size:
        count = pipe.readinto(view[filled:])  # type: ignore[attr-defined]  # buffered binary pipe
        if not count:
            raise EOFError("the other side closed the pipe")
        filled += count
    return data


def main() -> None:
    """Serve jobs until the parent closes the pipe."""
    jobs = sys.stdin.buffer
    # Whatever prints goes to the error stream; only results go to the pipe.
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    while True:
        try:
            job = receive(jobs)
        except EOFError:
            return
        except Exception as error:  # a job that cannot be unpickled here: name it to the parent
            result: object = RuntimeError(f"the job cannot be read by the worker: {error!r}")
        else:
            assert isinstance(job, Job)
            result = _attempt(job)
        buffers: list[pickle.PickleBuffer] = []
        payload = pickle.dumps(result, protocol=5, buffer_callback=buffers.append)
        send(results, payload, [buffer.raw() for buffer in buffers])


def _attempt(job: Job) -> object:
    try:
        return decode_video(
            job.path,
            sampler=job.sampler,
            transforms=job.transforms,
            settings=job.settings,
            threads=job.threads,
        )
    except Exception as error:  # a boundary: the parent raises it again
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:  # some exceptions do not survive pickling
            return RuntimeError("".join(traceback.format_exception(error)))
        return error
