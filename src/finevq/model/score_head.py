"""The score head: one hidden state to one number."""

import torch
from torch import Tensor, nn

from finevq.model.config import ScoreHeadConfig


class ScoreHead(nn.Module):
    """A narrowing perceptron.

    Layers are named fc1, fc2, ... as in the official checkpoints (`mlpscore.fc1.weight`).

    Args:
        config: Hidden widths, scale, and whether a ReLU closes the last layer.
        width: Width of the hidden state.
    """

    def __init__(self, config: ScoreHeadConfig, width: int) -> None:
        super().__init__()
        self.config = config
        widths = (width, *config.widths, 1)
        self._num_layers = len(widths) - 1
        for index in range(self._num_layers):
            setattr(self, f"fc{index + 1}", nn.Linear(widths[index], widths[index + 1]))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the raw score, 0..1 for `config.low` .. `config.high`.

        Args:
            hidden: (..., width).

        Returns:
            (...): one number a state.
        """
        for index in range(self._num_layers):
            hidden = getattr(self, f"fc{index + 1}")(hidden)
            if index < self._num_layers - 1 or self.config.final_relu:
                hidden = torch.relu(hidden)
        return hidden.squeeze(-1)
