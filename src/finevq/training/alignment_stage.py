"""The third stage of nano: projectors learn to put what is known into the visual tokens.

Linear readers on the tokens predict every score, severity and presence at once. That costs
seconds an epoch, since no language model runs, and leaves tokens from which the language model
only has to read: without it, the joint stage learned overall quality and little else in the same
time. Each summary token is read for its own dimension only, so that a question has one place to
look at; each named token for its own name only, by one reader for all of them, so that what a
question shows is said in one way. The readers are thrown away, but for what going on from an
earlier model asks that of the named tokens.
"""

import logging
import random
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.finevq import FineVQ
from finevq.training.annealing import annealed
from finevq.training.config import AlignmentStageConfig
from finevq.training.encoded import EncodedSet, corrupted
from finevq.training.lessons import share_who_see
from finevq.training.losses import known_fault_loss, opinion_loss, order_loss
from finevq.training.measures import srcc
from finevq.training.orders import CertainPairs
from finevq.training.state import EpochState
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    FAULT_NAMES,
    NAMES,
    PICTURE_DIMENSIONS,
    Dimension,
    dimension_of,
)

_log = logging.getLogger(__name__)
_FAULT_DIMENSIONS: tuple[Dimension, ...] = (
    *FAULT_DIMENSIONS,
    *map(dimension_of, ALL_ATTRIBUTES),
)
_OUTPUTS: tuple[Dimension, ...] = (*DIMENSIONS, *_FAULT_DIMENSIONS, *_FAULT_DIMENSIONS)
"""Whose each output is: scores, severities, presences."""
_OVERALL = DIMENSIONS.index(Dimension.OVERALL)


def train_alignment(
    model: FineVQ,
    clips: EncodedSet,
    photographs: EncodedSet | None,
    config: AlignmentStageConfig,
    *,
    validation: Sequence[EncodedSet],
    seed: int,
    state: Path,
) -> Callable[[EncodedSet], Tensor]:
    """Train the projectors in place.

    Args:
        model: Encoders frozen; its projectors are trained.
        clips: Degraded clips, and stills shown as clips, of the training split.
        photographs: Photographs of the training folds, which teach overall; None without.
        config: Epochs, rates.
        validation: Sets whose correlations are logged after each epoch; nothing depends on them.
        seed: Of the order and the readers.
        state: File that an interrupted run goes on from.

    Returns:
        What reads six scores (N, dimensions) off the named tokens, on the MOS scale; it goes with
        the tokens as they are now.
    """
    torch.manual_seed(seed)
    readers = _Readers(model)
    trained = nn.ModuleList([model.image_projectors, model.motion_projector, readers])
    optimizer, scheduler = annealed(trained.parameters(), config, len(clips), warm_up=0.15)
    pairs = CertainPairs.among(clips.samples)
    progress = EpochState(state, {"model": trained, "optimizer": optimizer, "rate": scheduler})
    for epoch in range(progress.restore(), config.epochs):
        trained.train()
        generator = random.Random(f"{seed}/alignment/{epoch}")
        order = list(range(len(clips)))
        generator.shuffle(order)
        losses = []
        for start in range(0, len(order), config.batch_size):
            rows = order[start : start + config.batch_size]
            read = _read(model, readers, clips, rows, config, generator)
            parts = [_clip_loss(one, clips, rows, config.presence_weight) for one in read]
            if photographs is not None:
                drawn = generator.sample(
                    range(len(photographs)), min(config.human_batch_size, len(photographs))
                )
                read = _read(model, readers, photographs, drawn, config, generator)
                opinions = [_overall_loss(one, photographs, drawn) for one in read]
                parts += [config.human_weight * part for part in opinions]
            if config.num_pairs and len(pairs.better):
                drawn = generator.sample(
                    range(len(pairs.better)), min(config.num_pairs, len(pairs.better))
                )
                orders = _order_losses(model, readers, clips, pairs, drawn, config, generator)
                parts += [config.rank_weight * part for part in orders]
            loss = torch.stack(parts).sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("alignment stage, epoch %d: loss %.3f", epoch + 1, float(np.mean(losses)))
        trained.eval()
        for data in validation:
            shown = _correlations(model, readers, data)
            _log.info("  SRCC (all tokens, summary, named tokens): %s", shown)
        progress.save(epoch + 1)
    trained.eval()
    return partial(_named_scores, model, readers)


