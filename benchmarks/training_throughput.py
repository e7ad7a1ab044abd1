"""How much of a training loop's time is spent waiting for data, with a cold and a warm cache.

    python benchmarks/training_throughput.py MANIFEST [--videos 32] [--epochs 3] [--workers 1]

Trains nano's second stage on the first videos of a synthesized data set into a temporary folder.
The first epoch decodes every video; later ones read decoded inputs back. The share is that of the
loop's own clock (steps.csv): from asking for a batch until it is there, against the whole step.
Features of frozen encoders are computed in every step (--keep-features: once), so that every step
needs its pixels. Prints medians over steps too, since other load on the machine makes means noisy.

--cpu measures in CPU time instead, which other load hardly moves: reading a batch from a warm
cache against one step of the model on it (forward and backward), both in one process with one
thread. Without workers that is the share of waiting; with workers the loop waits less.
"""

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from finevq.settings import Settings, load_settings
from finevq.training.dataset import InstructionBatch, InstructionDataset, collate, make_loader
from finevq.training.decoded_cache import DecodedCache
from finevq.training.journal import STEPS_FILE, read_rows
from finevq.training.network import TrainingNetwork, num_visual_tokens
from finevq.training.parts import set_modes
from finevq.training.presets import preset
from finevq.training.rows import make_rows
from finevq.training.stage_data import read_records
from finevq.training.stage_run import train_stage
from finevq.training.stages import LoraConfig, StageConfig
from finevq.training.start import open_start

Result = TypeVar("Result")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--videos", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--image-rank", type=int, default=0)
    parser.add_argument("--keep-features", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        config = _config(options, Path(folder))
        settings = load_settings()
        if options.cpu:
            _compare_cpu(config, settings)
            return
        _train(config, Path(folder) / "run", settings)
        _load_alone(config, settings)


def _config(options: argparse.Namespace, folder: Path) -> StageConfig:
    config = preset("stage2", "nano")
    data = replace(
        config.data,
        path=options.manifest,
        tasks=("rating",),
        max_train=options.videos * 6,
        max_validation=24,
        group_videos=True,
        cache=folder / "cache",
        workers=options.workers,
    )
    steps = replace(
        config.steps,
        epochs=options.epochs,
        batch_size=options.batch_size,
        keeps_features=options.keep_features,
    )
    lora = LoraConfig(image_rank=options.image_rank, language_rank=8)
    return replace(config, data=data, steps=steps, lora=lora)


def _train(config: StageConfig, run: Path, settings: Settings) -> None:
    train_stage(config, run, settings)
    epochs: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for row in read_rows(run / STEPS_FILE):
        epochs[int(row["epoch"])].append((float(row["seconds"]), float(row["waiting_seconds"])))
    print("epoch  cache  steps  seconds  waiting  share  median share of a step")
    for epoch, steps in sorted(epochs.items()):
        seconds, waiting = (sum(column) for column in zip(*steps, strict=True))
        median = statistics.median(waited / total for total, waited in steps)
        cache = "cold" if epoch == 1 else "warm"
        print(
            f"{epoch:5}  {cache:5}  {len(steps):5}  {seconds:7.2f}  {waiting:7.2f}  "
            f"{waiting / seconds:5.1%}  {median:5.1%}"
        )
    warm = [step for epoch, steps in epochs.items() if epoch > 1 for step in steps]
    if warm:
        seconds, waiting = (sum(column) for column in zip(*warm, strict=True))
        print(f"warm epochs together: {waiting / seconds:.1%} of the time waiting for data")


def _compare_cpu(config: StageConfig, settings: Settings) -> None:
    """Print CPU times of decoding, reading back and learning one batch."""
    start = open_start(config)
    video = start.model.config.video
    cache = DecodedCache(
        config.data.cache, video, replace(settings, isolate_decoder=False), config.data.cache_bytes
    )
    dataset = InstructionDataset(read_records(config)["train"], cache, group_videos=True)
    places = range(min(config.steps.batch_size, len(dataset)))
    network = TrainingNetwork(start.model, keeps_features=config.steps.keeps_features)
    set_modes(start.model, config)

    def load() -> InstructionBatch:
        return collate([dataset[place] for place in places])

    def learn() -> None:
        rows = make_rows(
            start.prompter,
            num_visual_tokens(start.model.config),
            batch.records,
            learns_opening=config.losses.learns_opening,
        )
        network(batch, rows).scores.sum().backward()

    seconds = {}
    _, seconds["decoding"] = _cpu_seconds(load)
    batch, seconds["reading back"] = _cpu_seconds(load)
    _, seconds["learning"] = _cpu_seconds(learn)
    for name, value in seconds.items():
        print(f"{name}: {value / len(batch) * 1000:.1f} ms of CPU a video")
    share = seconds["reading back"] / (seconds["reading back"] + seconds["learning"])
    print(f"share of a step without workers: {share:.1%}")


def _cpu_seconds(run: Callable[[], Result]) -> tuple[Result, float]:
    began = time.process_time()
    result = run()
    return result, time.process_time() - began


def _load_alone(config: StageConfig, settings: Settings) -> None:
    """Time reading decoded inputs back in this process, with no model beside it."""
    video = open_start(config, empty=True).model.config.video
    cache = DecodedCache(config.data.cache, video, settings, config.data.cache_bytes)
    dataset = InstructionDataset(read_records(config)["train"], cache, group_videos=True)
    began, cpu = time.perf_counter(), time.process_time()
    count = sum(len(b) for b in make_loader(dataset, batch_size=config.steps.batch_size, workers=0))
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(
        f"reading back alone: {count} videos, {wall / count * 1000:.1f} ms wall and "
        f"{cpu / count * 1000:.1f} ms CPU a video, {cache.num_bytes() / count / 1e6:.1f} MB each"
    )
    cache.close()


if __name__ == "__main__":  # workers import this file
    main()
