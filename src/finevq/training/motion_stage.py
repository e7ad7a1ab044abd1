"""The second stage of nano: the motion encoder learns shake, stutter and flicker, alone.

Alone, because it is the only part that reads pixels in training: afterwards it is frozen, its
features are kept, and the later stages cost minutes.
"""

import logging
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.finevq import FineVQ
from finevq.training.annealing import annealed
from finevq.training.config import MotionStageConfig
from finevq.training.features import Features
from finevq.training.losses import correlation_loss, score_loss
from finevq.training.samples import TrainingSample
from finevq.training.state import EpochState
from finevq.vocabulary import ATTRIBUTES, Dimension

_log = logging.getLogger(__name__)
_FAULTS = ATTRIBUTES[Dimension.TEMPORAL]

MotionData = Sequence[tuple[TrainingSample, Features]]


def train_motion(
    model: FineVQ, data: MotionData, config: MotionStageConfig, *, seed: int, state: Path
) -> None:
    """Train the motion encoder on degraded clips, then freeze it.

    Args:
        model: Its motion encoder is trained in place.
        data: Degraded clips of the training split.
        config: Epochs, rates.
        seed: Of the order and the head.
        state: File that an interrupted run goes on from.
    """
    torch.manual_seed(seed)
    data = _balanced(data, config.clean_per_faulty, random.Random(seed))
    width = model.config.motion_encoder.feature_width
    head = nn.Sequential(
        nn.BatchNorm1d(width, affine=False),
        nn.Dropout(config.dropout),
        nn.Linear(width, 64),
        nn.GELU(),
        nn.Linear(64, len(_FAULTS) + 1),
    )
    trained = nn.ModuleList([model.motion_encoder, head])
    optimizer, scheduler = annealed(trained.parameters(), config, len(data), warm_up=0.1)
    progress = EpochState(state, {"model": trained, "optimizer": optimizer, "rate": scheduler})
    for epoch in range(progress.restore(), config.epochs):
        trained.train()
        losses = []
        for frames, targets in _batches(model, data, config.batch_size, seed=(seed, epoch)):
            predicted = head(_pooled(model, frames))
            loss = _loss(predicted, targets)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
        _log.info("motion stage, epoch %d: loss %.4f", epoch + 1, float(np.mean(losses)))
        progress.save(epoch + 1)
    model.motion_encoder.eval().requires_grad_(False)


def motion_features(model: FineVQ, data: MotionData, batch_size: int = 16) -> Tensor:
    """Return the frozen encoder's features of each clip, (N, M, features)."""
    model.motion_encoder.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(data), batch_size):
            frames = [features.motion() for _, features in data[start : start + batch_size]]
            parts.append(model.encode_motion(to_bursts(model, np.stack(frames))))
    return torch.cat(parts)


def to_bursts(model: FineVQ, frames: NDArray[np.uint8]) -> Tensor:
    """Normalise motion frames: (B, M * T, H, W, 3) uint8 to (B, M, 3, T, H, W)."""
    config = model.config.motion_encoder
    pixels = torch.from_numpy(frames).float() / 255.0
    pixels = (pixels - torch.tensor(config.mean)) / torch.tensor(config.std)
    video = model.config.video
    bursts: Tensor = pixels.unflatten(1, (video.num_bursts, video.burst_frames))
    return bursts.permute(0, 1, 5, 2, 3, 4)  # from (B, M, T, H, W, 3)


def _balanced(data: MotionData, clean_per_faulty: float, generator: random.Random) -> MotionData:
    faulty = [row for row in data if row[0].distorted.get(Dimension.TEMPORAL)]
    clean = [row for row in data if not row[0].distorted.get(Dimension.TEMPORAL)]
    count = min(len(clean), round(clean_per_faulty * max(len(faulty), 1)))
    return [*faulty, *generator.sample(clean, count)]


def _pooled(model: FineVQ, frames: Tensor) -> Tensor:
    return model.encode_motion(frames).mean(dim=1)


def _batches(
    model: FineVQ, data: MotionData, size: int, *, seed: tuple[int, int]
) -> Iterator[tuple[Tensor, Tensor]]:
    generator = random.Random(str(seed))
    order = list(range(len(data)))
    generator.shuffle(order)
    for start in range(0, len(order), size):
        rows = [data[index] for index in order[start : start + size]]
        frames = np.stack([features.motion() for _, features in rows])
        # A mirror image has the same temporal faults.
        if generator.random() < 0.5:
            frames = frames[:, :, :, ::-1]
        if generator.random() < 0.3:
            frames = frames[:, :, ::-1]
        targets = torch.tensor([_targets(sample) for sample, _ in rows])
        yield to_bursts(model, np.ascontiguousarray(frames)), targets


def _targets(sample: TrainingSample) -> list[float]:
    severities = sample.severities or {}
    return [*(severities.get(name, 0.0) for name in _FAULTS), sample.mos[Dimension.TEMPORAL]]


def _loss(predicted: Tensor, targets: Tensor) -> Tensor:
    severity = functional.smooth_l1_loss(predicted[:, :-1], targets[:, :-1], beta=0.2)
    mos = 50.0 + 13.0 * predicted[:, -1]
    return 3.0 * severity + score_loss(mos, targets[:, -1]) + correlation_loss(mos, targets[:, -1])
