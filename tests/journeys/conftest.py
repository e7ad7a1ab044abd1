"""The command line on a session of known answers, in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

import finevq
from finevq.cli.main import run
from finevq.settings import Settings
from known_session import KnownSession


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write as into a file: some test runners set the width of their own terminal."""
    monkeypatch.delenv("COLUMNS", raising=False)


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


@pytest.fixture(name="finevq")
def finevq_training(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Call `finevq` with arguments, in this process, on the real thing: code, out, err."""
    monkeypatch.setenv("FINEVQ_ISOLATE_DECODER", "0")

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["finevq", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            run()
        out, err = capfd.readouterr()
        code = exit_.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call
