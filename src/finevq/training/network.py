"""The model as training calls it: videos and rows in, losses of tokens and predicted scores out.

One forward pass through one module, since that is what data-parallel wrappers hook into.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.config import ModelConfig
from finevq.model.direct_readings import DirectReadings
from finevq.model.finevq import FineVQ
from finevq.training.dataset import InstructionBatch, image_inputs, motion_inputs
from finevq.training.feature_memory import FeatureMemory, fingerprint
from finevq.training.parts import encoder_is_frozen
from finevq.training.rows import Rows
from finevq.vocabulary import DIMENSIONS

_F = TypeVar("_F")
"""Features of a video, as one encoder gives them."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a pass over some rows says."""

    token_losses: Tensor
    """(N,) float32: cross-entropy of each token to learn."""
    token_hits: Tensor
    """(N,) bool: whether it is the likeliest one."""
    scores: Tensor
    """(R,) float32, 0..1 of the head's scale; empty for a model without a head."""


class TrainingNetwork(nn.Module):
    """A FineVQ with the bookkeeping of training around it.

    Args:
        model: Ready for its stage.
        keeps_features: Keep the features of each encoder that is frozen, by video.
        memory: Where they are kept; one of its own where None.
    """

    def __init__(
        self,
        model: FineVQ,
        *,
        keeps_features: bool = False,
        memory: FeatureMemory | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._images_frozen = encoder_is_frozen(model.image_encoder)
        motion = getattr(model, "motion_encoder", None)
        self._motion_frozen = motion is None or encoder_is_frozen(motion)
        self._memory = FeatureMemory() if memory is None else memory
        config = model.config
        # What is kept is known by these names; "" where an encoder's features are not kept.
        self._images_name = self._motion_name = ""
        if keeps_features and self._images_frozen:
            # Models with and without a motion branch see the same pictures.
            pictures = replace(config.video, motion="none")
            self._images_name = fingerprint(model.image_encoder, pictures, config.image_encoder)
        if keeps_features and self._motion_frozen and motion is not None:
            self._motion_name = fingerprint(motion, config.video, config.motion_encoder)
        self._has_motion = motion is not None and config.video.motion != "none"

    def forward(self, batch: InstructionBatch, rows: Rows) -> Answers:
        """Read videos and their rows.

        Args:
            batch: B videos.
            rows: Their questions, on the model's device.
        """
        model = self.model
        images, motion = self.features(batch)
        visual = model.project(images, motion)  # (B, V, D)
        out = model(
            model.embed(rows.token_ids, visual),
            attention_mask=_in_working_type(rows.attention_bias, visual),
            position_ids=rows.position_ids,
            with_logits=False,
        )
        losses, hits = self._token_losses(out.hidden, rows)
        scores = out.hidden.new_zeros(len(rows.scores), dtype=torch.float32)
        if model.config.has_score_head:
            scores = self._scores(out.hidden, rows, model.direct_readings(images, motion))
        return Answers(losses, hits, scores)

    def features(self, batch: InstructionBatch) -> tuple[list[Tensor], Tensor | None]:
        """Return what `FineVQ.project` takes: for each view (B, F, tokens, features), and motion.

        Kept features were computed one video at a time, so that they do not depend on neighbours.
        """
        images = self._images(batch)
        return images, self._motion(batch)

    def knows(self, video: Path) -> bool:
        """Say whether all features of a video are kept, so that its pixels are not needed."""
        memory, path = self._memory, str(video)
        return memory.knows(self._images_name, path) and (
            not self._has_motion or memory.knows(self._motion_name, path)
        )

    def _images(self, batch: InstructionBatch) -> list[Tensor]:
        if not self._images_name:
            return self._encode_images(batch)
        parts = self._remembered(self._images_name, batch, self._encode_images)
        return [torch.cat(views) for views in zip(*parts, strict=True)]

    def _motion(self, batch: InstructionBatch) -> Tensor | None:
        if not self._has_motion:
            return None
        if not self._motion_name:
            return self._encode_motion(batch)
        return torch.cat(self._remembered(self._motion_name, batch, self._encode_motion))

    def _remembered(
        self, encoder: str, batch: InstructionBatch, encode: Callable[[InstructionBatch], _F]
    ) -> list[_F]:
        """Return the features of each video, computing those that are met for the first time."""
        return [
            self._memory.recall(encoder, str(records[0].video), partial(_of_one, batch, n, encode))
            for n, records in enumerate(batch.records)
        ]

    def _encode_images(self, batch: InstructionBatch) -> list[Tensor]:
        model = self.model
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._images_frozen):
            return model.encode_images(image_inputs(batch, model.config, self._device()))

    def _encode_motion(self, batch: InstructionBatch) -> Tensor:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self._motion_frozen):
            return self._motion_of(batch, self._device())

    def _device(self) -> torch.device:
        return next(self.model.parameters()).device

    def _motion_of(self, batch: InstructionBatch, device: torch.device) -> Tensor:
        model = self.model
        if model.config.video.motion != "all_frames":
            frames = motion_inputs(batch, model.config, device)
            assert frames is not None  # asked for where there is a motion branch
            return model.encode_motion(frames)
        features = []
        for number in range(len(batch)):
            # Videos of any length: one at a time, window by window.
            video = _one_of(batch, number)
            read = partial(_read_motion, video, model.config, device)
            features.append(model.motion_encoder.forward_windows(read, len(video.motion[0])))
        return torch.stack(features)  # (B, 1, features)

    def _token_losses(self, hidden: Tensor, rows: Rows) -> tuple[Tensor, Tensor]:
        places, targets = rows.token_places, rows.targets
        if not len(targets):  # the output layer takes part in every step, at weight 0
            logits = self.model.logits(hidden[:1, -1]).float()
            nothing = logits.sum(dim=1) * 0.0
            return nothing[:0] + nothing.sum(), torch.zeros(0, dtype=torch.bool)
        logits = self.model.logits(hidden[places[:, 0], places[:, 1]]).float()
        losses = functional.cross_entropy(logits, targets, reduction="none")
        return losses, logits.detach().argmax(dim=1) == targets

    def _scores(self, hidden: Tensor, rows: Rows, direct: DirectReadings | None) -> Tensor:
        head = self.model.config.score_head
        places = rows.score_places
        if not len(places):
            nothing = self.model.score(hidden[:1, -1]).float() * 0.0
            return nothing[:0] + nothing.sum()
        scores = self.model.score(hidden[places[:, 0], places[:, 1]]).float()
        if direct is not None:
            columns = [DIMENSIONS.index(dimension) for dimension in rows.score_dimensions]
            of_dimensions = torch.tensor(columns, device=scores.device)
            scores = direct.of(places[:, 0]).joined_with(scores, of_dimensions)
        return (scores - head.low) / (head.high - head.low)


