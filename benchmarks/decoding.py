"""Decoding: the ffmpeg binary alone, and what a model's inputs cost with our reader.

    python benchmarks/decoding.py CLIP [--hour] [--runs 5]

Decode-only ffmpeg (`-f null -`) is the yardstick. Ours makes 8 pictures of 448 x 448 and 64 of
128 x 128, as an assessment does. Runs alternate, medians are printed; nothing is asserted. `--hour`
loops the clip (stream copy) to an hour and adds that file, with the peak memory of each process.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import imageio_ffmpeg

_OURS = """
import json, resource, sys, time
from finevq.settings import Settings
from finevq.video.decode import decode_video
from finevq.video.sampling import burst_indices, uniform_indices
from finevq.video.transforms import Squash
begin, cpu = time.perf_counter(), time.process_time()
video = decode_video(
    sys.argv[1],
    sampler=lambda table: {
        "image": uniform_indices(len(table), 8),
        "motion": burst_indices(table, num_bursts=4, frames_per_burst=16),
    },
    transforms={"image": Squash(448), "motion": Squash(128)},
    settings=Settings(),
)
print(json.dumps({
    "wall": time.perf_counter() - begin,
    "cpu": time.process_time() - cpu,
    "peak_mebibytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def measure_ours(path: Path) -> dict[str, float]:
    """Decode in a fresh process; imports are not counted."""
    done = subprocess.run(
        [sys.executable, "-c", _OURS, str(path)], capture_output=True, check=True, text=True
    )
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def measure_ffmpeg(path: Path) -> dict[str, float]:
    """Decode every frame of the first video stream to nothing."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    begin = time.perf_counter()
    done = subprocess.run(
        [program, "-v", "info", "-benchmark", "-i", str(path), "-map", "0:v:0", "-f", "null", "-"],
        capture_output=True,
        check=True,
        text=True,
        errors="replace",
    )
    wall = time.perf_counter() - begin
    line = next(row for row in done.stderr.splitlines() if "utime=" in row)
    parts = dict(word.split("=") for word in line.split() if "=" in word)
    cpu = sum(float(parts[name].rstrip("s")) for name in ("utime", "stime"))
    memory = next(row for row in done.stderr.splitlines() if "maxrss=" in row)
    kibibytes = float(memory.split("maxrss=")[1].split("Ki")[0].split("kB")[0])
    return {"wall": wall, "cpu": cpu, "peak_mebibytes": kibibytes / 1024}


def compare(path: Path, runs: int, *, with_ffmpeg: bool = True) -> None:
    """Alternate both and print medians and ratios."""
    ours, theirs = [], []
    for _ in range(runs):
        ours.append(measure_ours(path))
        if with_ffmpeg:
            theirs.append(measure_ffmpeg(path))
    print(f"\n{path.name}  ({runs} runs, medians)")
    for name in ("wall", "cpu", "peak_mebibytes"):
        mine = statistics.median(run[name] for run in ours)
        if not theirs:
            print(f"  {name:15} ours {mine:8.2f}")
            continue
        other = statistics.median(run[name] for run in theirs)
        print(f"  {name:15} ours {mine:8.2f}   ffmpeg {other:8.2f}   ratio {mine / other:.2f}")


def main() -> None:
    """Parse the call and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--hour", action="store_true", help="also a copy looped to an hour")
    arguments = parser.parse_args()
    compare(arguments.clip, arguments.runs)
    if not arguments.hour:
        return
    from finevq.video.decode import probe_video

    loops = int(3600 / probe_video(arguments.clip).duration_seconds)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".mp4", ".mkv"):
            path = Path(folder) / f"hour{suffix}"
            program = imageio_ffmpeg.get_ffmpeg_exe()
            loop = ["-stream_loop", str(loops), "-i", str(arguments.clip)]
            copy = ["-map", "0:v:0", "-c", "copy", str(path)]
            subprocess.run([program, "-v", "error", *loop, *copy], check=True)
            # ffmpeg would decode the whole hour: minutes, and nothing to learn from.
            compare(path, max(1, arguments.runs // 2), with_ffmpeg=False)
            path.unlink()


if __name__ == "__main__":
    main()
