"""What a run leaves behind: the whole model with the best weights, as a folder that loads anywhere.

`finevq assess --model OUTPUT/model` uses it as it is; a later stage starts from it. Adapters stay
apart in peft's format, scaled as stored adapters are read.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finevq.model.checkpoint import ADAPTER_FOLDER, save_adapter, save_tensors
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.folder import METRICS_FILE, TOKENIZER_FILE, write_config
from finevq.model.lora import OFFICIAL_SCALE, lora_parameters
from finevq.training.checkpoints import BEST_FILE, Progress
from finevq.training.parts import ranks_of
from finevq.training.stages import StageConfig
from finevq.training.start import MODEL_FOLDER, Start, open_start, read_trained


def load_best(config: StageConfig, output: Path) -> Start:
    """Return the model of a run with its best weights, adapters in place, in evaluation mode.

    Args:
        config: Of the run.
        output: Its folder.

    Raises:
        CheckpointError: the best weights are missing or damaged.
    """
    start = open_start(config)
    parameters = dict(start.model.named_parameters())
    with torch.no_grad():
        for name, tensor in read_trained(output / BEST_FILE):
            parameters[name].copy_(tensor)
    start.model.eval()
    return start


def write_outcome(config: StageConfig, output: Path, progress: Progress) -> Path:
    """Write the best model of a run as a folder.

    Returns:
        The folder.
    """
    start = load_best(config, output)
    folder = output / MODEL_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.safetensors"):
        stale.unlink()
    save_tensors(folder, _base_tensors(start.model))
    if ranks_of(config).any:
        save_adapter(folder / ADAPTER_FOLDER, _adapters(start.model), ranks_of(config))
    start.tokenizer.save(str(folder / TOKENIZER_FILE))
    (folder / METRICS_FILE).write_text(json.dumps(_facts(config, progress), indent=2) + "\n")
    # Last, so that a folder that was interrupted is not taken for a model.
    write_config(_config_in_use(start.model.config, start.origin, config), folder)
    return folder


def _config_in_use(trained: ModelConfig, origin: ModelConfig, config: StageConfig) -> ModelConfig:
    """Return how the model reads videos in use, where the stage trained it otherwise."""
    version = f"{origin.version}+{config.stage}"
    if config.inputs.motion != "sparse_frames":
        return replace(trained, version=version)
    # The official code trains on sparse frames and uses all.
    return replace(
        trained,
        version=version,
        video=replace(trained.video, motion="all_frames"),
        motion_encoder=replace(trained.motion_encoder, repeat_features=1),
    )


def _base_tensors(model: FineVQ) -> Iterator[tuple[str, Tensor]]:
    seen: set[int] = set()
    for name, tensor in model.state_dict().items():
        if ".lora_A." in name or ".lora_B." in name:
            continue
        if tensor.numel() and tensor.data_ptr() in seen:
            continue  # tied weights are stored once
        seen.add(tensor.data_ptr())
        yield name.replace(".base_layer.", "."), tensor


def _adapters(model: FineVQ) -> dict[str, Tensor]:
    """Return adapters whose B carries what alpha / r says beyond the stored scale."""
    scales = {
        name: module.scaling["default"] / OFFICIAL_SCALE
        for name, module in model.named_modules()
        if hasattr(module, "lora_B") and hasattr(module, "scaling")
    }
    found = {}
    for name, parameter in lora_parameters(model):
        owner, _, _ = name.partition(".lora_")
        factor = scales[owner] if ".lora_B." in name else 1.0
        found[name] = parameter.detach() * factor
    return found


def _facts(config: StageConfig, progress: Progress) -> Mapping[str, Any]:
    return {
        "stage": config.stage,
        "preset": config.preset,
        "start": config.start.model,
        "best_step": progress.best_step,
        "steps": progress.step,
        "history": progress.history,
    }
