"""One pass of a step: videos with their rows, and what the model's answers mean for each record."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from finevq.model.config import ModelConfig
from finevq.prompts.prompter import Prompter
from finevq.training.blank import blank_batch
from finevq.training.dataset import InstructionBatch, SkippedVideos
from finevq.training.network import Answers
from finevq.training.rows import Rows, make_rows
from finevq.training.validation import Outcome


@dataclass(frozen=True, slots=True)
class Pass:
    """What goes through the model at once in one process."""

    batch: InstructionBatch
    rows: Rows
    counts: bool
    """False for a stand-in that only keeps this process in step with the others."""


class PassMaker:
    """Turns loaded videos into passes, and notes those that could not be loaded.

    Args:
        model: Configuration of the model.
        prompter: Its template.
        learns_opening: See `finevq.training.rows.make_rows`.
    """

    def __init__(self, model: ModelConfig, prompter: Prompter, *, learns_opening: bool) -> None:
        self.skipped = SkippedVideos()
        """Videos that could not be loaded."""
        self._model = model
        self._prompter = prompter
        self._num_visual = model.num_visual_tokens
        self._learns_opening = learns_opening

    def make(self, batch: InstructionBatch) -> Pass:
        """Return the pass of a batch; a stand-in where nothing of it could be loaded."""
        self.skipped.add(batch.skipped)
        counts = len(batch) > 0
        if not counts:
            batch = blank_batch(self._model)
        rows = make_rows(
            self._prompter,
            self._num_visual,
            batch.records,
            learns_opening=self._learns_opening,
            with_scores=self._model.has_score_head,
        )
        return Pass(batch, rows, counts)


def names_not_finite(rows: Rows, token_losses: Tensor, errors: Tensor) -> list[str]:
    """Return the records with a loss that is not a finite number.

    Args:
        rows: R scores and N tokens to learn.
        token_losses: (N,).
        errors: (R,).
    """
    owners = [
        *(rows.token_owners[int(i)] for i in (~torch.isfinite(token_losses)).nonzero()),
        *(rows.score_owners[int(i)] for i in (~torch.isfinite(errors)).nonzero()),
    ]
    return [rows.records[owner].id for owner in dict.fromkeys(owners)]


def outcomes_of(turn: Pass, answers: Answers) -> list[Outcome]:
    """Return what the model said to each record of a pass."""
    rows = turn.rows
    items = [
        item
        for item, records in zip(turn.batch.indices, turn.batch.records, strict=True)
        for _ in records
    ]
    token_losses, hits = answers.token_losses.tolist(), answers.token_hits.tolist()
    scores = dict(zip(rows.score_owners, range(len(rows.score_owners)), strict=True))
    outcomes = []
    for owner, record in enumerate(rows.records):
        spoken = [place for place, name in enumerate(rows.token_owners) if name == owner]
        place = scores.get(owner)
        outcomes.append(
            Outcome(
                item=items[owner],
                record_id=record.id,
                token_loss=sum(token_losses[index] for index in spoken),
                num_tokens=len(spoken),
                is_right=all(hits[index] for index in spoken),
                dimension="" if place is None else str(rows.score_dimensions[place]),
                predicted=math.nan if place is None else float(answers.scores[place]),
                target=math.nan if place is None else float(rows.scores[place]),
            )
        )
    return outcomes
