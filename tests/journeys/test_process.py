"""What only a process of its own shows: pipes, signals, exit codes, terminals."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT

pytestmark = pytest.mark.full

COMMAND = [sys.executable, str(ROOT / "tests" / "known_session.py")]


@pytest.fixture
def videos(folder: Path) -> Path:
    for number in range(40):
        (folder / f"v{number}.mp4").write_bytes(b"%d" % number)
    return folder


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), **more}


def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, timeout=120, env=environment(), **options
    )


def test_a_closed_pipe_ends_quietly(videos: Path):
    process = subprocess.Popen(
        [*COMMAND, "assess", ".", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    json.loads(process.stdout.readline())
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert process.wait(60) == 1
    # A broken video may have been reported before the pipe closed.
    assert b"Traceback" not in errors
    assert b"BrokenPipe" not in errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full (Linux)")
@pytest.mark.parametrize("options", [["--json"], [], ["--csv", "-"]])
def test_a_full_disk_behind_standard_output_is_said(videos: Path, options: list[str]):
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, "assess", "a1.mp4", *options],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=120,
            env=environment(),
        )
    assert done.stderr.decode() == "error: standard output: No space left on device\n"
    assert done.returncode == 1


def test_ctrl_c_ends_at_once_and_keeps_what_is_finished(videos: Path):
    (videos / "v7.mp4").write_bytes(b"endless")
    process = subprocess.Popen(
        [*COMMAND, "assess", "v*.mp4", "--jsonl", "o.jsonl"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        # A shell's background jobs ignore interrupts, and their children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines = videos / "o.jsonl"
    deadline = time.monotonic() + 60
    while not (lines.exists() and lines.read_bytes().count(b"\n") == 7):
        assert time.monotonic() < deadline, "the first seven videos never came"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors == b"error: interrupted; 7 of 40 videos are finished and kept\n"
    assert b"7 videos assessed" in out
    assert len(lines.read_bytes().splitlines()) == 7


def test_a_killed_run_is_continued(videos: Path):
    (videos / "v30.mp4").write_bytes(b"endless")
    process = subprocess.Popen(
        [*COMMAND, "assess", "v*.mp4", "--csv", "o.csv"],
        stdout=subprocess.DEVNULL,
        env=environment(),
    )
    rows = videos / "o.csv"
    deadline = time.monotonic() + 60
    while not (rows.exists() and rows.read_bytes().count(b"\r\n") == 31):
        assert time.monotonic() < deadline, "the first thirty videos never came"
        time.sleep(0.05)
    process.kill()
    process.wait()
    rows.write_bytes(rows.read_bytes()[:-10])  # the disk had not caught up
    (videos / "v30.mp4").write_bytes(b"repaired")
    done = run("assess", "v*.mp4", "--csv", "o.csv", "--resume")
    assert done.stderr == b"29 already finished, not assessed again\n"
    assert done.returncode == 0
    names = [row.split(b",")[0] for row in rows.read_bytes().split(b"\r\n")[1:-1]]
    assert names == [b"v%d.mp4" % number for number in range(40)]


def test_a_terminal_gets_color_and_progress_and_a_file_neither(videos: Path):
    def on_terminal(**more: str) -> bytes:
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            [*COMMAND, "assess", "."],
            stdout=theirs,
            stderr=theirs,
            env=environment(TERM="xterm-256color", **more),
        )
        os.close(theirs)
        content = b""
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            content += part
        os.close(ours)
        assert process.wait(60) == 1
        return content

    colored = on_terminal()
    assert b"assessing" in colored
    assert b"\x1b[38;5;" in colored
    assert b"\x1b[38;5;" not in on_terminal(NO_COLOR="1")
    plain = run("assess", ".")
    assert b"\x1b" not in plain.stdout + plain.stderr
    assert b"assessing" not in plain.stderr


def test_a_terminal_of_plain_letters_gets_no_other(videos: Path):
    name = "été.mp4"
    (videos / name).write_bytes(b"x")
    done = subprocess.run(
        [*COMMAND, "assess", name],
        capture_output=True,
        timeout=120,
        env=environment(PYTHONIOENCODING="ascii"),
    )
    assert done.returncode == 0
    assert done.stdout.isascii()
    assert rb"\xe9t\xe9.mp4" in done.stdout


def test_names_of_any_bytes_go_through(videos: Path):
    name = b"caf\xe9.mp4"
    with open(os.fsencode(videos) + b"/" + name, "wb") as file:
        file.write(b"x")
    done = subprocess.run(
        [*map(os.fsencode, COMMAND), b"assess", b"--json", name],
        capture_output=True,
        timeout=120,
        env=environment(),
    )
    assert os.fsencode(json.loads(done.stdout)["video"]) == name


def test_help_and_version_need_no_model():
    for arguments in (["--help"], ["-h"], ["assess", "--help"], ["--version"], ["models"]):
        done = run(*arguments)
        assert done.returncode == 0
        assert done.stderr == b""
