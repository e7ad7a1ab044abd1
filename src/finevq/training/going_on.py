"""Going on from an earlier nano: what it shares with the new one stays, and what it says counts.

A decoder that learns to read new tokens forgets how it rated. So half of each score that it learns
is what it says itself before it learns on, and of overall all of it. Source: Li and Hoiem, Learning
without Forgetting (ECCV 2016).
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from finevq.errors import TrainingError
from finevq.model import folder as files
from finevq.model.checkpoint import open_weights
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.training.encoded import EncodedSet
from finevq.training.predictions import answer_states
from finevq.vocabulary import DIMENSIONS, Dimension

_log = logging.getLogger(__name__)
_OWN_SHARE = 0.5
"""Of a score other than overall. Overall was learnt from people's opinions, and those are few."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What an earlier model gave."""

    weights: Mapping[str, Tensor]
    """The parameters and statistics that were taken over, by name; all others are new."""
    metrics: Mapping[str, Any]
    """What was measured of it; empty where nothing is known."""

    @property
    def history(self) -> dict[str, list[dict[str, float]]]:
        """Validation numbers of its stages."""
        return dict(self.metrics.get("history", {}))

    @property
    def encoder_history(self) -> dict[str, list[dict[str, float]]]:
        """Those of its encoders' passes."""
        return {name: rows for name, rows in self.history.items() if "encoder" in name}

    @property
    def names(self) -> frozenset[str]:
        """Of what was taken over."""
        return frozenset(self.weights)

    @property
    def knows_drawings(self) -> bool:
        """Whether it learnt what photographs look like, and so saw what does not."""
        return "opinion_reader.of_kind.weight" in self.names


def seeing_as(config: ModelConfig, folder: Path) -> ModelConfig:
    """Return a configuration that sees as an earlier nano does: its image encoder, its views.

    Args:
        config: Of a fresh nano, whose encoder may be another by now.
        folder: The earlier model's. What is no nano changes nothing: `take_over` refuses it.

    Raises:
        CheckpointError: its configuration is damaged.
    """
    if not (folder / files.CONFIG_FILE).exists():
        return config
    earlier = files.read_config(folder)
    if earlier.name != config.name:
        return config
    return replace(config, image_encoder=earlier.image_encoder, video=earlier.video)


def take_over(model: FineVQ, folder: Path) -> Earlier:
    """Give a model every weight of an earlier one that it has too.

    Args:
        model: A fresh nano; its encoders are frozen.
        folder: As `finevq train nano` leaves it, or the package's own.

    Raises:
        CheckpointError: the folder holds no readable weights.
        TrainingError: it lacks something that ratings are read from: other encoders, another
            vocabulary, no summary tokens (versions before 3).
    """
    weights = open_weights(folder)
    state = model.state_dict()
    shared = {
        name: weights.read(name).to(tensor.dtype)
        for name, tensor in state.items()
        if weights.shapes.get(name) == tuple(tensor.shape)
    }
    # These came later and begin by adding nothing to ratings, or are fitted anew. With anything
    # else fresh, the earlier model would say nothing but noise, and this one would learn that.
    may_be_new = nn.ModuleList(
        [model.color_projector, model.named_projector, model.opinion_reader, model.fault_reader]
    )
    added = set(may_be_new.parameters())
    new = {name: weight for name, weight in model.named_parameters() if name not in shared}
    lacking = sorted(name for name, weight in new.items() if weight not in added)
    if lacking:
        first = lacking[0]
        raise TrainingError(
            f"{folder} does not fit: it has no {first} of shape {tuple(state[first].shape)} "
            f"({len(lacking)} tensors in all); training goes on from a nano of "
            "version 3 or later, with the same encoders"
        )
    with torch.no_grad():
        for name, tensor in shared.items():
            state[name].copy_(tensor)
    for encoder in (model.image_encoder, model.motion_encoder):
        encoder.eval().requires_grad_(False)
    _log.info("%d tensors of %s are kept, %d are new", len(shared), folder, len(new))
    path = folder / files.METRICS_FILE
    metrics = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return Earlier(shared, metrics)


@torch.no_grad()
def mix_with_earlier(model: FineVQ, earlier: Earlier, share: float) -> None:
    """Give weights that were taken over and learnt on a share of what they were.

    Args:
        model: Trained.
        earlier: What it went on from.
        share: Of the earlier weights, 0..1; see `NanoTrainingConfig.start_share`.
    """
    for name, weight in model.named_parameters():
        if name in earlier.weights:
            weight.lerp_(earlier.weights[name], share)


@torch.no_grad()
def own_ratings(model: FineVQ, prompter: NanoPrompter, data: EncodedSet) -> Tensor:
    """Return what a model's head says of samples (N, dimensions), on the MOS scale.

    Args:
        model: Left in evaluation mode.
        prompter: nano's template.
        data: N samples.
    """
    model.eval()
    ratings = [questions.rating(dimension) for dimension in DIMENSIONS]
    states = answer_states(model, prompter, data, ratings)
    return torch.cat([model.score(state) for state in states])


def with_ratings(
    data: EncodedSet,
    said: Tensor,
    read_named: Callable[[EncodedSet], Tensor] | None,
    *,
    of_photographed_alone: bool = False,
) -> EncodedSet:
    """Move the scores of samples towards what an earlier model said of them.

    Args:
        data: N samples.
        said: (N, dimensions), on the MOS scale.
        read_named: Reads such scores off the named tokens; it knows color better than the decoder
            does. None: color, too, is as said.
        of_photographed_alone: The earlier model knew nothing of drawings, and has no say there.

    Returns:
        The same, with other scores where they have scores.
    """
    if read_named is not None:
        color = DIMENSIONS.index(Dimension.COLOR)
        said = said.clone()
        said[:, color] = read_named(data)[:, color]
    samples = [
        replace(sample, mos=_towards(sample.mos, row))
        if sample.is_photographed or not of_photographed_alone
        else sample
        for sample, row in zip(data.samples, said.tolist(), strict=True)
    ]
    return replace(data, samples=samples)


def _towards(mos: Mapping[Dimension, float], said: Sequence[float]) -> dict[Dimension, float]:
    moved = dict(mos)
    for dimension, score in zip(DIMENSIONS, said, strict=True):
        if dimension in moved:
            share = 1.0 if dimension is Dimension.OVERALL else _OWN_SHARE
            moved[dimension] = (1.0 - share) * moved[dimension] + share * score
    return moved
