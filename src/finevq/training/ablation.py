"""The paper's ablation (table 6) as one run: the same data and budget, six sets of parts.

Every row of the table is one stage with other parts switched on; everything else, the order of
samples included, is the same for all rows of a seed. Each run is a folder with its predictions, so
that a killed ablation goes on where it was, inside a run too, and tables are made from files.
"""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from finevq.errors import ConfigError
from finevq.model.checkpoint import save_model
from finevq.model.finevq import FineVQ
from finevq.model.folder import TOKENIZER_FILE
from finevq.training import checkpoints
from finevq.training.records import InstructionRecord
from finevq.training.stage_data import read_records
from finevq.training.stages import LoraConfig, PartsConfig, StageConfig
from finevq.training.start import MODEL_FOLDER, open_start
from finevq.training.testing import Prediction

PREDICTIONS_FILE = "predictions.csv"
"""In the folder of each run: video, dimension, mos, score; test records only."""
CONFIG_FILE = "ablation.json"
RUNS_FOLDER = "runs"
_STARTS_FOLDER = "starts"


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    name: str
    """As in the published table."""
    has_motion: bool
    image_rank: int = 0
    language_rank: int = 0


VARIANTS: Mapping[str, Variant] = MappingProxyType(
    {
        "spatial": Variant("spatial", False),
        "motion": Variant("spatial + motion", True),
        "vision-lora-8": Variant("spatial + motion + vision LoRA 8", True, image_rank=8),
        "llm-lora-8": Variant("spatial + motion + LLM LoRA 8", True, language_rank=8),
        "both-lora-8": Variant("spatial + motion + both LoRA 8", True, 8, 8),
        "both-lora-16": Variant("spatial + motion + both LoRA 16", True, 16, 16),
    }
)
"""Key (folder name) to row, in the paper's order. Source: FineVQ, table 6."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AblationConfig:
    """What is compared, and under which budget."""

    stage: StageConfig
    """Data, losses, optimizer and steps of every run; its parts and ranks are set row by row."""
    variants: tuple[str, ...] = tuple(VARIANTS)
    """Rows, by key."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of fresh weights, order of samples and dropout."""
    has_fresh_parts: bool = True
    """Projectors and score head start anew from each seed, as in the paper, where they are what is
    added to pre-trained parts; false: as the model brings them."""
    num_frames: int = 0
    """Sparse frames, for cheaper runs; 0: as many as the model takes."""
    view_sizes: tuple[int, ...] = ()
    """Side of each view in pixels, for cheaper runs; as the model has them where empty."""
    max_test: int = 0
    """Use no more test videos than this, the first ones; 0: all."""
    keeps_weights: bool = False
    """Whether each run keeps its weights besides its predictions and logs."""


TrainAndTest = Callable[[StageConfig, Path, Sequence[InstructionRecord]], Sequence[Prediction]]
"""Trains a stage into a folder, going on with what it finds there, and predicts the test records
with its best weights."""

Announce = Callable[[str, int, int, int], None]
"""Told before each run: row, seed, number of the run, number of runs."""


def read_test_records(config: AblationConfig) -> list[InstructionRecord]:
    """Read what every run is judged on: the test records with a MOS.

    Raises:
        DatasetError: the data cannot be read, or has no such record.
    """
    records = read_records(config.stage, splits=("test",))["test"]
    videos = list(dict.fromkeys(record.video for record in records))
    kept = set(videos[: config.max_test or len(videos)])
    return [record for record in records if record.video in kept]


def in_words(config: AblationConfig) -> list[str]:
    """Say what every run was given, for the notes below the table."""
    stage = config.stage
    steps, rate = stage.steps, stage.optimizer
    limit = f", the first {stage.data.max_train} items" if stage.data.max_train else ""
    fresh = "projectors and score head start anew" if config.has_fresh_parts else "nothing is reset"
    return [
        f"Data: {stage.data.path} ({stage.data.kind}{limit}); the best weights are chosen on "
        f"validation data ({stage.validation.select_by}).",
        f"Budget of every run: {steps.epochs} epochs, batches of {steps.batch_size}, AdamW "
        f"{rate.learning_rate:g} falling to {rate.final_learning_rate:g}; start: "
        f"{stage.start.model}, {fresh}.",
    ]


def run_ablation(
    config: AblationConfig,
    output: Path,
    *,
    test: Sequence[InstructionRecord],
    train_and_test: TrainAndTest,
    announce: Announce | None = None,
) -> list[Path]:
    """Train every variant with every seed; runs that are done are not done again.

    Args:
        config: Rows, seeds and budget.
        output: Folder of the whole ablation.
        test: What every run is judged on; never seen in training or selection.
        train_and_test: See `TrainAndTest`.
        announce: Told how it goes on.

    Returns:
        The predictions of each run.

    Raises:
        ConfigError: an unknown row, no seed, or `output` holds another ablation.
    """
    _check(config)
    output.mkdir(parents=True, exist_ok=True)
    _check_same(config, output)
    written = []
    runs = [(key, seed) for seed in config.seeds for key in config.variants]
    for number, (key, seed) in enumerate(runs, start=1):
        folder = output / RUNS_FOLDER / key / f"seed-{seed}"
        path = folder / PREDICTIONS_FILE
        if announce is not None:
            announce(VARIANTS[key].name, seed, number, len(runs))
        if not path.is_file():
            folder.mkdir(parents=True, exist_ok=True)
            start = _start_folder(config, output, seed)
            stage = stage_of(config, VARIANTS[key], seed, start)
            _write_predictions(train_and_test(stage, folder, test), path)
            if not config.keeps_weights:
                _drop_weights(folder)
        written.append(path)
    return written


