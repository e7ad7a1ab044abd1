"""Interrupted runs go on where they were: one file, replaced as a whole after each epoch."""

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn


class _Stateful(Protocol):
    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state_dict: Any) -> Any: ...  # noqa: ANN401  # torch's signature


class EpochState:
    """Saves and restores everything that an epoch changes.

    Args:
        path: The file.
        parts: Modules, optimizers, schedules, by name.
    """

    def __init__(self, path: Path, parts: Mapping[str, _Stateful]) -> None:
        self._path = path
        self._parts = parts

    def restore(self) -> int:
        """Load what was saved and return the number of finished epochs; 0 for a new run."""
        if not self._path.exists():
            return 0
        saved = torch.load(self._path, map_location="cpu", weights_only=True)
        for name, part in self._parts.items():
            part.load_state_dict(saved[name])
        torch.set_rng_state(saved["random"])
        return int(saved["epoch"])

    def save(self, epoch: int) -> None:
        """Save after `epoch` finished epochs; a run killed here keeps the previous file."""
        values: dict[str, Any] = {"epoch": epoch, "random": torch.get_rng_state()}
        values |= {name: part.state_dict() for name, part in self._parts.items()}
        partial = self._path.with_suffix(".part")
        torch.save(values, partial)
        partial.replace(self._path)


class History:
    """What validation said, as part of the saved state."""

    def __init__(self) -> None:
        self.rows: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, list[dict[str, float]]]:
        """Return the rows."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, list[dict[str, float]]]) -> None:
        """Take saved rows."""
        self.rows = state_dict["rows"]


class Best:
    """The best weights so far, by validation alone."""

    def __init__(self, module: nn.Module) -> None:
        self.weights = copy.deepcopy(module.state_dict())
        self._value = -math.inf

    def offer(self, module: nn.Module, value: float) -> None:
        """Keep a copy of the weights where their value is higher than any before."""
        if value > self._value:
            self._value = value
            self.weights = copy.deepcopy(module.state_dict())

    def state_dict(self) -> dict[str, object]:
        """Return weights and value."""
        return {"weights": self.weights, "value": self._value}

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Take saved weights and value."""
        self.weights = state_dict["weights"]  # type: ignore[assignment]  # as saved above
        self._value = state_dict["value"]  # type: ignore[assignment]  # as saved above
