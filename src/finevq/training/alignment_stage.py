"""The third stage of nano: projectors learn to put what is known into the visual tokens.

A linear reader on the mean tokens predicts every score and severity at once. It costs seconds an
epoch, since no language model runs, and leaves tokens from which the language model only has to
read: without it, the joint stage learned overall quality and little else in the same time. The
reader is thrown away.
"""

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.finevq import FineVQ
from finevq.training.config import AlignmentStageConfig
from finevq.training.joint_stage import EncodedSet
from finevq.training.losses import correlation_loss, score_loss
from finevq.training.samples import TrainingSample
from finevq.training.state import EpochState
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, Dimension

_log = logging.getLogger(__name__)
_NUM_OUTPUTS = len(DIMENSIONS) + len(FAULT_DIMENSIONS) + len(ALL_ATTRIBUTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignmentSets:
    """What the stage learns from."""

    clips: EncodedSet
    """Degraded clips of the training split."""
    stills: EncodedSet | None
    """Degraded pictures of the training split, without motion: many more chains of faults than the
    clips have. None: without."""
    photographs: EncodedSet | None
    """Photographs of the training folds, which teach overall. None: without."""


def train_alignment(
    model: FineVQ,
    sets: AlignmentSets,
    config: AlignmentStageConfig,
    *,
    seed: int,
    state: Path,
) -> None:
    """Train the projectors in place: first on stills, then on clips.

    Args:
        model: Encoders frozen; its projectors are trained.
        sets: What is learnt from.
        config: Epochs, rates.
        seed: Of the order and the reader.
        state: File that an interrupted run goes on from.
    """
    torch.manual_seed(seed)
    reader = nn.Linear(_num_groups(model) * model.config.language_model.width, _NUM_OUTPUTS)
    trained = nn.ModuleList([model.image_projectors, model.motion_projector, reader])
    phases = [("clips", sets.clips, config.epochs)]
    if sets.stills is not None:
        phases.insert(0, ("stills", sets.stills, config.still_epochs))
    for name, data, epochs in phases:
        _train_phase(
            model,
            reader,
            trained,
            data,
            sets.photographs,
            replace(config, epochs=epochs),
            seed=f"{seed}/alignment/{name}",
            state=state.with_name(f"{state.stem}_{name}{state.suffix}"),
        )


def _train_phase(
    model: FineVQ,
    reader: nn.Linear,
    trained: nn.Module,
    data: EncodedSet,
    photographs: EncodedSet | None,
    config: AlignmentStageConfig,
    *,
    seed: str,
    state: Path,
) -> None:
    optimizer = torch.optim.AdamW(
        trained.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-len(data) // config.batch_size)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(steps, 2), pct_start=0.15
    )
    progress = EpochState(state, {"model": trained, "optimizer": optimizer, "rate": scheduler})
    for epoch in range(progress.restore(), config.epochs):
        generator = random.Random(f"{seed}/{epoch}")
        order = list(range(len(data)))
        generator.shuffle(order)
        losses = []
        for start in range(0, len(order), config.batch_size):
            rows = order[start : start + config.batch_size]
            loss = _clip_loss(_read(model, reader, data, rows, config, generator), data, rows)
            if photographs is not None:
                drawn = generator.sample(
                    range(len(photographs)), min(config.batch_size, len(photographs))
                )
                read = _read(model, reader, photographs, drawn, config, generator)
                loss = loss + _overall_loss(read, photographs, drawn)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("%s, epoch %d: loss %.3f", seed, epoch + 1, float(np.mean(losses)))
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
    if data.has_motion:
        bursts = model.motion_projector(functional.dropout(motion, config.feature_dropout))
        groups.append(bursts.mean(dim=1))
    else:
        groups.append(torch.zeros_like(groups[0]))
    read: Tensor = reader(torch.cat(groups, dim=1))
    return read


def _clip_loss(read: Tensor, data: EncodedSet, rows: Sequence[int]) -> Tensor:
    samples = [data.samples[row] for row in rows]
    told = [name for name in DIMENSIONS if data.has_motion or name is not Dimension.TEMPORAL]
    columns = [DIMENSIONS.index(name) for name in told]
    mos = torch.tensor([[sample.mos[name] for name in told] for sample in samples])
    predicted = 50.0 + 13.0 * read[:, columns]
    correlations = [
        correlation_loss(predicted[:, column], mos[:, column]) for column in range(len(told))
    ]
    known = [_known_severities(sample) for sample in samples]
    severity = functional.smooth_l1_loss(read[:, len(DIMENSIONS) :], torch.tensor(known), beta=0.1)
    return score_loss(predicted, mos) + torch.stack(correlations).mean() + 5.0 * severity


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
    return score_loss(predicted, mos) + correlation_loss(predicted, mos)
