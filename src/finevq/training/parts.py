"""The model made ready for a stage: parts added or dropped, adapters in, everything else frozen.

Frozen means that neither weights nor buffers move: no gradient, and no layer of a frozen part in
training mode. BatchNorm layers keep their statistics even in parts that learn.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint
from transformers.modeling_layers import GradientCheckpointingLayer

from finevq.errors import ConfigError
from finevq.model.checkpoint import SafetensorsWeights
from finevq.model.config import FaultFallConfig, HaloConfig
from finevq.model.finevq import FineVQ
from finevq.model.lora import LoraRanks, add_lora, lora_parameters, share_down_projections
from finevq.model.motion_encoder import MotionEncoder
from finevq.model.projectors import build_projector
from finevq.model.score_head import ScoreHead
from finevq.training.drop_path import DropPath, add_drop_path, has_drop_path
from finevq.training.stages import PartsConfig, StageConfig

PARTS: tuple[str, ...] = tuple(spec.name for spec in fields(PartsConfig))
"""Boxes of the model, by their attribute names."""

_OFFICIAL_HEAD_BOUND = 0.1
_OFFICIAL_MOTION_BOUND = 0.01


def prepare_parts(model: FineVQ, config: StageConfig) -> None:
    """Make a model ready for a stage, in place.

    Args:
        model: Without adapters, or with those that a stage of equal ranks left.
        config: The stage.

    Raises:
        ConfigError: the stage asks for a part that the model cannot have, or for adapters of other
            ranks than it has.
    """
    _fit_motion_branch(model, config)
    # Rules for a model that few people's scores taught; scores that it learns need none.
    model.config = replace(model.config, fault_fall=FaultFallConfig(), halo=HaloConfig())
    _fit_score_head(model, config)
    _fit_adapters(model, config)
    add_drop_path(model, config.inputs.image_drop_path)
    model.requires_grad_(False)
    for name in PARTS:
        part = getattr(model, name, None)
        if getattr(config.parts, name):
            if part is None:
                raise ConfigError(f"parts.{name} = true, but this stage's model has no {name}")
            part.requires_grad_(True)
    if config.lora.image_rank or config.lora.language_rank:
        for _, parameter in lora_parameters(model):
            parameter.requires_grad_(True)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ConfigError("nothing learns: set one of parts.* or a rank of lora")


def set_modes(model: FineVQ, config: StageConfig) -> None:
    """Put learning parts into training mode and all others into evaluation mode.

    Drop path of the ViT is on in any case, where the stage has it.
    """
    model.eval()
    for name in PARTS:
        if getattr(config.parts, name):
            getattr(model, name).train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
        if isinstance(module, DropPath):
            module.train()
        dropout = getattr(module, "lora_dropout", None)
        if isinstance(dropout, nn.Module) and _learns(module):
            dropout.train()
    if config.steps.gradient_checkpointing:
        _checkpoint_layers(model)


def trainable_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return what learns, by name; shared parameters once."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def count_parameters(model: FineVQ) -> Mapping[str, tuple[int, int]]:
    """Return (learning, all) parameters of each part."""
    counts: dict[str, tuple[int, int]] = {}
    for name in PARTS:
        part = getattr(model, name, None)
        if part is not None:
            sizes = [(value.numel(), value.requires_grad) for value in part.parameters()]
            counts[name] = (sum(size for size, learns in sizes if learns), sum(s for s, _ in sizes))
    return counts


def frozen_state(model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield everything that a run must leave as it is: frozen parameters and all buffers."""
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            yield name, parameter.detach()
    yield from model.named_buffers()


def ranks_of(config: StageConfig) -> LoraRanks:
    """Return the ranks of the stage's adapters."""
    return LoraRanks(image=config.lora.image_rank, language=config.lora.language_rank)


def encoder_is_frozen(encoder: nn.Module) -> bool:
    """Say whether an encoder gives the same features in every step."""
    return not (_learns(encoder) or has_drop_path(encoder))


def _learns(module: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in module.parameters())


def _checkpoint_layers(model: FineVQ) -> None:
    # Layers recompute in training mode alone. It changes nothing else about them: their own flag is
    # set, not their children's, and they hold no dropout and no statistics.
    again = partial(checkpoint, use_reentrant=False)
    for module in model.modules():
        if isinstance(module, GradientCheckpointingLayer):
            module.gradient_checkpointing = True
            module._gradient_checkpointing_func = again  # type: ignore[assignment]  # set late
            module.training = True


