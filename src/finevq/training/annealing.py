"""AdamW under one cycle of the learning rate: up for a while, then down to nothing."""

from collections.abc import Iterable

import torch
from torch import nn

from finevq.training.config import (
    AlignmentStageConfig,
    FaultStageConfig,
    HeadStageConfig,
    MotionStageConfig,
)


def annealed(
    parameters: Iterable[nn.Parameter],
    config: AlignmentStageConfig | FaultStageConfig | HeadStageConfig | MotionStageConfig,
    num_samples: int,
    *,
    warm_up: float,
) -> tuple[torch.optim.AdamW, torch.optim.lr_scheduler.OneCycleLR]:
    """Return the optimizer of a stage and the schedule that is to be stepped with it.

    Args:
        parameters: What the stage trains.
        config: Of the stage.
        num_samples: Of an epoch; its last step may have fewer than the others.
        warm_up: Share of the steps on which the rate rises.
    """
    optimizer = torch.optim.AdamW(
        parameters, lr=config.learning_rate, weight_decay=config.weight_decay
    )
    steps = config.epochs * -(-num_samples // config.batch_size)
    # One step alone has no cycle.
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(steps, 2), pct_start=warm_up
    )
    return optimizer, schedule
