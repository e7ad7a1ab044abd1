"""What a run keeps on disk so that it can stop anywhere and go on as if it had not.

`last.pt` holds everything that the next step depends on; `best.safetensors` the weights that
validation liked best. Only what learns is kept: frozen weights are where the run started from. Each
file appears under its name only when it is whole and on the disk, so a run that is killed while it
saves goes on from the save before.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from finevq.errors import TrainingError

LAST_FILE = "last.pt"
BEST_FILE = "best.safetensors"
_FORMAT = 1
_PART = ".part"


@dataclass(slots=True)
class Progress:
    """Where a run stands; changes as it goes on."""

    step: int = 0
    """Optimizer steps done."""
    epoch: int = 0
    """Epochs done."""
    step_of_epoch: int = 0
    """Steps done of the present epoch."""
    best_value: float | None = None
    """What validation said of the best weights; None before the first validation."""
    best_step: int = 0
    """Step after which it said so."""
    history: list[dict[str, float]] = field(default_factory=list)
    """Every validation, in order."""

    def to_dict(self) -> dict[str, Any]:
        """Return a copy of plain values."""
        return {
            "step": self.step,
            "epoch": self.epoch,
            "step_of_epoch": self.step_of_epoch,
            "best_value": self.best_value,
            "best_step": self.best_step,
            "history": [dict(row) for row in self.history],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """Everything that the next step depends on."""

    progress: Progress
    trained: Mapping[str, Tensor]
    """What learns, by name."""
    optimizer: Mapping[str, Any]
    """The optimizer's memory, by the same names."""
    random: list[dict[str, Tensor]]
    """Random states of each process."""


def save_last(folder: Path, checkpoint: Checkpoint) -> None:
    """Write the checkpoint that a run goes on from."""
    values = {
        "format": _FORMAT,
        "progress": checkpoint.progress.to_dict(),
        "trained": dict(checkpoint.trained),
        "optimizer": checkpoint.optimizer,
        "random": checkpoint.random,
    }
    _write(folder / LAST_FILE, lambda path: torch.save(values, path))


def load_last(folder: Path) -> Checkpoint:
    """Read the checkpoint that a run goes on from.

    Raises:
        TrainingError: there is none, or it cannot be read.
    """
    path = folder / LAST_FILE
    if not path.is_file():
        raise TrainingError(f"{folder} holds no {LAST_FILE} to go on from; start without --resume")
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
        if values["format"] != _FORMAT:
            raise TrainingError(
                f"{path} is of format {values['format']}, this finevq reads {_FORMAT}"
            )
        return Checkpoint(
            progress=Progress(**values["progress"]),
            trained=values["trained"],
            optimizer=values["optimizer"],
            random=values["random"],
        )
    except TrainingError:
        raise
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, EOFError, KeyError...
        raise TrainingError(f"{path} cannot be read: {error}; start without --resume") from error


def save_best(folder: Path, trained: Mapping[str, Tensor], progress: Progress) -> None:
    """Write the weights that validation liked best."""
    notes = {"step": str(progress.best_step), "value": repr(progress.best_value)}
    tensors = {name: tensor.contiguous() for name, tensor in trained.items()}
    _write(folder / BEST_FILE, lambda path: save_file(tensors, str(path), metadata=notes))


def has_checkpoint(folder: Path) -> bool:
    """Say whether there is a run to go on with."""
    return (folder / LAST_FILE).is_file()


def random_state() -> dict[str, Tensor]:
    """Return the random states that training draws from."""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def restore_random_state(state: Mapping[str, Tensor]) -> None:
    """Put random states back."""
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def _write(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all, also when power fails."""
    part = path.with_name(path.name + _PART)
    write(part)
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name, too
    finally:
        os.close(folder)
