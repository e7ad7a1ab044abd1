"""The contract between questions and a network, kept by ONNX Runtime and by torch.

A video is read once into a `Prefix`; every question is a short suffix on it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finevq.video.inputs import Pixels
from finevq.vocabulary import DIMENSIONS, FAULT_NAMES, Dimension


@dataclass(frozen=True, slots=True)
class DirectReading:
    """Something read straight from features, without language."""

    value: float
    share: float
    """What it has of the value in use, 0..1; score head or decoder have the rest."""

    def joined_with(self, read: float) -> float:
        """Return the value in use, given what else was read."""
        return (1.0 - self.share) * read + self.share * self.value


@dataclass(frozen=True, slots=True)
class Direct:
    """All that is read so of a video, by name; empty where a model has no such readers."""

    scores: Mapping[Dimension, DirectReading] = field(default_factory=dict)
    """On the MOS scale."""
    log_odds: Mapping[str, DirectReading] = field(default_factory=dict)
    """That a dimension is degraded, or an attribute there."""

    @classmethod
    def of(cls, values: Sequence[float], shares: Sequence[float]) -> "Direct":
        """Name readings, which come in the order of `DIMENSIONS` and `FAULT_NAMES`."""
        readings = [*map(DirectReading, map(float, values), map(float, shares))]
        end = len(DIMENSIONS)
        return cls(
            dict(zip(DIMENSIONS, readings[:end], strict=True)),
            dict(zip(FAULT_NAMES, readings[end:], strict=True)),
        )


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the language model remembers of a video: keys and values of system and visual tokens."""

    state: Any
    """The engine's own form."""
    length: int
    """Tokens read."""
    named: Any = None
    """Visual tokens that questions show again, in the engine's own form; None without any."""
    direct: Direct = field(default_factory=Direct)
    """What no language is needed for."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What the model says at the end of each suffix."""

    logits: NDArray[np.float32]
    """(S, num_last, vocabulary): the next token after each of the last positions."""
    scores: NDArray[np.float32]
    """(S, num_last): the score head's value there, on the MOS scale."""


class Engine(Protocol):
    """A loaded network."""

    def read_video(self, pixels: Pixels) -> Prefix:
        """Read a video once."""

    def read_suffixes(
        self, prefix: Prefix, suffixes: Sequence[Sequence[int]], *, num_last: int = 1
    ) -> Reading:
        """Read questions on a prefix, in one batch; the prefix stays as it was.

        Args:
            prefix: From `read_video`.
            suffixes: S lists of token ids, each at least `num_last` long.
            num_last: Positions at the end of each suffix to report.
        """

    def generate(
        self,
        prefix: Prefix,
        suffix: Sequence[int],
        *,
        stop_ids: frozenset[int],
        max_new_tokens: int,
    ) -> list[int]:
        """Continue a suffix greedily until a stop token, which is not returned."""
