"""What is read straight from features, without language, and what it has of each answer."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from finevq.vocabulary import DIMENSIONS, FAULT_NAMES, Dimension

_OVERALL = DIMENSIONS.index(Dimension.OVERALL)
NUM_READINGS = len(DIMENSIONS) + len(FAULT_NAMES)


class DirectReadings(NamedTuple):
    """Of B videos: first the scores of `DIMENSIONS`, then log-odds that `FAULT_NAMES` are there."""

    values: Tensor
    """(B, readings): scores on the scale of the score head; anything where the share is 0."""
    shares: Tensor
    """(B, readings), 0..1: of the answer in use; head and decoder have the rest."""

    @classmethod
    def behind_each_other(cls, parts: Sequence["DirectReadings"]) -> "DirectReadings":
        """Return the readings of all videos of several batches, in order."""
        return cls(*map(torch.cat, zip(*parts, strict=True)))

    def with_overall(self, scores: Tensor, shares: Tensor) -> "DirectReadings":
        """Return the same with other overall scores and shares (B,)."""
        return DirectReadings(
            *(
                torch.cat([of[:, :_OVERALL], new.to(of.dtype)[:, None], of[:, _OVERALL + 1 :]], 1)
                for of, new in zip(self, (scores, shares), strict=True)
            )
        )

    def of(self, videos: Tensor) -> "DirectReadings":
        """Return those of some videos, in the order of their rows."""
        return DirectReadings(self.values[videos], self.shares[videos])

    def joined_with(self, read: Tensor, columns: Tensor | int) -> Tensor:
        """Return scores, or log-odds, in use (B,), of the type of what else is read.

        Args:
            read: (B,): what the score head reads; or the log-odds that the decoder gives.
            columns: Which reading; one for all, or one for each video (B,).
        """
        videos = torch.arange(len(read), device=read.device)
        values, shares = (part[videos, columns].to(read.dtype) for part in self)
        return (1.0 - shares) * read + shares * values