def _read_motion(
    video: InstructionBatch, config: ModelConfig, device: torch.device, places: Sequence[int]
) -> Tensor:
    """Return some motion frames of one video, (1, 3, n, H, W)."""
    part = replace(video, motion=(video.motion[0][list(places)],))
    frames = motion_inputs(part, config, device)
    assert frames is not None  # all_frames has a motion branch
    return frames[:, 0]


def _of_one(batch: InstructionBatch, number: int, encode: Callable[[InstructionBatch], _F]) -> _F:
    return encode(_one_of(batch, number))


def _one_of(batch: InstructionBatch, number: int) -> InstructionBatch:
    return replace(
        batch,
        indices=batch.indices[number : number + 1],
        records=batch.records[number : number + 1],
        views=tuple(view[number : number + 1] for view in batch.views),
        motion=batch.motion[number : number + 1],
        skipped=(),
    )


def _in_working_type(bias: Tensor | None, visual: Tensor) -> Tensor | None:
    """Return the bias in the type that attention computes in."""
    if bias is None:
        return None
    kind = visual.device.type
    working = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else visual.dtype
    return bias.to(working)


def to_device(rows: Rows, device: torch.device) -> Rows:
    """Return rows on another device."""
    if device.type == "cpu":
        return rows
    bias = rows.attention_bias
    return replace(
        rows,
        token_ids=rows.token_ids.to(device),
        position_ids=rows.position_ids.to(device),
        attention_bias=None if bias is None else bias.to(device),
        token_places=rows.token_places.to(device),
        targets=rows.targets.to(device),
        score_places=rows.score_places.to(device),
        scores=rows.scores.to(device),
    )
