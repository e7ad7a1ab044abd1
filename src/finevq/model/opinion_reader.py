"""The opinion reader: mean image features to what people would probably say, without language.

A few hundred rated photographs suffice for a linear reading that holds for pictures it never saw; a
decoder that sees them again and again learns them by heart, and takes the reading up only in part.
So the reading has a share of overall of its own.
"""

import torch
from torch import Tensor, nn

from finevq.model.projectors import Standardization

FARTHEST = 6.0
"""Standard deviations; a feature beyond counts as so far, or ruined clips would leave the scale."""


class OpinionReader(nn.Module):
    """A linear regression on standardised features.

    Args:
        width: Width of the mean features of all views together.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.standardization = Standardization(width)
        self.linear = nn.Linear(width, 1)

    def forward(self, means: Tensor) -> Tensor:
        """Return the raw opinion, 0..1 for the ends of the score's scale.

        Args:
            means: (B, width).

        Returns:
            (B,).
        """
        standardised = self.standardization(means).clamp(-FARTHEST, FARTHEST)
        raw: Tensor = self.linear(standardised)
        return torch.squeeze(raw, 1)
