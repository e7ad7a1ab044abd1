"""The contract between questions and a network, kept by ONNX Runtime and by torch.

A video is read once into a `Prefix`; every question is a short suffix on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from finevq.video.inputs import Pixels


@dataclass(frozen=True, slots=True)
class Opinion:
    """What people would probably say overall, read without language."""

    score: float
    """On the MOS scale."""
    share: float
    """What it has of overall, 0..1; the score head has the rest."""


@dataclass(frozen=True, slots=True)
class Prefix:
    """What the language model remembers of a video: keys and values of system and visual tokens."""

    state: Any
    """The engine's own form."""
    length: int
    """Tokens read."""
    named: Any = None
    """Visual tokens that questions show again, in the engine's own form; None without any."""
    opinion: Opinion | None = None
    """None where the model has no reader of it."""


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
