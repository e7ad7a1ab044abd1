"""What a run would do, before it does it: sizes, steps and memory, without reading a weight."""

from collections.abc import Mapping
from dataclasses import dataclass

from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.training.parts import count_parameters, trainable_parameters
from finevq.training.stages import StageConfig

_FLOAT_BYTES = 4
_HALF_BYTES = 2
_OPTIMIZER_COPIES = 3
"""Gradient and AdamW's two means, beside the weight itself."""
_TEXT_TOKENS = 64
"""Of a question with its answer, about."""
_KEPT_PER_LAYER = 17
"""Activations of a transformer layer that backpropagation keeps, in token widths. Source:
Korthikanti et al., Reducing Activation Recomputation in Large Transformer Models (2022): 34 bytes
in half precision, attention matrices aside, which PyTorch's attention does not keep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A run in numbers."""

    parameters: Mapping[str, tuple[int, int]]
    """For each part (learning, all)."""
    num_train: int
    """Items of training."""
    num_validation: int
    steps_per_epoch: int
    num_steps: int
    num_validations: int
    weight_bytes: int
    """Of a process that holds the whole model."""
    learning_bytes: int
    """Gradients and the optimizer's memory."""
    activation_bytes: int
    """Of the transformer layers in one pass; a rough estimate."""

    @property
    def total_bytes(self) -> int:
        """Of one process without sharding."""
        return self.weight_bytes + self.learning_bytes + self.activation_bytes


def make_plan(
    model: FineVQ, config: StageConfig, *, num_train: int, num_validation: int, num_processes: int
) -> Plan:
    """Work out what a run would do.

    Args:
        model: Ready for the stage; on the meta device is enough.
        config: The stage.
        num_train: Items of training.
        num_validation: Items of validation.
        num_processes: That share a step.
    """
    steps = config.steps
    per_epoch = -(-num_train // steps.batch_size)
    total = steps.epochs * per_epoch
    every = config.validation.every_steps or per_epoch
    learning = sum(value.numel() for value in trainable_parameters(model).values())
    everything = sum(value.numel() for value in model.parameters())
    frozen_bytes = _HALF_BYTES if steps.precision == "bf16" else _FLOAT_BYTES
    return Plan(
        parameters=count_parameters(model),
        num_train=num_train,
        num_validation=num_validation,
        steps_per_epoch=per_epoch,
        num_steps=total,
        num_validations=total // every + bool(total % every),
        weight_bytes=learning * _FLOAT_BYTES + (everything - learning) * frozen_bytes,
        learning_bytes=learning * _FLOAT_BYTES * _OPTIMIZER_COPIES,
        activation_bytes=_activation_bytes(model.config, config, num_processes),
    )


def _activation_bytes(model: ModelConfig, config: StageConfig, num_processes: int) -> int:
    steps = config.steps
    items = steps.micro_batch_size or -(-steps.batch_size // num_processes)
    each = _HALF_BYTES if steps.precision == "bf16" else _FLOAT_BYTES
    kept = 1 if steps.gradient_checkpointing else _KEPT_PER_LAYER
    llama = model.language_model.llama
    tokens = model.num_visual_tokens + _TEXT_TOKENS
    layers = int(llama.get("num_hidden_layers", 32))
    widths = tokens * model.language_model.width * (layers * kept + _KEPT_PER_LAYER)
    vision = model.image_encoder.vision
    if vision and (config.lora.image_rank or config.parts.image_encoder):
        patches = (model.image_encoder.image_size // int(vision.get("patch_size", 14))) ** 2 + 1
        width, depth = int(vision["hidden_size"]), int(vision["num_hidden_layers"])
        widths += model.video.num_frames * patches * width * (depth * kept + _KEPT_PER_LAYER)
    return items * widths * each
