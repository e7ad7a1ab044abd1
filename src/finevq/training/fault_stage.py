"""The fault reader learns what features say of faults, without decoder and without photographs.

Its inputs are means of frozen features, so a step costs milliseconds. Linear readers of severities
and of overall learn beside it, and are thrown away: how much of what is there tells more than five
scores.
"""

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.finevq import FineVQ
from finevq.training.annealing import annealed
from finevq.training.config import FaultStageConfig
from finevq.training.encoded import EncodedSet
from finevq.training.lessons import share_who_see
from finevq.training.losses import correlation_loss, order_loss, score_loss
from finevq.training.orders import CertainPairs
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, FAULT_NAMES

_log = logging.getLogger(__name__)


def train_fault_reader(
    model: FineVQ, data: EncodedSet, config: FaultStageConfig, *, seed: int, state: Path
) -> None:
    """Train the fault reader in place; all else stays.

    Args:
        model: Encoders frozen; its fault reader knows the statistics of features.
        data: Clips, stills and copies of the training split, with known faults.
        config: Epochs, rates.
        seed: Of the order.
        state: File that holds the trained reader; a run that finds it takes it from there.
    """
    reader = model.fault_reader
    if state.exists():
        reader.load_state_dict(torch.load(state, weights_only=True))
        reader.eval()
        return
    torch.manual_seed(seed)
    shown = _Shown(model, data)
    head = model.config.score_head
    thrown_away = nn.Linear(reader.width, len(FAULT_NAMES) + 1)  # severities, and overall
    learning = [*reader.parameters(), *thrown_away.parameters()]
    optimizer, scheduler = annealed(learning, config, len(data), warm_up=0.1)
    reader.train()
    for epoch in range(config.epochs):
        losses = []
        for rows in torch.randperm(len(data)).split(config.batch_size):
            drawn = torch.randperm(len(shown.pairs.better))[: config.num_pairs]
            better, worse = shown.pairs.better[drawn], shown.pairs.worse[drawn]
            taken = torch.cat([rows, better, worse])
            perceived = reader.perceive(*shown.features(taken))
            raw, log_odds = reader.read(perceived)
            scores = head.low + (head.high - head.low) * raw
            severities, overall = thrown_away(perceived).split([len(FAULT_NAMES), 1], dim=1)
            rated = torch.cat([scores, 50.0 + 13.0 * overall], dim=1)[: len(rows)]
            mos = shown.mos[rows]
            correlation = torch.stack(
                [correlation_loss(rated[:, i], mos[:, i]) for i in range(len(DIMENSIONS))]
            ).mean()
            severity = functional.smooth_l1_loss(
                severities[: len(rows)].sigmoid(), shown.severities[rows], beta=0.1
            )
            presence = functional.binary_cross_entropy_with_logits(log_odds, shown.beliefs[taken])
            certain = shown.pairs.dimensions[drawn][:, : len(FAULT_DIMENSIONS)]
            of_better, of_worse = scores[len(rows) :].unflatten(0, (2, len(drawn)))
            order = order_loss(of_better[certain], of_worse[certain])
            loss = (
                score_loss(rated, mos)
                + config.correlation_weight * correlation
                + config.severity_weight * severity
                + config.presence_weight * presence
                + config.rank_weight * order
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learning, 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("fault stage, epoch %d: loss %.3f", epoch + 1, float(np.mean(losses)))
    reader.eval()
    partial = state.with_suffix(".part")
    torch.save(reader.state_dict(), partial)
    partial.replace(state)


class _Shown:
    """All samples as the reader sees them, computed once, and what is known of them."""

    def __init__(self, model: FineVQ, data: EncodedSet) -> None:
        means = []
        for rows in torch.arange(len(data)).split(256):
            images, _ = data.take(rows.tolist(), [0] * len(rows))
            means.append(model.mean_features(images))
        self._images, self._colors = map(torch.cat, zip(*means, strict=True))
        self._motion = data.motion[:, 0]
        samples = data.samples
        self.mos = torch.tensor([[sample.mos[d] for d in DIMENSIONS] for sample in samples])
        self.severities = torch.tensor([sample.severities_of_faults for sample in samples])
        self.beliefs = torch.tensor(
            [[share_who_see(value) for value in row] for row in self.severities.tolist()]
        )
        self.pairs = CertainPairs.among(samples)

    def features(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what the reader takes of some rows."""
        return self._images[rows], self._colors[rows], self._motion[rows]
