"""The first stage of nano: the image encoder learns to see quality, picture by picture.

ImageNet features know things, not faults. Single pictures are cheap, so this stage sees far more
faults and sources than clips could show: it reads six scores and all severities from the whole
picture and a crop of native pixels. People's opinions of photographs take part in every step,
so that what looks bad to people and what we broke are learnt by the same weights.
"""

import copy
import logging
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from finevq.errors import TrainingError
from finevq.model.config import ImageEncoderConfig
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.projectors import Standardization
from finevq.training.averages import follow, lent
from finevq.training.config import EncoderStageConfig
from finevq.training.losses import known_fault_loss, opinion_loss
from finevq.training.measures import srcc
from finevq.training.samples import TrainingSample
from finevq.training.state import Best, EpochState, History
from finevq.training.stills import StillSet
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    PICTURE_DIMENSIONS,
    PICTURE_FAULT_DIMENSIONS,
    Dimension,
)

_log = logging.getLogger(__name__)
_SEVERITIES = (*PICTURE_FAULT_DIMENSIONS, *ALL_ATTRIBUTES)


@dataclass(frozen=True, kw_only=True, slots=True)
class StillSets:
    """What the stage learns from, and what it is checked on."""

    clips: StillSet
    photographs: StillSet | None
    """With people's opinions; None trains without them."""
    validation_clips: StillSet
    validation_photographs: StillSet | None


class PictureReader(nn.Module):
    """The image encoder under a small head that is thrown away after the stage."""

    def __init__(self, encoder: EfficientNetEncoder, dropout: float) -> None:
        super().__init__()
        self.encoder = encoder
        width = 2 * encoder.width
        self.standardization = Standardization(width)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(width, 256),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(256, len(PICTURE_DIMENSIONS) + len(_SEVERITIES)),
        )

    def features(self, whole: Tensor, detail: Tensor) -> Tensor:
        """Return (B, 2 x encoder width)."""
        return torch.cat([self.encoder(whole)[:, 0], self.encoder(detail)[:, 0]], dim=1)

    def forward(self, whole: Tensor, detail: Tensor) -> tuple[Tensor, Tensor]:
        """Return scores (B, 5 dimensions) on the MOS scale, severities (B, all)."""
        read = self.head(self.standardization(self.features(whole, detail)))
        return 50.0 + 13.0 * read[:, : len(PICTURE_DIMENSIONS)], read[:, len(PICTURE_DIMENSIONS) :]

    def train(self, mode: bool = True) -> "PictureReader":
        """Train all weights, but keep the encoder's normalization statistics of ImageNet."""
        super().train(mode)
        self.encoder.eval()
        return self


def train_encoder(
    encoder: EfficientNetEncoder,
    images: ImageEncoderConfig,
    sets: StillSets,
    config: EncoderStageConfig,
    *,
    seed: int,
    state: Path,
) -> list[dict[str, float]]:
    """Train the encoder in place; what is left in it is the best round's running average.

    Args:
        encoder: With ImageNet weights.
        images: The pictures' normalization.
        sets: Training and validation.
        config: Steps, rates.
        seed: Of everything.
        state: File that an interrupted run goes on from.

    Returns:
        Validation numbers after each round.

    Raises:
        TrainingError: the loss is not a number.
    """
    torch.manual_seed(seed)
    model = PictureReader(encoder, config.dropout)
    # Depthwise convolutions are 1.7 times as fast so, forward and backward, on the CPU.
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in stubs
    feed = _Feed(images, config)
    if not state.exists():
        _fit_standardization(model, sets.clips, feed)
    average = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.AdamW(
        [
            {"params": model.encoder.parameters(), "lr": config.learning_rate},
            {"params": model.head.parameters(), "lr": config.head_learning_rate},
        ],
        weight_decay=config.weight_decay,
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        [config.learning_rate, config.head_learning_rate],
        total_steps=config.rounds * config.steps_per_round,
        pct_start=0.15,
    )
    history, best = History(), Best(average)
    progress = EpochState(
        state,
        {
            "model": model,
            "average": average,
            "optimizer": optimizer,
            "rate": scheduler,
            "history": history,
            "best": best,
        },
    )
    for number in range(progress.restore(), config.rounds):
        model.train()
        generator = random.Random(f"{seed}/encoder/{number}")
        losses: list[float] = []
        for _ in range(config.steps_per_round):
            optimizer.zero_grad()
            loss = 0.0
            for part in _step_losses(model, sets, feed, config, generator):
                part.backward()  # one part at a time: the graphs of both would not fit together
                loss += part.item()
            if not math.isfinite(loss):
                raise TrainingError(f"the loss is {loss} in round {number + 1}")
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            scheduler.step()
            # Young averages follow fast, or they would remember the untrained head.
            steps = number * config.steps_per_round + len(losses)
            follow(average, model, min(config.average_decay, (1 + steps) / (10 + steps)))
            losses.append(loss)
        with lent(average, model):
            numbers = {"loss": float(np.mean(losses)), **_validate(model, sets, feed)}
        history.rows.append(numbers)
        best.offer(average, numbers["selection"])
        shown = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
        _log.info("encoder stage, round %d/%d: %s", number + 1, config.rounds, shown)
        progress.save(number + 1)
    model.load_state_dict(best.weights)
    encoder.eval()
    return history.rows


