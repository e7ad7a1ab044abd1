"""A session of known answers, for the command line's own behaviour."""

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import finevq
from assessments import MODEL, make_assessment
from finevq.cli.main import run
from finevq.errors import UnsupportedQuestionError, VideoDecodeError
from finevq.inference.batching import assess_in_order
from finevq.records import Assessment, Failure, ModelIdentity
from finevq.settings import Settings


class KnownSession:
    """Answers from a file's bytes: the same file, the same assessment; b"broken" cannot be read."""

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

    def ask(self, path: str, question: str) -> str:
        _read(path)
        if not question.endswith("?"):
            raise UnsupportedQuestionError(f"{question!r} is not a question that nano knows")
        return f"The answer to {question!r}."


def _read(path: str) -> bytes:
    content = Path(path).read_bytes()
    if content == b"broken":
        raise VideoDecodeError(f"{path!r} holds no video stream")
    return content


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> KnownSession:
    """The session that `finevq.load` gives."""
    known = KnownSession()

    def load(model: str, *, settings: Settings) -> KnownSession:
        return known

    monkeypatch.setitem(vars(finevq), "load", load)  # the real one is imported on first use
    return known


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own folder to work in, with three videos, one of them broken."""
    work = tmp_path / "work"
    work.mkdir()
    for name, content in (("a1.mp4", b"one"), ("a2.mp4", b"broken"), ("a10.mp4", b"ten")):
        (work / name).write_bytes(content)
    monkeypatch.chdir(work)
    return work


@dataclass(frozen=True)
class Ended:
    """How a call of the command line ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def finevq_command(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> Callable[..., Ended]:
    """Call `finevq` with arguments, in this process."""

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["finevq", *arguments])
        with pytest.raises(SystemExit) as exit_request:
            run()
        written = capsysbinary.readouterr()
        code = exit_request.value.code
        assert code is None or isinstance(code, int)
        return Ended(code or 0, written.out.decode(), written.err.decode())

    return call
