"""Many videos one after another: order kept, failures in place, decoding ahead of the model.

While the model works on one video, a thread already prepares (decodes) the next. At most
`look_ahead` prepared videos exist besides the one in the model, so memory is flat in the number
of videos. Closing the iterator, by `break` or Ctrl-C, stops the preparation at once.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

from finevq.errors import FineVQError
from finevq.records import Failure

Item = TypeVar("Item")
Prepared = TypeVar("Prepared")
Result = TypeVar("Result")

_log = logging.getLogger(__name__)


def assess_in_order(
    items: Iterable[Item],
    prepare: Callable[[Item], Prepared],
    finish: Callable[[Item, Prepared], Result],
    *,
    name: Callable[[Item], str] = str,
    look_ahead: int = 1,
) -> Iterator[Result | Failure]:
    """Yield one result or failure an item, in the order of the items.

    Args:
        items: What to work on; read lazily, by the preparing thread.
        prepare: First part (decode); runs in one thread of its own, item after item.
        finish: Second part (model); runs in the caller's thread.
        name: How an item is called in its `Failure`.
        look_ahead: Prepared items that may wait for `finish`; 1 or more.

    Raises:
        BaseException: what `items` itself raises, or KeyboardInterrupt; never what a part raises.
    """
    if look_ahead < 1:
        raise ValueError(f"look_ahead={look_ahead} must be 1 or more")
    worker = _Preparer(items, prepare, look_ahead)
    worker.start()
    try:
        while (step := worker.next()) is not None:
            yield _finished(step, finish, name)
    finally:
        worker.stop()


def as_failure(video: str, error: Exception) -> Failure:
    """Return the record of an error; one that nobody foresaw is logged with its traceback.

    >>> from finevq.errors import VideoDecodeError
    >>> as_failure("a.mp4", VideoDecodeError("'a.mp4' holds no video stream"))
    Failure(video='a.mp4', error_type='VideoDecodeError', message="'a.mp4' holds no video stream")
    """
    kind = type(error).__name__
    if isinstance(error, FineVQError):
        return Failure(video, kind, str(error))
    _log.error("unexpected %s on %r", kind, video, exc_info=error)
    return Failure(video, kind, f"unexpected {kind}: {error or 'no message'}")


def in_place(
    entries: Iterable[str | Failure], results: Iterator[Result | Failure]
) -> Iterator[Result | Failure]:
    """Yield the failures among `entries` where they stand, and the next result for each path.

    >>> lost = Failure("b", "NoVideosFoundError", "no b")
    >>> [r if isinstance(r, str) else r.video for r in in_place(["a", lost, "c"], iter("AC"))]
    ['A', 'b', 'C']
    """
    for entry in entries:
        if isinstance(entry, Failure):
            yield entry
        else:
            yield next(results)


@dataclass(frozen=True, slots=True)
class _Step(Generic[Item, Prepared]):
    """An item and what its preparation gave: a value or an error."""

    item: Item
    prepared: Prepared | None
    error: Exception | None


def _finished(
    step: _Step[Item, Prepared],
    finish: Callable[[Item, Prepared], Result],
    name: Callable[[Item], str],
) -> Result | Failure:
    # A boundary: whatever goes wrong with one video must not reach the others.
    if step.error is not None:
        return as_failure(name(step.item), step.error)
    try:
        return finish(step.item, step.prepared)  # type: ignore[arg-type]  # no error: it is set
    except Exception as error:
        return as_failure(name(step.item), error)


class _Preparer(Generic[Item, Prepared]):
    """The thread that runs `prepare` ahead of the caller.

    A daemon: a decoder that hangs must not keep the process from ending.
    """

    def __init__(
        self, items: Iterable[Item], prepare: Callable[[Item], Prepared], look_ahead: int
    ) -> None:
        self._items = items
        self._prepare = prepare
        self._room = threading.Semaphore(look_ahead)
        self._stopped = threading.Event()
        self._steps: SimpleQueue[_Step[Item, Prepared] | BaseException | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="finevq-prepare", daemon=True)

    def start(self) -> None:
        """Begin with the first item."""
        self._thread.start()

    def next(self) -> _Step[Item, Prepared] | None:
        """Wait for the next item and make room for one more; None after the last."""
        step = self._steps.get()
        self._room.release()
        if isinstance(step, BaseException):
            raise step
        return step

    def stop(self) -> None:
        """Prepare nothing more; does not wait for what is under way."""
        self._stopped.set()
        self._room.release()

    def _run(self) -> None:
        try:
            for item in self._items:
                self._room.acquire()
                if self._stopped.is_set():
                    return
                self._steps.put(self._attempt(item))
            self._steps.put(None)
        except BaseException as error:
            # From `items` itself, or a request to exit: the caller's thread raises it.
            self._steps.put(error)

    def _attempt(self, item: Item) -> _Step[Item, Prepared]:
        try:
            return _Step(item, self._prepare(item), None)
        except Exception as error:
            return _Step(item, None, error)
