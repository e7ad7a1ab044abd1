"""Stochastic depth of the ViT: in training, residual branches are now and then left out.

A frozen ViT is jittered by it too, as in the official code: no weight moves, features do.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from finevq.errors import ConfigError
from finevq.model.finevq import FineVQ


class DropPath(nn.Module):
    """Leaves a branch out for some pictures of a batch, and scales it up for the others.

    Source: Huang et al., Deep Networks with Stochastic Depth (ECCV 2016), drawn for each picture.

    Args:
        share: Of pictures whose branch is left out, 0..1; in training mode alone.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, branch: Tensor) -> Tensor:
        """Take and return (N, ...)."""
        if not (self.training and self.share):
            return branch
        keep = 1.0 - self.share
        shape = (len(branch), *(1 for _ in branch.shape[1:]))
        return branch * (torch.empty(shape, device=branch.device).bernoulli_(keep) / keep).to(
            branch.dtype
        )


def add_drop_path(model: FineVQ, share: float) -> None:
    """Give both branches of each ViT layer a `DropPath`, in place; state and names stay.

    The share rises from 0 in the first layer to `share` in the last.
    Source: OpenGVLab/InternVL, modeling_intern_vit.py (drop_path_rate).

    Args:
        model: With an InternViT.
        share: Of the last layer, 0 or more and below 1; 0 adds nothing.

    Raises:
        ConfigError: the share is out of range, or the image encoder is no ViT.
    """
    if not 0.0 <= share < 1.0:
        raise ConfigError(f"inputs.image_drop_path = {share}: give a share, 0 or more and below 1")
    if not share:
        return
    if model.config.image_encoder.kind != "intern_vit":
        raise ConfigError(
            f"inputs.image_drop_path = {share}: the image encoder of {model.config.name!r} is no "
            "ViT; give 0"
        )
    layers: Any = model.image_encoder.tower.encoder.layer  # type: ignore[union-attr]  # checked above
    shares = torch.linspace(0.0, share, len(layers), device="cpu").tolist()
    for layer, of_layer in zip(layers, shares, strict=True):
        # The layer adds what these two give, times a learnt scale, to its input.
        for branch in (layer.attention, layer.mlp):
            branch.drop_path = DropPath(of_layer)
            branch.register_forward_hook(partial(_drop, branch.drop_path))


def has_drop_path(module: nn.Module) -> bool:
    """Say whether some branch may be left out."""
    return any(isinstance(part, DropPath) and part.share for part in module.modules())


def _drop(drop_path: DropPath, _module: nn.Module, _inputs: Any, output: Any) -> Any:  # noqa: ANN401  # as torch's hooks say
    if isinstance(output, tuple):  # attention gives its weights too
        return (drop_path(output[0]), *output[1:])
    return drop_path(output)
