"""The fault reader: mean features to five scores, and to what is there, without language.

The decoder sees features through a few narrow tokens; a perceptron on the features themselves makes
other mistakes. So the two are joined: both together are better than either (dev/LOG.md has the
numbers). It knows what degradation does, not what people say: overall is not among its scores.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.opinion_reader import standardised
from finevq.model.projectors import Standardization
from finevq.vocabulary import FAULT_DIMENSIONS, FAULT_NAMES

_FEATURE_DROPOUT = 0.3
"""Of features that networks learnt; of few statistics less may be missed."""
_COLOR_DROPOUT = 0.1
_DROPOUT = 0.2
_MIDDLE, _SPREAD = 0.5, 0.13
"""Raw score that an output of 0 means, and difference that one of 1 means: as MOS are spread."""


class FaultReader(nn.Module):
    """A perceptron of one hidden layer, in three parts that see different things.

    Args:
        images: Width of the mean image features, all views together.
        motion: Width of a motion feature; 0 for a model without a motion branch.
        colors: Width of the mean statistics of colour, all views together; 0 without.
        hidden: Units that see images; a third of it see motion.
        hidden_colors: Units that see statistics of colour.
    """

    def __init__(
        self,
        images: int,
        motion: int,
        *,
        colors: int = 0,
        hidden: int = 384,
        hidden_colors: int = 256,
    ) -> None:
        super().__init__()
        self.images = _Part(images, hidden, _FEATURE_DROPOUT)
        self.width = hidden
        """Of what is perceived of a video."""
        if colors:
            self.colors = _Part(colors, hidden_colors, _COLOR_DROPOUT)
            self.width += hidden_colors
        if motion:
            # The last of the parts, so that it can be left out.
            self.motion = _Part(motion, hidden // 3, _FEATURE_DROPOUT)
            self.width += hidden // 3
        self.dropout = nn.Dropout(_DROPOUT)
        self.readings = nn.Linear(self.width, len(FAULT_DIMENSIONS) + len(FAULT_NAMES))

    def forget_motion(self) -> None:
        """Go on without a motion branch: what motion tells is left out."""
        before = self.readings
        self.width -= self.motion.linear.out_features
        self.readings = nn.Linear(
            self.width,
            before.out_features,
            device=before.weight.device,
            dtype=before.weight.dtype,
        )
        with torch.no_grad():
            self.readings.weight.copy_(before.weight[:, : self.width])
            self.readings.bias.copy_(before.bias)
        del self.motion

    def forward(
        self, images: Tensor, colors: Tensor, motion: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Read videos.

        Args: see `perceive`.

        Returns:
            Raw scores (B, fault dimensions), 0..1 for the ends of the score's scale, and log-odds
            (B, fault names) that each is there.
        """
        return self.read(self.perceive(images, colors, motion))

    def read(self, perceived: Tensor) -> tuple[Tensor, Tensor]:
        """Return raw scores and log-odds, as `forward`, from what is perceived (B, width)."""
        scores, log_odds = self.readings(perceived).split(
            [len(FAULT_DIMENSIONS), len(FAULT_NAMES)], dim=1
        )
        return _MIDDLE + _SPREAD * scores, log_odds

    def perceive(self, images: Tensor, colors: Tensor, motion: Tensor | None) -> Tensor:
        """Return what all is read from.

        Args:
            images: (B, images).
            colors: (B, colors); B rows of nothing where there are no such statistics.
            motion: (B, M, motion); None for a model without a motion branch.

        Returns:
            (B, width).
        """
        seen = [self.images(images)]
        if colors.shape[1]:
            seen.append(self.colors(colors))
        if motion is not None:
            # Bursts one by one: a freeze is in one of them.
            seen.append(self.motion(motion).mean(dim=1))
        perceived: Tensor = self.dropout(torch.cat(seen, dim=1))
        return perceived


class _Part(nn.Module):
    def __init__(self, inputs: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.standardization = Standardization(inputs)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(inputs, hidden)

    def forward(self, features: Tensor) -> Tensor:
        # What is hidden while it learns is shown as its mean, which is 0 here.
        shown = self.dropout(standardised(self.standardization, features))
        hidden: Tensor = self.linear(shown)
        return functional.gelu(hidden)
