"""What a run writes down while it goes on: CSV for people and scripts, TensorBoard for curves.

A run that goes on drops what it had written behind the checkpoint, so that its journal is that of a
run that was never interrupted.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

STEPS_FILE = "steps.csv"
VALIDATION_FILE = "validation.csv"
TENSORBOARD_FOLDER = "tensorboard"


@dataclass(frozen=True, kw_only=True, slots=True)
class StepFacts:
    """One optimizer step; losses are means over the step's items, weighted as configured."""

    step: int
    """From 1."""
    epoch: int
    """From 1."""
    loss: float
    token_loss: float
    """Unweighted; NaN where nothing of the kind was learnt."""
    score_loss: float
    rank_loss: float
    learning_rate: float
    gradient_norm: float
    """Before clipping."""
    items: int
    """Learnt from; bad videos are not among them."""
    seconds: float
    """Wall time of the step."""
    waiting_seconds: float
    """Of it, spent waiting for data."""


STEP_COLUMNS: tuple[str, ...] = tuple(StepFacts.__slots__)


class Journal:
    """The log files of one run; only the first process has one.

    Args:
        folder: Of the run.
        after_step: Rows of later steps are dropped; 0 begins anew.
    """

    def __init__(self, folder: Path, *, after_step: int) -> None:
        self._steps = folder / STEPS_FILE
        self._validations = folder / VALIDATION_FILE
        for path in (self._steps, self._validations):
            _cut(path, after_step)
        self._board = SummaryWriter(
            str(folder / TENSORBOARD_FOLDER), purge_step=after_step + 1 if after_step else None
        )

    def add_step(self, facts: StepFacts) -> None:
        """Write down a step."""
        row = {name: getattr(facts, name) for name in STEP_COLUMNS}
        _append(self._steps, row)
        for name in ("loss", "token_loss", "score_loss", "rank_loss"):
            if row[name] == row[name]:
                self._board.add_scalar(f"loss/{name}", row[name], facts.step)
        self._board.add_scalar("optimizer/learning_rate", facts.learning_rate, facts.step)
        self._board.add_scalar("optimizer/gradient_norm", facts.gradient_norm, facts.step)
        share = facts.waiting_seconds / facts.seconds if facts.seconds else 0.0
        self._board.add_scalar("time/share_waiting_for_data", share, facts.step)

    def add_validation(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write down a validation."""
        _append(self._validations, {"step": step, **numbers})
        for name, value in numbers.items():
            if value == value:
                self._board.add_scalar(f"validation/{name}", value, step)
        self._board.flush()

    def close(self) -> None:
        """Write what is pending."""
        self._board.close()


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a log file; empty where there is none."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _append(path: Path, row: Mapping[str, object]) -> None:
    is_new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def _cut(path: Path, after_step: int) -> None:
    rows = read_rows(path)
    kept = [row for row in rows if _is_before(row, after_step)]
    if not kept:
        path.unlink(missing_ok=True)
    elif len(kept) < len(rows):
        _rewrite(path, kept)


def _is_before(row: Mapping[str, str | None], after_step: int) -> bool:
    # A killed run may leave a last line that is not whole.
    if None in row.values() or not (row["step"] or "").isdigit():
        return False
    return int(row["step"] or 0) <= after_step


def _rewrite(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)
