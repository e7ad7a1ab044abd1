"""After the joint stage: the score head learns anew what the decoder's states say.

In the joint stage every part sees the few photographs again and again, and the score learns them by
heart: states of unseen photographs still hold what the ridge regression knows, their scores no
longer do. So the head alone is trained once more, on states of clips and stills only, and learns
the ridge regression's opinion of each as its overall score.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from finevq.model.finevq import FineVQ
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.training.annealing import annealed
from finevq.training.config import HeadStageConfig
from finevq.training.encoded import EncodedSet
from finevq.training.losses import correlation_loss, order_loss, score_loss
from finevq.training.orders import CertainPairs
from finevq.training.predictions import answer_states
from finevq.training.samples import TrainingSample
from finevq.vocabulary import DIMENSIONS

_log = logging.getLogger(__name__)


def train_head(
    model: FineVQ,
    prompter: NanoPrompter,
    data: EncodedSet,
    samples: Sequence[TrainingSample],
    config: HeadStageConfig,
    *,
    seed: int,
    state: Path,
) -> None:
    """Train the score head in place; all else stays.

    Args:
        model: After the joint stage.
        prompter: nano's template.
        data: Clips and stills of the training split.
        samples: The same with the scores to learn.
        config: Epochs, rates.
        seed: Of the order.
        state: File that holds the trained head; a run that finds it takes it from there.
    """
    if state.exists():
        model.score_head.load_state_dict(torch.load(state, weights_only=True))
        return
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randperm(len(data), generator=generator)[: config.max_samples].tolist()
    ratings = [questions.rating(name) for name in DIMENSIONS]
    states = torch.cat(list(answer_states(model, prompter, data.part(drawn), ratings)))  # (N, 6, D)
    chosen = [samples[row] for row in drawn]
    mos = torch.tensor([[sample.mos[name] for name in DIMENSIONS] for sample in chosen])
    pairs = CertainPairs.among(chosen)
    head = model.score_head
    optimizer, scheduler = annealed(head.parameters(), config, len(mos), warm_up=0.1)
    for epoch in range(config.epochs):
        losses = []
        for rows in torch.randperm(len(mos), generator=generator).split(config.batch_size):
            predicted = model.score(states[rows])  # (B, dimensions)
            order = [
                correlation_loss(predicted[:, column], mos[rows, column])
                for column in range(len(DIMENSIONS))
            ]
            certain = _order_loss(model, states, pairs, config.num_pairs, generator)
            loss = (
                score_loss(predicted, mos[rows])
                + 0.5 * torch.stack(order).mean()
                + config.rank_weight * certain
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(head.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("head stage, epoch %d: loss %.3f", epoch + 1, float(np.mean(losses)))
    partial = state.with_suffix(".part")
    torch.save(head.state_dict(), partial)
    partial.replace(state)


def _order_loss(
    model: FineVQ, states: Tensor, pairs: CertainPairs, count: int, generator: torch.Generator
) -> Tensor:
    """Return how far the scores of some drawn pairs are from their order."""
    drawn = torch.randperm(len(pairs.better), generator=generator)[:count]
    certain = pairs.dimensions[drawn]
    better, worse = (
        model.score(states[rows[drawn]])[certain] for rows in (pairs.better, pairs.worse)
    )
    return order_loss(better, worse)
