"""The fourth stage of nano: projectors, language model and score head learn together.

Both truths in every step: degraded clips teach all dimensions, attributes and words, photographs
with people's opinions anchor the overall score. Encoders are frozen; their features are inputs.
"""

import copy
import logging
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from finevq.errors import TrainingError
from finevq.model.finevq import FineVQ
from finevq.prompts import templates
from finevq.prompts.prompter import NanoPrompter
from finevq.training.averages import follow, lent
from finevq.training.batches import PackedBatch, pack
from finevq.training.config import JointStageConfig, NanoTrainingConfig
from finevq.training.encoded import EncodedSet, corrupted
from finevq.training.lessons import Lesson, lessons_of
from finevq.training.losses import (
    belief_loss,
    correlation_loss,
    order_loss,
    score_loss,
    token_loss,
)
from finevq.training.orders import worse_of_same_source
from finevq.training.state import Best, EpochState, History
from finevq.vocabulary import DIMENSIONS, Dimension

_log = logging.getLogger(__name__)


Validate = Callable[[FineVQ], dict[str, float]]
"""Gives the numbers of an epoch; "selection" is the one that is maximised."""


def train_joint(
    model: FineVQ,
    prompter: NanoPrompter,
    clips: EncodedSet,
    photographs: EncodedSet | None,
    config: NanoTrainingConfig,
    *,
    state: Path,
    validate: Validate,
) -> list[dict[str, float]]:
    """Train in place; the weights left in the model are the best epoch's running average.

    Args:
        model: Encoders frozen.
        prompter: nano's template.
        clips: Degraded clips of the training split, and stills shown as clips.
        photographs: Photographs of the training folds; None trains without people's opinions.
        config: The recipe.
        state: File that an interrupted run goes on from.
        validate: Asked after each epoch, on validation data only.

    Returns:
        What `validate` said, epoch by epoch.

    Raises:
        TrainingError: the loss is not a number.
    """
    torch.manual_seed(config.seed)
    trained = nn.ModuleList(
        [model.image_projectors, model.motion_projector, model.language_model, model.score_head]
    )
    # It says already what it will ever say; taught on, it would learn the training pictures.
    model.named_projector.requires_grad_(False)
    average = copy.deepcopy(trained).requires_grad_(False)
    stage = config.joint
    groups = _groups(model, stage)
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.98))
    num_clips = len(clips) - clips.num_drawn
    stills_an_epoch = min(clips.num_drawn, round(stage.stills_per_clip * num_clips))
    steps_per_epoch = math.ceil((num_clips + stills_an_epoch) / stage.batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [group["lr"] for group in groups],
        total_steps=max(stage.epochs * steps_per_epoch, 2),
        pct_start=0.08,
    )
    history = History()
    best = Best(average)
    progress = EpochState(
        state,
        {
            "trained": trained,
            "average": average,
            "optimizer": optimizer,
            "rate": scheduler,
            "history": history,
            "best": best,
        },
    )
    step = _Step(model, prompter, clips, photographs, config)
    for epoch in range(progress.restore(), stage.epochs):
        trained.train()
        generator = random.Random(f"{config.seed}/{epoch}")
        drawn = generator.sample(range(num_clips, len(clips)), stills_an_epoch)
        order = [*range(num_clips), *drawn]
        generator.shuffle(order)
        losses = []
        for start in range(0, len(order), stage.batch_size):
            loss = step(order[start : start + stage.batch_size], generator)
            if not math.isfinite(loss.item()):
                raise TrainingError(f"the loss is {loss.item()} in epoch {epoch + 1}")
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            follow(average, trained, stage.average_decay)
            losses.append(loss.item())
        with lent(average, trained):
            numbers = {"loss": float(np.mean(losses)), **validate(model)}
        history.rows.append(numbers)
        best.offer(average, numbers["selection"])
        shown = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
        _log.info("joint stage, epoch %d/%d: %s", epoch + 1, stage.epochs, shown)
        progress.save(epoch + 1)
    trained.load_state_dict(best.weights)
    model.eval()
    return history.rows