def stage_of(config: AblationConfig, variant: Variant, seed: int, start: str) -> StageConfig:
    """Return the stage that trains a row: the common budget with this row's parts."""
    stage = config.stage
    return replace(
        stage,
        start=replace(stage.start, model=start),
        inputs=replace(stage.inputs, motion=stage.inputs.motion if variant.has_motion else "none"),
        parts=PartsConfig(
            image_projectors=True, motion_projector=variant.has_motion, score_head=True
        ),
        lora=_lora(stage.lora, variant),
        steps=replace(stage.steps, seed=seed),
    )


def _lora(base: LoraConfig, variant: Variant) -> LoraConfig:
    return replace(base, image_rank=variant.image_rank, language_rank=variant.language_rank)


def _check(config: AblationConfig) -> None:
    if unknown := [key for key in config.variants if key not in VARIANTS]:
        raise ConfigError(f"variants: {unknown[0]!r} is none of {', '.join(VARIANTS)}")
    if not config.variants or not config.seeds:
        raise ConfigError("an ablation needs at least one of variants and one of seeds")
    if len(set(config.seeds)) < len(config.seeds):
        raise ConfigError(f"seeds = {list(config.seeds)}: each seed once")
    if not config.stage.inputs.has_score_head:
        raise ConfigError("stage.inputs.has_score_head = false: the ablation compares scores")


def _check_same(config: AblationConfig, output: Path) -> None:
    """Refuse to mix runs of two configurations; more seeds or rows may be added."""
    path = output / CONFIG_FILE
    values = json.loads(json.dumps(asdict(config), default=str))
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if differing := sorted(_differences(_fixed(found), _fixed(values))):
            raise ConfigError(
                f"{output} holds an ablation with other settings ({', '.join(differing[:3])}); "
                "give another --output, or the configuration that it was begun with"
            )
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _fixed(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in {"variants", "seeds"}}


def _differences(first: Mapping[str, Any], second: Mapping[str, Any], where: str = "") -> set[str]:
    names = set()
    for key in {*first, *second}:
        one, other = first.get(key), second.get(key)
        if isinstance(one, Mapping) and isinstance(other, Mapping):
            names |= _differences(one, other, f"{where}{key}.")
        elif one != other:
            names.add(f"{where}{key}")
    return names


def _start_folder(config: AblationConfig, output: Path, seed: int) -> str:
    """Return the model that all rows of a seed start from; made once a seed."""
    if not (config.has_fresh_parts or config.num_frames or config.view_sizes):
        return config.stage.start.model
    folder = output / _STARTS_FOLDER / f"seed-{seed}"
    done = folder / "done"
    if not done.is_file():
        plain = stage_of(config, VARIANTS["motion"], seed, config.stage.start.model)
        start = open_start(plain)
        model = start.model
        if config.has_fresh_parts:
            _refresh(model, seed)
            _without_direct_readers(model)
        _resize(model, config)
        save_model(model, folder)
        start.tokenizer.save(str(folder / TOKENIZER_FILE))
        done.touch()
    return str(folder)


def _without_direct_readers(model: FineVQ) -> None:
    """Leave out what reads features directly: no row is to know scores that it was not taught."""
    for name in ("opinion_reader", "fault_reader"):
        if hasattr(model, name):
            delattr(model, name)
    model.config = replace(model.config, opinion_share=0.0, fault_share=0.0, presence_share=0.0)


def _refresh(model: FineVQ, seed: int) -> None:
    """Give projectors and score head fresh weights; statistics of features stay."""
    parts = [model.image_projectors, model.score_head]
    if hasattr(model, "motion_projector"):
        parts.append(model.motion_projector)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for part in parts:
            for layer in part.modules():
                if isinstance(layer, nn.Linear | nn.LayerNorm):
                    layer.reset_parameters()
    head = model.score_head
    # The head starts in the middle of the scale, and so alive under a closing ReLU.
    last = getattr(head, f"fc{len(head.config.widths) + 1}")
    nn.init.constant_(last.bias, 0.5)


def _resize(model: FineVQ, config: AblationConfig) -> None:
    video = model.config.video
    sizes = config.view_sizes or video.view_sizes
    if len(sizes) != len(video.views):
        raise ConfigError(
            f"view_sizes = {list(sizes)}: the model has {len(video.views)} views "
            f"({', '.join(video.views)})"
        )
    if sizes != video.view_sizes and model.config.image_encoder.kind == "intern_vit":
        raise ConfigError("view_sizes: this model's image encoder takes one size only")
    video = replace(video, view_sizes=sizes, num_frames=config.num_frames or video.num_frames)
    model.config = replace(model.config, video=video)


def _drop_weights(folder: Path) -> None:
    shutil.rmtree(folder / MODEL_FOLDER, ignore_errors=True)
    for name in (checkpoints.LAST_FILE, checkpoints.BEST_FILE):
        (folder / name).unlink(missing_ok=True)


def _write_predictions(predictions: Sequence[Prediction], path: Path) -> None:
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["video", "dimension", "mos", "score"])
        writer.writerows([p.video, p.dimension, p.mos, p.score] for p in predictions)
    part.replace(path)
