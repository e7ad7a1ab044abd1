"""The command line on a session of known answers, in this process."""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import finevq
from conftest import skip_or_fail
from finevq.cli.main import run
from finevq.settings import Settings
from known_session import KnownSession

POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


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


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A throw-away PostgreSQL cluster; its programs refuse to run as root."""
    if not POSTGRES:
        skip_or_fail("PostgreSQL's programs are not in /usr/lib/postgresql")
    # pytest's own folders are closed to other users.
    home = Path(tempfile.mkdtemp(prefix="finevq-postgres-"))
    as_postgres: list[str] = []
    if os.geteuid() == 0:
        account = pwd.getpwnam("postgres")
        os.chown(home, account.pw_uid, account.pw_gid)
        as_postgres = ["runuser", "-u", "postgres", "--"]
    data = home / "data"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [*as_postgres, str(POSTGRES[-1] / program), *arguments],
            check=True,
            cwd=home,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    run("initdb", "-D", str(data), "-A", "trust", "-U", "postgres", "-N")
    options = f"-k {home} -p {port} -c listen_addresses=127.0.0.1"
    log = str(home / "log")
    run("pg_ctl", "-D", str(data), "-w", "-t", "280", "-o", options, "-l", log, "start")
    yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
    run("pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")
    shutil.rmtree(home)
