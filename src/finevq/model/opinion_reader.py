"""The opinion reader: mean features to what people would probably say, without language.

A few hundred rated photographs suffice for a linear reading that holds for pictures it never saw; a
decoder that sees them again and again learns them by heart, and takes the reading up only in part.
So the reading has a share of overall of its own. Photographs do not tell what people say of faults
of time: how bad these are is read from motion, and lowers what the pictures promise. Nor do they
tell anything of drawings: where pictures are unlike photographs, the reading has less of a share.
"""

import torch
from torch import Tensor, nn

from finevq.model.projectors import Standardization

FARTHEST = 6.0
"""Standard deviations; a feature beyond counts as so far, or ruined clips would leave the scale."""
_SURE = 20.0
"""A logit that means yes, without any doubt that half precision could tell."""


class OpinionReader(nn.Module):
    """A linear regression on standardised features of pictures, lowered by faults of time.

    Args:
        width: Width of the mean image features of all views together.
        motion: Width of a motion feature; 0 for a model without a motion branch.
        has_familiarity: Whether it knows what photographs look like.
    """

    def __init__(self, width: int, motion: int = 0, *, has_familiarity: bool = False) -> None:
        super().__init__()
        self.standardization = Standardization(width)
        self.linear = nn.Linear(width, 1)
        if has_familiarity:
            self.of_kind = nn.Linear(width, 1)
            # Until it is fitted, everything looks familiar.
            nn.init.zeros_(self.of_kind.weight)
            nn.init.constant_(self.of_kind.bias, _SURE)
        if motion:
            self.of_time = TimeReader(motion)

    def forget_motion(self) -> None:
        """Go on without a motion branch: opinions are of pictures alone."""
        del self.of_time

    def forward(self, means: Tensor, motion: Tensor | None = None) -> Tensor:
        """Return the raw opinion, 0..1 for the ends of the score's scale.

        Args:
            means: (B, width).
            motion: (B, M, motion); None where the model has no motion branch.

        Returns:
            (B,).
        """
        raw: Tensor = self.linear(standardised(self.standardization, means))
        of_pictures = torch.squeeze(raw, 1)
        if motion is None:
            return of_pictures
        lowered: Tensor = self.of_time(of_pictures, motion)
        return lowered

    def familiarity(self, means: Tensor) -> Tensor:
        """Return how much pictures (B, width) look like photographs: (B,), 0..1."""
        if not hasattr(self, "of_kind"):
            return torch.ones_like(means[:, 0])
        raw: Tensor = self.of_kind(standardised(self.standardization, means))
        return torch.squeeze(raw, 1).sigmoid()


class TimeReader(nn.Module):
    """A logistic regression on standardised motion features: how bad are faults of time?

    Args:
        motion: Width of a motion feature.
    """

    ruined: Tensor
    weight: Tensor

    def __init__(self, motion: int) -> None:
        """Begin as one that lowers nothing."""
        super().__init__()
        self.standardization = Standardization(motion)
        self.linear = nn.Linear(motion, 1)
        self.register_buffer("ruined", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    def forward(self, opinions: Tensor, motion: Tensor) -> Tensor:
        """Lower opinions of pictures (B,), by motion (B, M, features)."""
        bursts = standardised(self.standardization, motion).mean(dim=1)
        severities = torch.squeeze(self.linear(bursts).sigmoid(), 1)
        return lowered(opinions, self.weight * severities, self.ruined)


def standardised(standardization: Standardization, features: Tensor) -> Tensor:
    """Return standardised features, none too far out."""
    shown: Tensor = standardization(features)
    return shown.clamp(-FARTHEST, FARTHEST)


def lowered(opinions: Tensor, falls: Tensor, ruined: Tensor | float) -> Tensor:
    """Take a share of all that is better than ruined away, as rules of synthesis do.

    Args:
        opinions: (B,).
        falls: (B,), 0..1.
        ruined: The opinion of what could not be worse, on the same scale.
    """
    return opinions - falls * torch.relu(opinions - ruined)
