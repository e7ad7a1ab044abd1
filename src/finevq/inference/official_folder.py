"""An official checkpoint folder: its configuration, tokenizer and weights joined."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tokenizers import Tokenizer
from torch import Tensor

from finevq.errors import CheckpointError, ConfigError
from finevq.model.checkpoint import (
    ADAPTER_FOLDER,
    load_pickle,
    open_weights,
    save_adapter,
    save_tensors,
)
from finevq.model.config import ModelConfig
from finevq.model.folder import CONFIG_FILE, TOKENIZER_FILE, read_json, write_config
from finevq.model.lora import LoraRanks
from finevq.model.official_config import is_official, read_official_config
from finevq.model.official_import import KeyReport, OfficialCheckpoint, describe
from finevq.prompts.internlm2 import CONTEXT
from finevq.prompts.internlm2_tokenizer import load_tokenizer

LORA_FILE = "lora_weights.pth"
"""Written by the official training beside a checkpoint: the adapters of the best step."""

Compat = Literal["none", "official"]
Adapters = Literal["merge", "keep"]


@dataclass(frozen=True, slots=True)
class OfficialFolder:
    """What an official folder holds, before its weights are read."""

    config: ModelConfig
    tokenizer: Tokenizer
    checkpoint: OfficialCheckpoint
    notes: tuple[str, ...]
    """What the owner should know, such as a file that is not used."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """What was converted."""

    config: ModelConfig
    report: KeyReport
    ranks: LoraRanks
    num_bytes: int
    """Of the weights written, adapters excluded."""
    notes: tuple[str, ...]


def open_official(
    folder: Path,
    *,
    name: str = "",
    compat: Compat = "none",
    lora_weights: Path | None = None,
) -> OfficialFolder:
    """Open an official folder and account for all its keys.

    Args:
        folder: With config.json, tokenizer files and weights.
        name: For results; the folder's name where empty.
        compat: Goes into the configuration.
        lora_weights: A lora_weights.pth whose adapters replace those of the checkpoint.

    Raises:
        CheckpointError: files are missing, damaged or do not fit together.
    """
    values = read_json(folder / CONFIG_FILE)
    if not is_official(values):
        raise CheckpointError(
            f"{folder / CONFIG_FILE} is not of the official layout (it has no llm_config and "
            "vision_config); a folder that is already converted needs no conversion"
        )
    tokenizer = load_tokenizer(folder)
    context = tokenizer.token_to_id(CONTEXT)
    if context is None:
        raise CheckpointError(f"the tokenizer of {folder} lacks {CONTEXT}: it is not InternVL2's")
    weights = open_weights(folder)
    config = read_official_config(
        values, name=name or folder.resolve().name, context_token_id=context
    )
    config = replace(describe(config, weights.shapes), compat=compat)
    adapters = load_pickle(lora_weights) if lora_weights else {}
    checkpoint = OfficialCheckpoint(weights, config, adapters)
    checkpoint.check()
    notes = []
    if (folder / LORA_FILE).is_file() and lora_weights is None:
        notes.append(
            f"{LORA_FILE} lies beside the weights and is not used: it keeps the adapters of the "
            "best training step, the weights those of the last; give it as --lora-weights to use it"
        )
    return OfficialFolder(config, tokenizer, checkpoint, tuple(notes))


def convert_official(
    source: Path,
    target: Path,
    *,
    name: str = "",
    adapters: Adapters = "merge",
    compat: Compat = "none",
    lora_weights: Path | None = None,
) -> Conversion:
    """Write an official folder as ours: config.json, tokenizer.json, safetensors, adapter.

    Weights keep their type and stream by shard after shard.

    Args:
        source: The official folder.
        target: Made where it does not exist; must be empty.
        name: For results; the source folder's name where empty.
        adapters: Whether LoRA is merged into the weights or kept in peft's format.
        compat: Goes into the configuration.
        lora_weights: A lora_weights.pth whose adapters replace those of the checkpoint.

    Raises:
        CheckpointError: the source is damaged or incomplete, or holds NaN.
        ConfigError: the target holds files already.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ConfigError(f"{target} exists and is not an empty folder; name another")
    opened = open_official(source, name=name, compat=compat, lora_weights=lora_weights)
    target.mkdir(parents=True, exist_ok=True)
    kept: dict[str, Tensor] = {}

    def base_weights() -> Iterator[tuple[str, Tensor]]:
        for tensor_name, tensor in opened.checkpoint.tensors(merge=adapters == "merge"):
            if ".lora_" in tensor_name:
                kept[tensor_name] = tensor
            else:
                yield tensor_name, tensor

    num_bytes = save_tensors(target, base_weights())
    if kept:
        save_adapter(target / ADAPTER_FOLDER, kept, opened.checkpoint.ranks)
    opened.tokenizer.save(str(target / TOKENIZER_FILE))
    # Last, so that a conversion that was interrupted is not taken for a model.
    write_config(opened.config, target)
    return Conversion(
        opened.config,
        opened.checkpoint.report,
        opened.checkpoint.ranks,
        num_bytes,
        opened.notes,
    )
