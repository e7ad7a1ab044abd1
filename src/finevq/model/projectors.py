"""The projectors: visual features to tokens of the language model's width."""

import torch
from torch import Tensor, nn


def build_projector(
    inputs: int, width: int, *, hidden: int | None = None, standardized: bool = False
) -> nn.Sequential:
    """Build normalisation and a two-layer perceptron.

    Source: FineVQ, section 4.2; the official code's mlp1 and motion_mlp (exact GELU).

    Args:
        inputs: Width of a feature.
        width: Width of a token.
        hidden: Width between the two layers; `width` where None.
        standardized: Normalise each feature by its statistics over the training data instead of
            each sample over its features.
    """
    hidden = hidden or width
    first = Standardization(inputs) if standardized else nn.LayerNorm(inputs)
    return nn.Sequential(first, nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, width))


class Standardization(nn.Module):
    """Subtracts a fixed mean from each feature and divides by a fixed spread.

    For features that are statistics themselves: means and deviations of shallow and deep stages
    differ a hundredfold in size, and a normalisation over them would let the large ones speak.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        """Begin as the identity; `fit` gives it the data's statistics."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))

    def fit(self, features: Tensor) -> None:
        """Take the statistics of training features (..., width)."""
        flat = features.reshape(-1, features.shape[-1]).float()
        self.mean.copy_(flat.mean(dim=0))
        # A feature that hardly varies says nothing; it must not be blown up.
        self.std.copy_(flat.std(dim=0).clamp(min=1e-3))

    def forward(self, features: Tensor) -> Tensor:
        """Return (features - mean) / std."""
        return (features - self.mean) / self.std
