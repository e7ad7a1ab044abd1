"""A stage from its configuration to a trained model: joins start, data, loop and outcome."""

import json
import logging
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from finevq.errors import ConfigError, TrainingError
from finevq.model.finevq import FineVQ
from finevq.model.folder import read_json
from finevq.prompts.prompter import Prompter
from finevq.settings import Settings
from finevq.training.check import check_values
from finevq.training.checkpoints import has_checkpoint
from finevq.training.dataset import InstructionDataset
from finevq.training.decoded_cache import DecodedCache
from finevq.training.distributed import Processes
from finevq.training.feature_memory import FeatureMemory
from finevq.training.freed_memory import keep_freed_memory
from finevq.training.network import TrainingNetwork
from finevq.training.outcome import write_outcome
from finevq.training.plan import Plan, make_plan
from finevq.training.run_facts import write_run_facts
from finevq.training.run_lock import locked
from finevq.training.stage_data import check_usable, make_datasets, read_records
from finevq.training.stages import StageConfig
from finevq.training.start import open_start
from finevq.training.trainer import Listener, Trainer

_log = logging.getLogger(__name__)

CONFIG_FILE = "training_config.json"
_MAY_CHANGE = {
    "data": ("cache", "cache_bytes", "workers"),
    "distributed": ("device",),
}
"""Settings that a run may go on with otherwise than it began: they do not change what is learnt."""


def plan_stage(config: StageConfig, *, num_processes: int = 1) -> Plan:
    """Work out what a run would do, without reading weights or videos.

    Raises:
        FineVQError: as `train_stage`.
    """
    check_values(config)
    start = open_start(config, empty=True)
    records = read_records(config)
    counts = {
        split: len({r.video for r in found}) if config.data.group_videos else len(found)
        for split, found in records.items()
    }
    return make_plan(
        start.model,
        config,
        num_train=counts["train"],
        num_validation=counts["validation"],
        num_processes=num_processes,
    )


def train_stage(
    config: StageConfig,
    output: Path,
    settings: Settings,
    *,
    resume: bool = False,
    listener: Listener | None = None,
    memory: FeatureMemory | None = None,
) -> Path | None:
    """Train a stage to its end.

    Args:
        config: The stage.
        output: Folder of the run: checkpoints, logs, and the model at its end.
        settings: Limits of reading videos.
        resume: Go on from the last checkpoint.
        listener: Shows how the run goes on.
        memory: Where features of frozen encoders are kept, for runs that share it.

    Returns:
        The folder of the trained model; None in all processes but the first.

    Raises:
        ConfigError: the stage cannot be, or `output` holds another run.
        DatasetError: the data cannot be used.
        TrainingError: there is nothing to go on from, or a loss is not a number.
    """
    check_values(config)
    processes = Processes(config.distributed.device, config.distributed.mode)
    check_output(output, config, resume=resume)
    output.mkdir(parents=True, exist_ok=True)
    if processes.device.type == "cpu":
        keep_freed_memory()
    with locked(output) if processes.is_first else nullcontext():
        return _train(
            config, output, settings, processes, resume=resume, listener=listener, memory=memory
        )


def _train(
    config: StageConfig,
    output: Path,
    settings: Settings,
    processes: Processes,
    *,
    resume: bool,
    listener: Listener | None,
    memory: FeatureMemory | None,
) -> Path | None:
    if processes.is_first:
        text = json.dumps(_plain(asdict(config)), indent=2) + "\n"
        (output / CONFIG_FILE).write_text(text, encoding="utf-8")
    config = _effective(config, processes)
    torch.manual_seed(config.steps.seed)
    records = read_records(config)
    check_usable(records, config)
    if processes.is_first:
        facts = write_run_facts(records, output)
        if listener is not None:
            listener.on_floors(facts["floors"])
    start = open_start(config)
    cache = DecodedCache(
        config.data.cache, start.model.config.video, settings, config.data.cache_bytes
    )
    train, validation = make_datasets(records, config, cache)
    try:
        trainer = make_trainer(
            config,
            start.model,
            start.prompter,
            train=train,
            validation=validation,
            processes=processes,
            output=output,
            listener=listener,
            memory=memory,
        )
        del start  # a sharded model shall not stay whole beside its shares
        if resume:
            trainer.resume()
        progress = trainer.run()
    finally:
        cache.close()
    if not processes.is_first:
        return None
    return write_outcome(config, output, progress)


