"""Going on from an earlier nano: its encoders and all that it shares with the new one stay."""

import json
import logging
from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from finevq.errors import TrainingError
from finevq.model import folder as files
from finevq.model.checkpoint import open_weights
from finevq.model.finevq import FineVQ

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier model gave."""

    names: frozenset[str]
    """Of the parameters and statistics that were taken over; all others are new."""
    history: dict[str, Any]
    """Validation numbers of its encoders' passes."""


def take_over(model: FineVQ, folder: Path) -> Earlier:
    """Give a model every weight of an earlier one that it has too.

    Args:
        model: A fresh nano; its encoders are frozen.
        folder: As `finevq train nano` leaves it, or the package's own.

    Raises:
        CheckpointError: the folder holds no readable weights.
        TrainingError: it is no nano with the same encoders and the same vocabulary.
    """
    weights = open_weights(folder)
    state = model.state_dict()
    shared = {
        name: weights.read(name).to(tensor.dtype)
        for name, tensor in state.items()
        if weights.shapes.get(name) == tuple(tensor.shape)
    }
    needed = ("image_encoder.", "motion_encoder.", "language_model.model.embed_tokens.")
    trained = {name for name, _ in model.named_parameters()}
    lacking = sorted(name for name in trained - shared.keys() if name.startswith(needed))
    if lacking:
        first = lacking[0]
        raise TrainingError(
            f"{folder} does not fit: it has no {first} of shape {tuple(state[first].shape)} "
            f"({len(lacking)} tensors in all); training goes on from a nano with the same encoders"
        )
    with torch.no_grad():
        for name, tensor in shared.items():
            state[name].copy_(tensor)
    for encoder in (model.image_encoder, model.motion_encoder):
        encoder.eval().requires_grad_(False)
    num_new = len(trained - shared.keys())
    _log.info("%d tensors of %s are kept, %d are new", len(shared), folder, num_new)
    return Earlier(frozenset(shared), _encoder_passes(folder / files.METRICS_FILE))


@contextmanager
def resting(model: FineVQ, names: Set[str]) -> Iterator[list[str]]:
    """Keep some weights from learning for a while; yields the names of those that still learn."""
    weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    for name in weights.keys() & names:
        weights[name].requires_grad_(False)
    try:
        yield sorted(weights.keys() - names)
    finally:
        for name in weights.keys() & names:
            weights[name].requires_grad_(True)


def _encoder_passes(metrics: Path) -> dict[str, Any]:
    if not metrics.is_file():
        return {}
    history = json.loads(metrics.read_text(encoding="utf-8"))["history"]
    return {name: rows for name, rows in history.items() if "encoder" in name}
