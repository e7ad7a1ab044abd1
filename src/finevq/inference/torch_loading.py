"""From a folder of a whole model to a `Session` on torch: ours or official, on any device."""

from dataclasses import dataclass
from pathlib import Path

import torch

from finevq.errors import CheckpointError
from finevq.inference.devices import (
    Quantization,
    check_memory,
    choose_device,
    choose_dtype,
    choose_quantization,
)
from finevq.inference.official_folder import Compat, open_official
from finevq.inference.session import Session
from finevq.inference.torch_engine import TorchEngine
from finevq.model.checkpoint import load_model
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.folder import (
    CONFIG_FILE,
    TOKENIZER_FILE,
    read_calibration,
    read_config,
    read_json,
)
from finevq.model.loading import build_empty, fill_model
from finevq.model.official_config import is_official
from finevq.model.quantization import LanguageModelQuantizer
from finevq.prompts.internlm2 import InternLM2Prompter
from finevq.prompts.internlm2_tokenizer import load_tokenizer
from finevq.prompts.prompter import NanoPrompter, Prompter
from finevq.records import ModelIdentity
from finevq.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class TorchOptions:
    """How a whole model is loaded and run."""

    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    dtype: str = "auto"
    """auto (bfloat16 on CUDA, float32 elsewhere), float32, bfloat16 or float16."""
    quantization: str = ""
    """Of the language model, through bitsandbytes: 8bit, 4bit, or empty for none."""
    compat: Compat | None = None
    """official: where the score is read follows the official code to the letter; None: as the
    folder says."""


def load_torch_session(folder: Path, *, settings: Settings, options: TorchOptions) -> Session:
    """Load a folder into a `Session`.

    Args:
        folder: Converted (`finevq models convert`), written by training, or official.
        settings: Limits of reading videos.
        options: Device and numbers.

    Raises:
        CheckpointError: files are missing or damaged, or do not fit together.
        ConfigError: a device, type or quantization that cannot be had.
        ModelError: the memory cannot suffice.
    """
    model, prompter = load_torch_model(folder, options)
    config = model.config
    return Session(
        identity=ModelIdentity(config.name, config.version),
        engine=TorchEngine(model, prompter.prefix_ids),
        prompter=prompter,
        video=config.video,
        has_scores=config.has_score_head,
        calibration=read_calibration(folder),
        free_questions=config.prompt == "internlm2-chat",
        fault_fall=config.fault_fall,
        halo=config.halo,
        settings=settings,
    )


def load_torch_model(folder: Path, options: TorchOptions) -> tuple[FineVQ, Prompter]:
    """Load the network of a folder and the template that it was trained on.

    Raises:
        CheckpointError, ConfigError, ModelError: as `load_torch_session`.
    """
    device = choose_device(options.device)
    dtype = choose_dtype(options.dtype, device)
    quantization = choose_quantization(options.quantization)
    quantizer = LanguageModelQuantizer(quantization, device, dtype) if quantization else None
    if is_official(read_json(folder / CONFIG_FILE)):
        opened = open_official(folder, compat=options.compat or "none")
        config, tokenizer = opened.config, opened.tokenizer
    else:
        opened, config = None, read_config(folder)
        tokenizer = None
    _check_fits(config, dtype, device, quantization)
    if opened is not None:
        tensors = opened.checkpoint.tensors(merge=True)
        model = fill_model(
            build_empty(config), tensors, device=device, dtype=dtype, quantizer=quantizer
        )
    else:
        model = load_model(folder, device=device, dtype=dtype, quantizer=quantizer)
    if config.prompt == "nano":
        return model, NanoPrompter.from_file(folder / TOKENIZER_FILE)
    prompter = InternLM2Prompter(
        tokenizer or load_tokenizer(folder),
        tokens_per_frame=config.num_image_tokens,
        has_motion=config.num_motion_tokens > 0,
        compat=options.compat or config.compat,
    )
    if prompter.context_id != config.context_token_id:
        raise CheckpointError(
            f"{folder}: the tokenizer's <IMG_CONTEXT> is {prompter.context_id}, config.json says "
            f"{config.context_token_id}; the files are of different models"
        )
    return model, prompter


def _check_fits(
    config: ModelConfig,
    dtype: torch.dtype,
    device: torch.device,
    quantization: Quantization | None,
) -> None:
    empty = build_empty(config)
    total = sum(parameter.numel() for parameter in empty.parameters())
    language = sum(parameter.numel() for parameter in empty.language_model.parameters())
    each = {None: float(dtype.itemsize), "8bit": 1.0, "4bit": 0.5}[quantization]
    mean = (language * each + (total - language) * dtype.itemsize) / total
    check_memory(total, mean, device)
