"""What a stage starts from: a model and the template it was trained on, from wherever they lie."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from finevq.errors import CheckpointError, ModelNotFoundError
from finevq.inference.loading import NANO, NANO_FOLDER
from finevq.model.checkpoint import (
    ADAPTER_FOLDER,
    SafetensorsWeights,
    load_adapter,
    load_model,
    open_weights,
)
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.folder import CONFIG_FILE, TOKENIZER_FILE, read_config, read_json
from finevq.model.loading import build_empty, fill_model
from finevq.model.official_config import is_official, read_official_config
from finevq.model.official_import import OfficialCheckpoint, describe
from finevq.prompts.internlm2 import CONTEXT, InternLM2Prompter
from finevq.prompts.internlm2_tokenizer import load_tokenizer
from finevq.prompts.prompter import NanoPrompter, Prompter
from finevq.training.parts import prepare_parts
from finevq.training.stages import StageConfig

MODEL_FOLDER = "model"
"""In the output folder of a run: the whole trained model."""


@dataclass(frozen=True, slots=True)
class Start:
    """A model made ready for a stage."""

    model: FineVQ
    """Ready for its stage: what learns in float32, the rest as `open_start` says."""
    prompter: Prompter
    tokenizer: Tokenizer
    origin: ModelConfig
    """The configuration that the model came with."""


def open_start(config: StageConfig, *, empty: bool = False) -> Start:
    """Load the model that a stage starts from and make it ready.

    What learns is in float32. With precision bf16, weights that are stored in bfloat16 stay so: a
    process that loads the 8b needs 16 GB for it, not 32.

    Args:
        config: The stage.
        empty: On the meta device: names and shapes alone, for a dry run.

    Raises:
        ModelNotFoundError: there is no such model.
        CheckpointError: its files are damaged or do not fit together.
        ConfigError: the stage asks for what the model cannot have.
    """
    folder = find_folder(config.start.model)
    dtype = None if config.steps.precision == "bf16" else torch.float32
    values = read_json(folder / CONFIG_FILE)
    if is_official(values):
        model, tokenizer = _open_official(folder, dtype, empty=empty)
    else:
        model = _open_ours(folder, dtype, empty=empty)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
    origin = model.config
    prepare_parts(model, config)
    _settle_types(model)
    return Start(model, _prompter(model.config, tokenizer), tokenizer, origin)


def _settle_types(model: FineVQ) -> None:
    """Bring what learns to float32, and half precision, in which nothing is computed here."""
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dtype == torch.float16 or (
            tensor.requires_grad and tensor.dtype != torch.float32
        ):
            tensor.data = tensor.data.float()


def find_folder(name: str) -> Path:
    """Return the folder of a model: nano's, a model's own, or that of a finished run.

    Raises:
        ModelNotFoundError: there is none.
    """
    folder = NANO_FOLDER if name == NANO else Path(name)
    for candidate in (folder, folder / MODEL_FOLDER):
        if (candidate / CONFIG_FILE).is_file():
            return candidate
    raise ModelNotFoundError(
        f"start.model = {name!r}: no such model; give {NANO!r}, a folder with {CONFIG_FILE} and "
        "weights (converted, or official), or the output folder of a finished run"
    )


def _open_ours(folder: Path, dtype: torch.dtype | None, *, empty: bool) -> FineVQ:
    if not empty:
        return load_model(folder, dtype=dtype)
    _, ranks = load_adapter(folder / ADAPTER_FOLDER)
    return build_empty(read_config(folder), ranks)


def _open_official(
    folder: Path, dtype: torch.dtype | None, *, empty: bool
) -> tuple[FineVQ, Tokenizer]:
    """Open an official checkpoint, with adapters apart; InternVL2-8B itself is one without motion.

    InternVL2-8B as published has neither motion branch nor score head: a stage adds them.
    """
    tokenizer = load_tokenizer(folder)
    context = tokenizer.token_to_id(CONTEXT)
    if context is None:
        raise CheckpointError(f"the tokenizer of {folder} lacks {CONTEXT}: it is not InternVL2's")
    weights = open_weights(folder)
    config = read_official_config(
        read_json(folder / CONFIG_FILE), name=folder.resolve().name, context_token_id=context
    )
    config = describe(config, weights.shapes)
    if not any(name.startswith("motion_mlp.") for name in weights.shapes):
        config = replace(config, video=replace(config.video, motion="none"))
    checkpoint = OfficialCheckpoint(weights, config)
    checkpoint.check()
    model = build_empty(config, checkpoint.ranks)
    if not empty:
        fill_model(model, checkpoint.tensors(merge=False), dtype=dtype)
    return model, tokenizer


def _prompter(config: ModelConfig, tokenizer: Tokenizer) -> Prompter:
    if config.prompt == "nano":
        return NanoPrompter(tokenizer)
    return InternLM2Prompter(
        tokenizer,
        tokens_per_frame=config.num_image_tokens,
        has_motion=config.num_motion_tokens > 0,
        compat=config.compat,
    )


def read_trained(path: Path) -> Iterator[tuple[str, Tensor]]:
    """Yield what a run has learnt, from a best.safetensors."""
    source = SafetensorsWeights([path])
    for name in source.shapes:
        yield name, source.read(name)
