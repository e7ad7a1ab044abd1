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


class NamedProjector(nn.Module):
    """Means of all features of a video to one token for each name of a fault or dimension.

    The last layer is the same for all names: what "clearly there" looks like does not depend on
    what is there, so a reader of the tokens learns from all names at once.

    Args:
        images: Width of the mean image features, all views together.
        motion: Width of a motion feature; 0 for a model without a motion branch.
        width: Width of a token.
        num_names: N.
        colors: Width of the mean statistics of colour, all views together; 0 without.
        hidden_colors: Width between, of those.
        hidden: Width between, of images; a third of it of motion.
        told: Numbers that are told of each name.
    """

    def __init__(
        self,
        images: int,
        motion: int,
        width: int,
        *,
        num_names: int,
        colors: int = 0,
        hidden_colors: int = 0,
        hidden: int = 384,
        told: int = 32,
    ) -> None:
        super().__init__()
        self.num_names = num_names
        self.images = _perceived(images, hidden)
        self._num_hidden = hidden
        if colors:
            self.colors = _perceived(colors, hidden_colors)
            self._num_hidden += hidden_colors
        of_motion = hidden // 3 if motion else 0
        if motion:
            self.motion = _perceived(motion, of_motion)
        self.told = nn.Linear(self._num_hidden + of_motion, num_names * told)
        self.token = nn.Linear(told, width)
        self.identity = nn.Parameter(torch.randn(num_names, width) * 0.02)

    def forget_motion(self) -> None:
        """Go on without a motion branch: what motion told of each name is left out."""
        before = self.told
        hidden = self._num_hidden
        self.told = nn.Linear(
            hidden, before.out_features, device=before.weight.device, dtype=before.weight.dtype
        )
        with torch.no_grad():
            self.told.weight.copy_(before.weight[:, :hidden])
            self.told.bias.copy_(before.bias)
        del self.motion

    def forward(self, images: Tensor, colors: Tensor, motion: Tensor | None) -> Tensor:
        """Return (B, N, width) from (B, images), (B, colors) and (B, M, motion)."""
        seen = [self.images(images)]
        if colors.shape[1]:
            seen.append(self.colors(colors))
        if motion is not None:
            # Bursts one by one: a freeze is in one of them.
            seen.append(self.motion(motion).mean(dim=1))
        told = self.told(torch.cat(seen, dim=1)).unflatten(1, (self.num_names, -1))
        tokens: Tensor = self.token(told) + self.identity
        return tokens


def _perceived(inputs: int, hidden: int) -> nn.Sequential:
    return nn.Sequential(Standardization(inputs), nn.Linear(inputs, hidden), nn.GELU())


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
