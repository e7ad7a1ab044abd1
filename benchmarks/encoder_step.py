"""What does a step of training nano's image encoder cost here, and what do two measures save?

    python benchmarks/encoder_step.py [--pictures 24] [--steps 3] [--repeats 3]

A step: forward and backward of pictures of 256 pixels in two views, and the optimizer. By turns, in
a process of its own each time: as PyTorch and the C library do it; with freed memory kept
(finevq.training.freed_memory); with normalization folded into the convolutions (finevq.model.
image_encoder); with both, which is how nano is trained. Medians, ratios, and the pages that a step
asks the kernel for.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

import torch

from finevq.model import image_encoder
from finevq.model.config import ImageEncoderConfig
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.training.freed_memory import keep_freed_memory

_SIDE = 256
_WAYS = {
    "plain": (False, False),
    "memory kept": (True, False),
    "folded": (False, True),
    "both": (True, True),
}
"""Name -> whether memory is kept, whether normalization is folded."""


def main() -> None:
    """Measure all ways by turns, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=24)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--way", choices=_WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measured(options)))
        return
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in _WAYS}
    for _ in range(options.repeats):
        for way, results in runs.items():
            command = [sys.executable, *sys.argv, "--way", way]
            run = subprocess.run(command, capture_output=True, text=True, check=True)
            results.append(json.loads(run.stdout))
    table = {
        way: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for way, rows in runs.items()
    }
    plain = table["plain"]["seconds"]
    shown = {
        way: {
            "seconds": round(row["seconds"], 2),
            "times_plain": round(row["seconds"] / plain, 2),
            "pages": round(row["pages"]),
        }
        for way, row in table.items()
    }
    print(json.dumps(shown, indent=1))


def measured(options: argparse.Namespace) -> dict[str, float]:
    """Return median seconds and page faults of a step, in this process."""
    keeps, folds = _WAYS[options.way]
    if keeps and not keep_freed_memory():
        raise SystemExit("memory cannot be kept here: this C library is not glibc")
    if not folds:
        image_encoder._learns = lambda _: False  # type: ignore[assignment]
    torch.set_num_threads(options.threads)
    images = ImageEncoderConfig(kind="efficientnet_lite2")
    encoder = EfficientNetEncoder(images.kind, images.mean, images.std).eval()
    encoder.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(encoder.parameters())
    shape = options.pictures, 3, _SIDE, _SIDE
    pictures = torch.randn(shape).contiguous(memory_format=torch.channels_last)
    seconds, pages = [], []
    for _ in range(options.steps + 1):
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        optimizer.zero_grad()
        torch.cat([encoder(pictures), encoder(pictures)]).mean().backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
        pages.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    # The first step fills the memory.
    return {"seconds": statistics.median(seconds[1:]), "pages": statistics.median(pages[1:])}


if __name__ == "__main__":
    main()
