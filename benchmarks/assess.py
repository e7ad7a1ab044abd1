"""A whole assessment beside decode-only ffmpeg, on one clip, in one run.

    python benchmarks/assess.py CLIP [--runs 5]

Rows: ffmpeg decoding every frame to nothing; our reading; the model part; a whole assessment in a
warm session (what a batch pays for each video); the command from a cold start. Runs alternate,
medians and ratios to ffmpeg are printed; nothing is asserted.
"""

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg

import finevq
from finevq.inference.session import Session


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    session = finevq.load("nano")
    session.assess(str(options.clip))  # warm: worker started, graphs optimized
    rows: dict[str, list[float]] = {}
    for _ in range(options.runs):
        for name, seconds in measure(options.clip, session).items():
            rows.setdefault(name, []).append(seconds)
    yardstick = statistics.median(rows["ffmpeg decode-only"])
    for name, values in rows.items():
        median = statistics.median(values)
        print(f"{name:24} {median:7.3f} s  {median / yardstick:5.2f} x ffmpeg")


def measure(clip: Path, session: Session) -> dict[str, float]:
    """Return seconds of each row, once."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-v", "error", "-i", str(clip), "-map", "0:v:0", "-f", "null", "-"]
    seconds = {"ffmpeg decode-only": _timed(lambda: subprocess.run(command, check=True))}
    started = time.perf_counter()
    report = session.assess(str(clip))
    total = time.perf_counter() - started
    seconds["our reading"] = report.seconds["decode"]
    seconds["model part"] = report.seconds["model"]
    seconds["assessment, warm"] = total
    cold = [sys.executable, "-m", "finevq", "assess", str(clip), "--json"]
    seconds["finevq assess, cold"] = _timed(
        lambda: subprocess.run(cold, check=True, stdout=subprocess.DEVNULL)
    )
    return seconds


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
