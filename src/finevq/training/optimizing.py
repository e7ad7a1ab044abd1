"""The optimizer of a stage: what it moves, how fast, and what it remembers between runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from finevq.training.distributed import full, like
from finevq.training.stages import OptimizerConfig


def make_optimizer(
    parameters: Sequence[nn.Parameter], config: OptimizerConfig
) -> torch.optim.AdamW:
    """Return AdamW; biases and normalisations are not drawn to zero."""
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        eps=config.epsilon,
    )


def owned_state(optimizer: torch.optim.Optimizer, names: Mapping[nn.Parameter, str]) -> Any:  # noqa: ANN401  # nested tensors
    """Return an optimizer's memory by parameter name, whole tensors on the CPU."""
    return {
        names[parameter]: {
            key: full(value) if isinstance(value, Tensor) else value
            for key, value in optimizer.state[parameter].items()
        }
        for group in optimizer.param_groups
        for parameter in group["params"]
        if parameter in optimizer.state
    }


def restore_state(
    optimizer: torch.optim.Optimizer, names: Mapping[nn.Parameter, str], saved: Mapping[str, Any]
) -> None:
    """Put back what `owned_state` returned."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            entries = saved.get(names[parameter])
            if entries is not None:
                optimizer.state[parameter] = {
                    key: like(value, parameter)
                    if isinstance(value, Tensor) and value.shape == parameter.shape
                    else value
                    for key, value in entries.items()
                }