class _Readers(nn.Module):
    """Linear readers of the mean tokens of all views; of the summary; of each named token.

    The first two read motion, too.
    """

    mask: Tensor

    def __init__(self, model: FineVQ) -> None:
        super().__init__()
        width = model.config.language_model.width
        num_views = len(model.config.video.views)
        self.of_means = nn.Linear((num_views + 1) * width, len(_OUTPUTS))
        groups = [*PICTURE_DIMENSIONS, None]  # motion, last, may tell of everything
        self.of_summary = nn.Linear(len(groups) * width, len(_OUTPUTS))
        own = [[group in (None, output) for group in groups] for output in _OUTPUTS]
        self.register_buffer("mask", torch.tensor(own).repeat_interleave(width, dim=1))
        self.of_named = nn.Linear(width, 3)
        self.of_names = nn.Parameter(torch.zeros(len(NAMES), 3))

    def forward(self, means: Tensor, summary: Tensor, named: Tensor) -> tuple[Tensor, ...]:
        """Return what each reads (B, outputs)."""
        summarised = functional.linear(
            summary, self.of_summary.weight * self.mask, self.of_summary.bias
        )
        read = self.of_named(named) + self.of_names  # (B, names, 3)
        faults = [NAMES.index(name) for name in FAULT_NAMES]
        own = [read[:, : len(DIMENSIONS), 0], read[:, faults, 1], read[:, faults, 2]]
        return self.of_means(means), summarised, torch.cat(own, dim=1)


def _read(
    model: FineVQ,
    readers: _Readers,
    data: EncodedSet,
    rows: Sequence[int],
    config: AlignmentStageConfig | None,
    generator: random.Random | None,
) -> tuple[Tensor, ...]:
    """Return what all readers say (B, outputs); without a generator as it is in use."""
    draw = generator.randrange if generator else lambda _: 0
    images, motion = data.take(rows, [draw(data.views.shape[1]) for _ in rows])
    if config is not None:
        images, motion = corrupted(model, images, motion, feature_dropout=config.feature_dropout)
    means = [tokens.mean(dim=(1, 2)) for tokens in model.frame_tokens(images)]  # (B, width)
    bursts = model.motion_projector(motion).mean(dim=1)
    said: tuple[Tensor, ...] = readers(
        torch.cat([*means, bursts], dim=1),
        torch.cat([model.summarise(images).flatten(1), bursts], dim=1),
        model.named_tokens(images, motion),
    )
    return said


def _clip_loss(
    read: Tensor, data: EncodedSet, rows: Sequence[int], presence_weight: float
) -> Tensor:
    samples = [data.samples[row] for row in rows]
    mos = torch.tensor([[sample.mos[name] for name in DIMENSIONS] for sample in samples])
    scores, severities, presences = read.split(
        [len(DIMENSIONS), len(FAULT_NAMES), len(FAULT_NAMES)], dim=1
    )
    known = torch.tensor([sample.severities_of_faults for sample in samples])
    beliefs = torch.tensor([[share_who_see(value) for value in row] for row in known.tolist()])
    presence = functional.binary_cross_entropy_with_logits(presences, beliefs)
    faults = known_fault_loss(50.0 + 13.0 * scores, mos, severities, known)
    return faults + presence_weight * presence


def _overall_loss(read: Tensor, data: EncodedSet, rows: Sequence[int]) -> Tensor:
    mos = torch.tensor([data.samples[row].mos[Dimension.OVERALL] for row in rows])
    return opinion_loss(50.0 + 13.0 * read[:, _OVERALL], mos)


def _order_losses(
    model: FineVQ,
    readers: _Readers,
    data: EncodedSet,
    pairs: CertainPairs,
    drawn: Sequence[int],
    config: AlignmentStageConfig,
    generator: random.Random,
) -> list[Tensor]:
    """Return how far each reader's scores of some pairs are from their order."""
    chosen = list(drawn)
    rows = [*pairs.better[chosen].tolist(), *pairs.worse[chosen].tolist()]
    certain = pairs.dimensions[chosen]
    losses = []
    for read in _read(model, readers, data, rows, config, generator):
        scores = 50.0 + 13.0 * read[:, : len(DIMENSIONS)]
        better, worse = scores.split(len(chosen))
        losses.append(order_loss(better[certain], worse[certain]))
    return losses


@torch.no_grad()
def _read_all(model: FineVQ, readers: _Readers, data: EncodedSet) -> list[Tensor]:
    """Return what each reader says of all samples (N, outputs), as in use."""
    blocks = [range(start, min(start + 256, len(data))) for start in range(0, len(data), 256)]
    read = [_read(model, readers, data, block, None, None) for block in blocks]
    return [torch.cat(parts) for parts in zip(*read, strict=True)]


def _named_scores(model: FineVQ, readers: _Readers, data: EncodedSet) -> Tensor:
    *_, named = _read_all(model, readers, data)
    return 50.0 + 13.0 * named[:, : len(DIMENSIONS)]


def _correlations(model: FineVQ, readers: _Readers, data: EncodedSet) -> str:
    """Return SRCC of each score that the set knows, for all readers, in words."""
    read = [said.numpy() for said in _read_all(model, readers, data)]
    words = []
    for column, name in enumerate(DIMENSIONS):
        if name in data.samples[0].mos:
            mos = np.array([sample.mos[name] for sample in data.samples])
            numbers = " ".join(f"{srcc(one[:, column], mos):.3f}" for one in read)
            words.append(f"{name} {numbers}")
    return ", ".join(words)
