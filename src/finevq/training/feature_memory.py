"""Features of frozen encoders, computed once a video and kept in memory."""

import hashlib
from collections.abc import Callable
from typing import Any, TypeVar

from torch import nn

_F = TypeVar("_F")


class FeatureMemory:
    """What frozen encoders said about videos; one run's own, or shared by runs of equal encoders.

    Runs that share it must compute in the same precision and on the same device.
    """

    def __init__(self) -> None:
        self._features: dict[tuple[str, str], Any] = {}

    def __len__(self) -> int:
        return len(self._features)

    def knows(self, encoder: str, video: str) -> bool:
        """Say whether a video's features are kept.

        Args:
            encoder: Its `fingerprint`.
            video: Path of the video.
        """
        return (encoder, video) in self._features

    def recall(self, encoder: str, video: str, encode: Callable[[], _F]) -> _F:
        """Return a video's features; `encode` is called where they are met for the first time."""
        key = (encoder, video)
        if key not in self._features:
            self._features[key] = encode()
        found: _F = self._features[key]
        return found


def fingerprint(encoder: nn.Module, *settings: object) -> str:
    """Return what tells encoders apart: all weights and buffers, and how they are used.

    Args:
        encoder: Frozen.
        settings: Anything else that decides about its features.
    """
    digest = hashlib.sha256(repr(settings).encode())
    for name, value in encoder.state_dict().items():
        digest.update(name.encode())
        digest.update(value.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