def make_trainer(
    config: StageConfig,
    model: FineVQ,
    prompter: Prompter,
    *,
    train: InstructionDataset,
    validation: InstructionDataset,
    processes: Processes,
    output: Path,
    listener: Listener | None = None,
    memory: FeatureMemory | None = None,
) -> Trainer:
    """Return a trainer of a model that is ready for its stage.

    Dropout differs between processes, which see different items; everything else is the same.
    """
    torch.manual_seed(config.steps.seed + processes.rank)
    if config.steps.precision == "bf16":
        halve_frozen(model)
    return Trainer(
        TrainingNetwork(model, keeps_features=config.steps.keeps_features, memory=memory),
        prompter,
        config,
        train=train,
        validation=validation,
        processes=processes,
        output=output,
        listener=listener,
    )


def halve_frozen(model: FineVQ) -> None:
    """Store the frozen matrices in bfloat16; normalisations and what learns stay as they are."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            for parameter in module.parameters(recurse=False):
                if not parameter.requires_grad:
                    parameter.data = parameter.data.to(torch.bfloat16)


def check_output(output: Path, config: StageConfig, *, resume: bool) -> None:
    """Make sure that the folder of a run is new, or of this very run.

    Raises:
        ConfigError: it holds a run and nobody asked to go on; or a run of another configuration.
        TrainingError: there is nothing to go on from.
    """
    if not resume:
        if has_checkpoint(output):
            raise ConfigError(
                f"{output} holds a run already: go on with --resume, or name another folder"
            )
        return
    if not has_checkpoint(output):
        raise TrainingError(f"{output} holds no run to go on with; start it without --resume")
    path = output / CONFIG_FILE
    if path.is_file():
        _check_same(read_json(path), _plain(asdict(config)), path)


def _check_same(before: dict[str, Any], now: dict[str, Any], path: Path) -> None:
    for part, fields in _MAY_CHANGE.items():
        for name in fields:
            before.get(part, {}).pop(name, None)
            now.get(part, {}).pop(name, None)
    for part, value in now.items():
        if not isinstance(value, dict):
            value, old = {part: value}, {part: before.get(part)}
        else:
            old = before.get(part, {})
        for name, new in value.items():
            if old.get(name) != new:
                raise ConfigError(
                    f"{path} says {part}.{name} = {old.get(name)!r}, now it is {new!r}; a run goes "
                    "on with the configuration that it began with"
                )


def _plain(value: Any) -> Any:  # noqa: ANN401  # nested configuration values
    """Return values as JSON would give them back."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def _effective(config: StageConfig, processes: Processes) -> StageConfig:
    """Leave out what cannot take effect, and say so once."""
    if not config.steps.keeps_features:
        return config
    is_sharded = processes.count > 1 and config.distributed.mode == "fsdp"
    images_learn = (
        config.lora.image_rank > 0 or config.parts.image_encoder or config.inputs.image_drop_path
    )
    motion_learns = config.parts.motion_encoder or config.inputs.motion == "none"
    if not (is_sharded or (images_learn and motion_learns)):
        return config
    reason = (
        "under fsdp: a process that skips an encoder would leave the others waiting for its share"
        if is_sharded
        else "here: both encoders give other features in each step"
    )
    if processes.is_first:
        _log.warning("steps.keeps_features has no effect %s", reason)
    return replace(config, steps=replace(config.steps, keeps_features=False))