class _Feed:
    """Turns stored pictures into batches: random places and mirrors while training."""

    def __init__(self, images: ImageEncoderConfig, config: EncoderStageConfig) -> None:
        self._mean = torch.tensor(images.mean).view(1, 3, 1, 1) * 255.0
        self._std = torch.tensor(images.std).view(1, 3, 1, 1) * 255.0
        self._crop = config.crop

    def drawn(
        self, data: StillSet, rows: Sequence[int], generator: random.Random
    ) -> tuple[Tensor, Tensor]:
        """Return (B, 3, S, S) and (B, 3, crop, crop), some of them mirrored."""
        whole, detail = [], []
        for row in rows:
            crop = data.detail[row, generator.randrange(data.detail.shape[1])]
            room = crop.shape[0] - self._crop
            top, left = generator.randint(0, room), generator.randint(0, room)
            turn = slice(None, None, generator.choice((-1, 1)))
            whole.append(data.whole[row][:, turn])
            detail.append(crop[top : top + self._crop, left : left + self._crop][:, turn])
        return self._normalized(np.stack(whole)), self._normalized(np.stack(detail))

    def plain(self, data: StillSet, rows: Sequence[int], crop: int) -> tuple[Tensor, Tensor]:
        """Return the pictures as inference would give them."""
        chosen = list(rows)
        return self._normalized(data.whole[chosen]), self._normalized(data.detail[chosen, crop])

    def _normalized(self, pictures: NDArray[np.uint8]) -> Tensor:
        batch = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float()
        return ((batch - self._mean) / self._std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _fit_standardization(model: PictureReader, clips: StillSet, feed: _Feed) -> None:
    model.eval()
    rows = np.linspace(0, len(clips) - 1, min(len(clips), 384)).astype(int).tolist()
    features = [
        model.features(*feed.plain(clips, rows[start : start + 32], 0))
        for start in range(0, len(rows), 32)
    ]
    model.standardization.fit(torch.cat(features))


def _step_losses(
    model: PictureReader,
    sets: StillSets,
    feed: _Feed,
    config: EncoderStageConfig,
    generator: random.Random,
) -> Iterator[Tensor]:
    """Yield the loss of degraded pictures, then that of photographs."""
    rows = generator.sample(range(len(sets.clips)), min(config.batch_size, len(sets.clips)))
    scores, severities = model(*feed.drawn(sets.clips, rows, generator))
    samples = [sets.clips.samples[row] for row in rows]
    yield known_fault_loss(
        scores, _mos(samples, PICTURE_DIMENSIONS), severities, _known_severities(samples)
    )
    if sets.photographs is None or config.human_batch_size == 0:
        return
    count = min(config.human_batch_size, len(sets.photographs))
    rows = generator.sample(range(len(sets.photographs)), count)
    scores, _ = model(*feed.drawn(sets.photographs, rows, generator))
    overall = scores[:, PICTURE_DIMENSIONS.index(Dimension.OVERALL)]
    opinions = _mos([sets.photographs.samples[row] for row in rows], [Dimension.OVERALL])[:, 0]
    yield config.human_weight * opinion_loss(overall, opinions)


def _mos(samples: Sequence[TrainingSample], dimensions: Sequence[Dimension]) -> Tensor:
    return torch.tensor([[sample.mos[name] for name in dimensions] for sample in samples])


def _known_severities(samples: Sequence[TrainingSample]) -> Tensor:
    rows = []
    for sample in samples:
        known: dict[str, float] = {**(sample.severities or {})}
        known |= {str(name): value for name, value in (sample.dimension_severities or {}).items()}
        rows.append([known.get(str(name), 0.0) for name in _SEVERITIES])
    return torch.tensor(rows)


@torch.no_grad()
def _validate(model: PictureReader, sets: StillSets, feed: _Feed) -> dict[str, float]:
    """Return SRCC of each dimension's score and severity, of people's overall, and their mean."""
    scores, severities = _read(model, sets.validation_clips, feed)
    samples = sets.validation_clips.samples
    mos, known = _mos(samples, PICTURE_DIMENSIONS).numpy(), _known_severities(samples).numpy()
    numbers = {str(d): srcc(scores[:, i], mos[:, i]) for i, d in enumerate(PICTURE_DIMENSIONS)}
    for column, name in enumerate(_SEVERITIES):
        # A dimension that is never faulty has no order.
        if isinstance(name, Dimension) and known[:, column].any():
            numbers[f"{name}_severity"] = srcc(severities[:, column], known[:, column])
    if sets.validation_photographs is not None:
        read, _ = _read(model, sets.validation_photographs, feed)
        photographs = sets.validation_photographs.samples
        opinions = _mos(photographs, [Dimension.OVERALL]).numpy()[:, 0]
        numbers["human"] = srcc(read[:, PICTURE_DIMENSIONS.index(Dimension.OVERALL)], opinions)
    spatial = float(np.mean([numbers[str(d)] for d in PICTURE_DIMENSIONS]))
    # People's opinions and known faults count alike.
    numbers["selection"] = (spatial + numbers.get("human", spatial)) / 2
    return numbers


def _read(
    model: PictureReader, data: StillSet, feed: _Feed
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    scores, severities = [], []
    for start in range(0, len(data), 32):
        rows = range(start, min(start + 32, len(data)))
        read = model(*feed.plain(data, rows, 0))
        scores.append(read[0].numpy())
        severities.append(read[1].numpy())
    return np.concatenate(scores), np.concatenate(severities)
