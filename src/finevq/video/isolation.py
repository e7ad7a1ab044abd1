"""Decoding in worker processes: a crash or a hang in a decoder costs one video, not the program.

Video decoders are large C programs that read what strangers wrote. A worker that dies or overruns
its time is killed, named in the error of its video, and replaced for the next one. Workers are kept
between videos; their start (a quarter of a second) is paid once. They are plain subprocesses, not
`multiprocessing` children, so scripts need no `if __name__ == "__main__"` guard.
"""

import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from finevq.errors import FineVQError, VideoDecodeError
from finevq.settings import Settings
from finevq.video.decode import DecodedVideo
from finevq.video.sampling import Sampler
from finevq.video.transforms import FrameTransform
from finevq.video.worker import Job, receive, send

GRACE_SECONDS = 5.0
"""The reader itself stops at the time limit; a worker that does not is killed this much later."""

MAX_VIDEOS_PER_WORKER = 500
"""A worker is replaced after so many videos, so that no leak can grow for ever."""

_START = "import sys; sys.path[:] = sys.argv[1:]; from finevq.video.worker import main; main()"
"""The child must find this very package, however the parent came to it."""


class DecoderPool:
    """A few worker processes that decode videos; use it as a context manager.

    Threads may share a pool; each call waits for a free worker.
    """

    def __init__(self, *, num_workers: int = 1, settings: Settings | None = None) -> None:
        """Prepare the pool; workers start when they are first needed.

        Args:
            num_workers: Videos decoded at the same time, at least 1.
            settings: Limits; the defaults where None.

        Raises:
            ValueError: `num_workers` below 1.
        """
        if num_workers < 1:
            raise ValueError(f"a pool needs at least 1 worker, not {num_workers}")
        self._settings = settings or Settings()
        self._num_workers = num_workers
        self._slots = threading.Semaphore(num_workers)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the idle workers; the pool cannot be used afterwards."""
        with self._lock:
            self._is_closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.stop()

    def decode(
        self,
        path: str | Path,
        *,
        sampler: Sampler,
        transforms: Mapping[str, FrameTransform],
        threads: int | None = None,
    ) -> DecodedVideo:
        """Do what `decode_video` does, in a worker process.

        Args:
            path: A local file.
            sampler: Picks frames; must be picklable: a function of a module, a partial of one, or
                an instance of a module's class, not a lambda.
            transforms: One for each stream of the sampler.
            threads: Decoder threads; `settings.decode_threads` where None.

        Raises:
            InvalidInputError: there is no such file.
            VideoDecodeError: not one frame can be decoded, or the decoder crashed or hung.
            VideoLimitError: larger, longer or slower than the settings allow.
            RuntimeError: the pool is closed.
        """
        job = Job(str(Path(path).absolute()), sampler, transforms, self._settings, threads)
        with self._slots:
            worker = self._take()
            try:
                result = worker.run(job, name=str(path))
            except BaseException:
                self._give_back(worker)
                raise
            self._give_back(worker)
            return result

    def decode_many(
        self,
        paths: Iterable[str | Path],
        *,
        sampler: Sampler,
        transforms: Mapping[str, FrameTransform],
        threads: int | None = None,
    ) -> Iterator[DecodedVideo | FineVQError]:
        """Decode videos ahead of their use, in order; a bad one yields its error.

        At most one video a worker is decoded ahead, so memory stays bounded.
        """

        def attempt(path: str | Path) -> DecodedVideo | FineVQError:
            try:
                return self.decode(path, sampler=sampler, transforms=transforms, threads=threads)
            except FineVQError as error:
                return error

        ahead: deque[Future[DecodedVideo | FineVQError]] = deque()
        with ThreadPoolExecutor(self._num_workers) as executor:
            for path in paths:
                ahead.append(executor.submit(attempt, path))
                if len(ahead) > self._num_workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()

    def _take(self) -> "_Worker":
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the decoder pool is closed")
            if self._idle:
                return self._idle.pop()
        return _Worker()

    def _give_back(self, worker: "_Worker") -> None:
        with self._lock:
            if worker.is_usable and not self._is_closed:
                self._idle.append(worker)
                return
        worker.stop()


class _Worker:
    """One child process."""

    def __init__(self) -> None:
        # The child must find this very package, however the parent came to it.
        start = (
            "import sys; sys.path[:] = sys.argv[1:]; from finevq.video.worker import main; main()"
        )
        self._process = subprocess.Popen(
            [sys.executable, "-c", start, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._num_done = 0

    @property
    def is_usable(self) -> bool:
        """Whether it can take another video."""
        return self._process.poll() is None and self._num_done < MAX_VIDEOS_PER_WORKER

    def run(self, job: Job, *, name: str) -> DecodedVideo:
        """Send a job and wait for its result; kill the process if it takes too long."""
        limit = job.settings.decode_timeout_seconds + GRACE_SECONDS
        has_overrun = threading.Event()

        def overrun() -> None:
            has_overrun.set()
            self._process.kill()

        assert self._process.stdin is not None
        assert self._process.stdout is not None
        payload = pickle.dumps(job, protocol=5)  # a sampler that cannot be pickled fails here
        timer = threading.Timer(limit, overrun)
        timer.daemon = True
        timer.start()
        try:
            send(self._process.stdin, payload, ())
            result = receive(self._process.stdout)
        except (EOFError, OSError) as error:
            code = self._process.wait()
            if has_overrun.is_set():
                raise VideoDecodeError(
                    f"{name}: the decoder hung and was stopped after {limit:g} s "
                    "(FINEVQ_DECODE_TIMEOUT_SECONDS sets the limit)"
                ) from error
            raise VideoDecodeError(f"{name}: the decoder crashed ({_cause(code)})") from error
        except BaseException:  # interrupted: what the worker sends later would be misread
            self._process.kill()
            raise
        finally:
            timer.cancel()
        self._num_done += 1
        if isinstance(result, FineVQError):
            raise type(result)(str(result).replace(job.path, name))
        if isinstance(result, BaseException):
            raise result
        assert isinstance(result, DecodedVideo)
        return result

    def stop(self) -> None:
        """End the process and close its pipes."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:  # what was buffered for a dead process
                    continue


def _cause(code: int) -> str:
    if code >= 0:
        return f"its process ended with code {code}"
    name = signal.Signals(-code).name
    return f"signal {name}{', perhaps out of memory' if name == 'SIGKILL' else ''}"
