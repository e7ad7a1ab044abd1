"""A session of known answers, and the command line on it as a process of its own.

The command line's own behaviour (paths, outputs, resuming, errors) does not depend on a model;
what does is tested on the real one.
"""

import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import finevq
from assessments import MODEL, make_assessment
from finevq.errors import UnsupportedQuestionError, VideoDecodeError
from finevq.inference.batching import assess_in_order
from finevq.records import Assessment, Failure, ModelIdentity
from finevq.settings import Settings


class KnownSession:
    """Answers from a file's bytes: the same file, the same assessment.

    b"broken" cannot be read, b"bug" breaks the model, b"endless" takes an hour.
    """

    identity: ModelIdentity = MODEL

    def __init__(self) -> None:
        self.assessed: list[str] = []
        self.interrupt_at: str | None = None

    def assess_many(
        self, paths: Iterable[str], *, timeline: bool = False, thumbnails: bool = False
    ) -> Iterator[Assessment | Failure]:
        def finish(path: str, content: bytes) -> Assessment:
            if path == self.interrupt_at:
                raise KeyboardInterrupt
            self.assessed.append(path)
            if content == b"bug":
                raise ZeroDivisionError("division by zero")
            seed = zlib.crc32(content)
            return make_assessment(path, timeline=timeline, thumbnails=thumbnails, seed=seed)

        return assess_in_order(paths, _read, finish)

    def ask(self, path: str, question: str, *, max_tokens: int = 256) -> str:
        del max_tokens
        _read(path)
        if not question.endswith("?"):
            raise UnsupportedQuestionError(f"{question!r} is not a question that nano knows")
        return f"The answer to {question!r}."


def _read(path: str) -> bytes:
    content = Path(path).read_bytes()
    if content == b"endless":
        time.sleep(3600)
    if content == b"broken":
        raise VideoDecodeError(f"{path!r} holds no video stream")
    return content


if __name__ == "__main__":
    from finevq.cli.main import run

    known = KnownSession()

    def load(model: str, *, settings: Settings) -> KnownSession:
        """Stand in for `finevq.load`."""
        return known

    vars(finevq)["load"] = load
    run()