class _Step:
    """One step's loss on degraded clips and photographs."""

    def __init__(
        self,
        model: FineVQ,
        prompter: NanoPrompter,
        clips: EncodedSet,
        photographs: EncodedSet | None,
        config: NanoTrainingConfig,
    ) -> None:
        self._model = model
        self._prompter = prompter
        self._clips = clips
        self._photographs = photographs
        self._config = config
        self._worse = worse_of_same_source(clips.samples) if config.joint.num_pairs else {}
        self._yes_no = prompter.answer_ids(templates.YES)[0], prompter.answer_ids(templates.NO)[0]

    def __call__(self, rows: Sequence[int], generator: random.Random) -> Tensor:
        # The very same frames first: nothing but the fault tells such two apart.
        known = sorted(
            (row for row in rows if row in self._worse),
            key=lambda row: self._clips.samples[row].scene is None,
        )
        better = known[: self._config.joint.num_pairs]
        worse = [generator.choice(self._worse[row]) for row in better]
        drawn = [self._draw(self._clips, [*rows, *worse], generator)]
        count = min(self._config.joint.human_batch_size, len(self._photographs or ()))
        if self._photographs is not None and count:
            chosen = generator.sample(range(len(self._photographs)), count)
            drawn.append(self._draw(self._photographs, chosen, generator))
        # One batch: both truths are on one scale, and their order across the two is learnt too.
        visual = torch.cat([tokens for tokens, _ in drawn])
        pairs = [(rows.index(row), len(rows) + place) for place, row in enumerate(better)]
        return self._loss(visual, [taught for _, lessons in drawn for taught in lessons], pairs)

    def _draw(
        self, data: EncodedSet, rows: Sequence[int], generator: random.Random
    ) -> tuple[Tensor, list[list[Lesson]]]:
        """Return visual tokens (B, V, D) of some samples, and their lessons."""
        stage = self._config.joint
        variants = [generator.randrange(data.views.shape[1]) for _ in rows]
        images, motion = data.take(rows, variants)
        images, motion = corrupted(
            self._model, images, motion, feature_dropout=stage.feature_dropout
        )
        images = [_other_frames(view, stage.view_dropout) for view in images]
        mos_range = (self._config.mos_low, self._config.mos_high)
        lessons = [
            lessons_of(data.samples[row], generator, mos_range, num_absent=stage.num_absent)
            for row in rows
        ]
        return self._model.project(images, motion), lessons

    def _loss(
        self,
        visual: Tensor,
        lessons: Sequence[Sequence[Lesson]],
        pairs: Sequence[tuple[int, int]],
    ) -> Tensor:
        stage = self._config.joint
        batch = pack(self._prompter, self._model.config.num_visual_tokens, lessons)
        out = self._model(
            self._model.embed(batch.token_ids, visual),
            attention_mask=batch.attention_bias,
            position_ids=batch.position_ids,
        )
        predicted = self._model.score(out.hidden[batch.score_rows, batch.score_positions])
        asked = out.logits[batch.belief_rows, batch.belief_positions].log_softmax(dim=-1)
        yes, no = (asked[:, token] for token in self._yes_no)
        return (
            stage.token_weight * token_loss(out.logits, batch.labels)
            + stage.belief_weight * belief_loss(yes, no, batch.beliefs, batch.belief_weights)
            + stage.score_weight * score_loss(predicted, batch.scores)
            + stage.correlation_weight * _correlations(predicted, batch)
            + stage.rank_weight * _order(predicted, batch, pairs)
        )


def _correlations(predicted: Tensor, batch: PackedBatch) -> Tensor:
    """Mean over the dimensions that are taught."""
    losses = []
    for dimension in DIMENSIONS:
        rows = [row for row, name in enumerate(batch.score_questions) if name == dimension]
        if rows:
            losses.append(correlation_loss(predicted[rows], batch.scores[rows]))
    return torch.stack(losses).mean()


def _order(predicted: Tensor, batch: PackedBatch, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Return how far the overall scores of (better, worse) rows are from their order."""
    places = {
        int(row): place
        for place, (row, name) in enumerate(
            zip(batch.score_rows, batch.score_questions, strict=True)
        )
        if name == Dimension.OVERALL  # asked about every sample
    }
    better, worse = ([places[pair[side]] for pair in pairs] for side in (0, 1))
    return order_loss(predicted[better], predicted[worse])


def _other_frames(features: Tensor, share: float) -> Tensor:
    """Show some frames in the place of others; (B, F, tokens, features)."""
    num_videos, num_frames = features.shape[:2]
    frames = torch.arange(num_frames).expand(num_videos, -1)
    others = torch.randint(num_frames, (num_videos, num_frames))
    frames = torch.where(torch.rand(num_videos, num_frames) < share, others, frames)
    return features[torch.arange(num_videos)[:, None], frames]


def _groups(model: FineVQ, stage: JointStageConfig) -> list[dict[str, Any]]:
    """Return parameter groups: aligned projectors learn slowly, vectors do not decay."""
    slow = stage.learning_rate * stage.projector_rate
    parts = [
        (model.image_projectors, slow),
        (model.motion_projector, slow),
        (model.language_model, stage.learning_rate),
        (model.score_head, stage.learning_rate),
    ]
    return [
        {
            "params": [
                weight
                for weight in part.parameters()
                if weight.requires_grad and (weight.ndim >= 2) is is_matrix
            ],
            "weight_decay": stage.weight_decay if is_matrix else 0.0,
            "lr": rate,
        }
        for part, rate in parts
        for is_matrix in (True, False)
    ]