def _fit_motion_branch(model: FineVQ, config: StageConfig) -> None:
    video = model.config.video
    if config.inputs.motion == "none":
        if video.motion != "none":
            del model.motion_encoder, model.motion_projector
            if model.config.num_named_tokens:
                model.named_projector.forget_motion()
            if model.config.opinion_share:
                model.opinion_reader.forget_motion()
            if model.config.has_fault_reader:
                model.fault_reader.forget_motion()
        model.config = replace(model.config, video=replace(video, motion="none"))
    elif config.inputs.motion == "sparse_frames":
        _add_motion_branch(model, config)
        # 8 frames, their features repeated to the 32 steps that the official pooling needs.
        motion = replace(
            model.config.motion_encoder, repeat_features=max(1, 32 // video.num_frames)
        )
        model.motion_encoder.config = motion
        model.config = replace(
            model.config,
            video=replace(video, motion="sparse_frames"),
            motion_encoder=motion,
        )
    elif video.motion == "none" and model.config.prompt == "internlm2-chat":
        _add_motion_branch(model, config)
        model.config = replace(model.config, video=replace(video, motion="all_frames"))


def _add_motion_branch(model: FineVQ, config: StageConfig) -> None:
    if model.config.video.motion != "none":
        return
    path = config.start.motion_encoder
    if path is None:
        raise ConfigError(
            "the model has no motion branch: give start.motion_encoder, the weights of the public "
            "SlowFast-R50 checkpoint, or inputs.motion = none"
        )
    device = next(model.parameters()).device
    with device:
        model.motion_encoder = MotionEncoder(model.config.motion_encoder)
        model.motion_projector = build_projector(
            model.config.motion_encoder.feature_width, model.config.language_model.width
        )
    if device.type != "meta":
        _load_motion_encoder(model.motion_encoder, path)
        _initialise(model.motion_projector, config)


def _load_motion_encoder(encoder: MotionEncoder, path: Path) -> None:
    """Fill the encoder from a file of the public SlowFast-R50 checkpoint, or of ours."""
    tensors: Mapping[str, torch.Tensor]
    if path.suffix == ".safetensors":
        source = SafetensorsWeights([path])
        tensors = {name: source.read(name) for name in source.shapes}
    else:
        tensors = _read_pickle(path)
    wanted = encoder.state_dict()
    # The public file counts all blocks as "blocks.N"; the classifier is the last one.
    renamed = {
        re.sub(
            r"^(slowfast_model\.)?(blocks|feature_extraction)\.", "feature_extraction.", name
        ): value
        for name, value in tensors.items()
    }
    if absent := [name for name in wanted if name not in renamed]:
        raise ConfigError(
            f"start.motion_encoder {path} lacks {len(absent)} of {len(wanted)} tensors of "
            f"SlowFast-R50, first {absent[0]}"
        )
    encoder.load_state_dict({name: renamed[name] for name in wanted})


def _read_pickle(path: Path) -> Mapping[str, torch.Tensor]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, OSError, EOFError...
        raise ConfigError(f"start.motion_encoder {path} cannot be read: {error}") from error
    found: Mapping[str, torch.Tensor] = values.get("model_state", values)
    return found


def _fit_score_head(model: FineVQ, config: StageConfig) -> None:
    if not config.inputs.has_score_head:
        if model.config.has_score_head:
            del model.score_head
        model.config = replace(model.config, has_score_head=False)
        return
    if model.config.has_score_head:
        return
    head = replace(model.config.score_head, final_relu=config.start.final_relu)
    weight = next(model.parameters())
    with weight.device:
        model.score_head = ScoreHead(head, model.config.language_model.width)
    model.config = replace(model.config, has_score_head=True, score_head=head)
    if weight.is_meta:
        return
    if config.start.initialization == "official":
        _initialise(model.score_head, config)
    else:
        last = getattr(model.score_head, f"fc{len(head.widths) + 1}")
        nn.init.constant_(last.bias, 0.5)


def _initialise(module: nn.Module, config: StageConfig) -> None:
    """Draw as the official code does; torch's own start where that is not asked for."""
    if config.start.initialization != "official":
        return
    bounds = (
        (-_OFFICIAL_HEAD_BOUND, _OFFICIAL_HEAD_BOUND)
        if config.inputs.has_score_head
        else (0.0, _OFFICIAL_MOTION_BOUND)
    )
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.uniform_(layer.weight, *bounds)
            nn.init.zeros_(layer.bias)


def _fit_adapters(model: FineVQ, config: StageConfig) -> None:
    wanted = ranks_of(config)
    found = _ranks_in(model)
    if not found.any and wanted.any:
        add_lora(
            model,
            wanted,
            dropout=config.lora.dropout,
            scale=config.lora.alpha_per_rank,
            image_layers=config.lora.image_layers,
            language_layers=config.lora.language_layers,
        )
    elif wanted.any and found != wanted:
        raise ConfigError(
            f"the model comes with adapters of ranks {found.image} (image) and {found.language} "
            f"(language), the stage wants {wanted.image} and {wanted.language}; merge them first "
            "(finevq models convert --lora merge), or use the same ranks"
        )
    if wanted.any and config.lora.shares_down:
        share_down_projections(model)


def _ranks_in(model: FineVQ) -> LoraRanks:
    image = language = 0
    for name, parameter in lora_parameters(model):
        if ".lora_A." in name and name.startswith("image_encoder"):
            image = parameter.shape[0]
        elif ".lora_A." in name:
            language = parameter.shape[0]
    return LoraRanks(image=image, language=language)
