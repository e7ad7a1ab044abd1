"""The third stage of nano: projectors learn to put what is known into the visual tokens.

A linear reader on the mean tokens predicts every score, severity and presence at once. It costs
seconds an epoch, since no language model runs, and leaves tokens from which the language model
only has to read: without it, the joint stage learned overall quality and little else in the same
time. The reader is thrown away.
"""

import logging
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.finevq import FineVQ
from finevq.training.config import AlignmentStageConfig
from finevq.training.joint_stage import EncodedSet
from finevq.training.lessons import known_beliefs
from finevq.training.losses import known_fault_loss, opinion_loss
from finevq.training.samples import TrainingSample
from finevq.training.state import EpochState
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, Dimension

_log = logging.getLogger(__name__)
_NUM_SEVERITIES = len(FAULT_DIMENSIONS) + len(ALL_ATTRIBUTES)
_NUM_OUTPUTS = len(DIMENSIONS) + _NUM_SEVERITIES + len(ALL_ATTRIBUTES)


def train_alignment(
    model: FineVQ,
    clips: EncodedSet,
    photographs: EncodedSet | None,
    config: AlignmentStageConfig,
    *,
    seed: int,
    state: Path,
) -> None:
    """Train the projectors in place.

    Args:
        model: Encoders frozen; its projectors are trained.
        clips: Degraded clips, and stills shown as clips, of the training split.
        photographs: Photographs of the training folds, which teach overall; None without.
        config: Epochs, rates.
        seed: Of the order and the reader.
        state: File that an interrupted run goes on from.
    """
    torch.manual_seed(seed)
    reader = nn.Linear(_num_groups(model) * model.config.language_model.width, _NUM_OUTPUTS)
    trained = nn.ModuleList([model.image_projectors, model.motion_projector, reader])
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-len(clips) // config.batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(steps, 2), pct_start=0.15
    )
    progress = EpochState(state, {"model": trained, "optimizer": optimizer, "rate": scheduler})
    for epoch in range(progress.restore(), config.epochs):
        generator = random.Random(f"{seed}/alignment/{epoch}")
        order = list(range(len(clips)))
        generator.shuffle(order)
        losses = []
        for start in range(0, len(order), config.batch_size):
            rows = order[start : start + config.batch_size]
            read = _read(model, reader, clips, rows, config, generator)
            loss = _clip_loss(read, clips, rows, config.presence_weight)
            if photographs is not None:
                drawn = generator.sample(
                    range(len(photographs)), min(config.human_batch_size, len(photographs))
                )
                read = _read(model, reader, photographs, drawn, config, generator)
                loss = loss + config.human_weight * _overall_loss(read, photographs, drawn)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("alignment stage, epoch %d: loss %.3f", epoch + 1, float(np.mean(losses)))
        progress.save(epoch + 1)


def _num_groups(model: FineVQ) -> int:
    return len(model.config.video.views) + 1


def _read(
    model: FineVQ,
    reader: nn.Linear,
    data: EncodedSet,
    rows: Sequence[int],
    config: AlignmentStageConfig,
    generator: random.Random,
) -> Tensor:
    """Return (B, outputs) from the mean token of each view and of motion."""
    variants = [generator.randrange(data.views.shape[1]) for _ in rows]
    images, motion = data.take(rows, variants)
    images = [functional.dropout(view, config.feature_dropout) for view in images]
    groups = [
        projector(view).mean(dim=(1, 2))  # (B, F, tokens, width) to (B, width)
        for projector, view in zip(model.image_projectors, images, strict=True)
    ]
    bursts = model.motion_projector(functional.dropout(motion, config.feature_dropout))
    read: Tensor = reader(torch.cat([*groups, bursts.mean(dim=1)], dim=1))
    return read


def _clip_loss(
    read: Tensor, data: EncodedSet, rows: Sequence[int], presence_weight: float
) -> Tensor:
    samples = [data.samples[row] for row in rows]
    mos = torch.tensor([[sample.mos[name] for name in DIMENSIONS] for sample in samples])
    scores, severities, presences = read.split(
        [len(DIMENSIONS), _NUM_SEVERITIES, len(ALL_ATTRIBUTES)], dim=1
    )
    known = torch.tensor([_known_severities(sample) for sample in samples])
    beliefs = torch.tensor([known_beliefs(sample) for sample in samples])
    presence = functional.binary_cross_entropy_with_logits(presences, beliefs)
    faults = known_fault_loss(50.0 + 13.0 * scores, mos, severities, known)
    return faults + presence_weight * presence


def _known_severities(sample: TrainingSample) -> list[float]:
    of_dimensions, of_attributes = sample.dimension_severities or {}, sample.severities or {}
    return [
        *(of_dimensions.get(name, 0.0) for name in FAULT_DIMENSIONS),
        *(of_attributes.get(name, 0.0) for name in ALL_ATTRIBUTES),
    ]


def _overall_loss(read: Tensor, data: EncodedSet, rows: Sequence[int]) -> Tensor:
    column = DIMENSIONS.index(Dimension.OVERALL)
    mos = torch.tensor([data.samples[row].mos[Dimension.OVERALL] for row in rows])
    predicted = 50.0 + 13.0 * read[:, column]
    return opinion_loss(predicted, mos)
