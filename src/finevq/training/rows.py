"""Records as rows of tokens: a video's prefix, and behind it every question with its answer.

Several questions on one video share its row: each sees the prefix and itself, never its neighbours,
and its positions count on from the prefix. That is what inference computes on kept keys and values.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from finevq.prompts.prompter import Prompter, Turn
from finevq.training.records import InstructionRecord
from finevq.vocabulary import Dimension


@dataclass(frozen=True, slots=True)
class Rows:
    """B videos with their questions; N tokens and R scores to learn."""

    token_ids: Tensor
    """(B, L) int64."""
    position_ids: Tensor
    """(B, L) int64."""
    attention_bias: Tensor | None
    """(B, 1, L, L) float32: 0 where a token may look, the lowest number elsewhere; None where each
    row holds one question, which plain causal attention serves."""
    token_places: Tensor
    """(N, 2) int64: row and position from which a token is predicted."""
    targets: Tensor
    """(N,) int64: the tokens to predict."""
    token_owners: tuple[int, ...]
    """(N,): number of the record, counted over all rows."""
    score_places: Tensor
    """(R, 2) int64: row and position of each score."""
    scores: Tensor
    """(R,) float32, 0..1 of the data set's scale."""
    score_owners: tuple[int, ...]
    """(R,): number of the record."""
    score_dimensions: tuple[Dimension, ...]
    """(R,)."""
    records: tuple[InstructionRecord, ...]
    """All records, row by row."""


def make_rows(
    prompter: Prompter,
    num_visual_tokens: int,
    records: Sequence[Sequence[InstructionRecord]],
    *,
    learns_opening: bool,
    with_scores: bool = True,
) -> Rows:
    """Write the questions of each video behind its prefix.

    Args:
        prompter: The model's template.
        num_visual_tokens: V, the places of the video in the prefix.
        records: For each video its records, at least one.
        learns_opening: Whether the fixed opening of an answer is learnt too.
        with_scores: False for a model without a score head.
    """
    prefix = prompter.prefix_ids(num_visual_tokens)
    builder = _Builder(learns_opening, with_scores)
    for group in records:
        builder.add_row(prefix, [(record, _turn(prompter, record)) for record in group])
    return builder.rows()


def _turn(prompter: Prompter, record: InstructionRecord) -> Turn:
    return prompter.turn(record.question, record.answer)


class _Builder:
    """Collects rows."""

    def __init__(self, learns_opening: bool, with_scores: bool) -> None:
        self._learns_opening = learns_opening
        self._with_scores = with_scores
        self._tokens: list[list[int]] = []
        self._positions: list[list[int]] = []
        self._owners: list[list[int]] = []
        self._learnt: list[tuple[int, int, int, int]] = []  # row, position, target, record
        self._scored: list[tuple[int, int, float, int, Dimension]] = []
        self._records: list[InstructionRecord] = []

    def add_row(
        self, prefix: Sequence[int], turns: Sequence[tuple[InstructionRecord, Turn]]
    ) -> None:
        row = len(self._tokens)
        tokens, positions, owners = list(prefix), list(range(len(prefix))), [0] * len(prefix)
        for number, (record, turn) in enumerate(turns, start=1):
            start, index = len(tokens), len(self._records)
            first = turn.opening_start if self._learns_opening else turn.answer_start
            if record.answer:
                self._learnt += [
                    (row, start + place - 1, turn.token_ids[place], index)
                    for place in range(first, len(turn.token_ids))
                ]
            dimension = record.question.dimension
            if self._with_scores and dimension is not None and dimension in record.scores:
                place = start + turn.answer_start - 1
                score = record.unit_scores[dimension]
                self._scored.append((row, place, score, index, dimension))
            self._records.append(record)
            tokens += turn.token_ids
            positions += range(len(prefix), len(prefix) + len(turn.token_ids))
            owners += [number] * len(turn.token_ids)
        self._tokens.append(tokens)
        self._positions.append(positions)
        self._owners.append(owners)

    def rows(self) -> Rows:
        learnt = torch.tensor(self._learnt, dtype=torch.int64).reshape(-1, 4)
        places = [entry[:2] for entry in self._scored]
        owners = _padded(self._owners, -1)
        return Rows(
            token_ids=_padded(self._tokens, 0),
            position_ids=_padded(self._positions, 0),
            attention_bias=_bias(owners) if int(owners.max()) > 1 else None,
            token_places=learnt[:, :2],
            targets=learnt[:, 2],
            token_owners=tuple(learnt[:, 3].tolist()),
            score_places=torch.tensor(places, dtype=torch.int64).reshape(-1, 2),
            scores=torch.tensor([entry[2] for entry in self._scored], dtype=torch.float32),
            score_owners=tuple(entry[3] for entry in self._scored),
            score_dimensions=tuple(entry[4] for entry in self._scored),
            records=tuple(self._records),
        )


def _padded(rows: Sequence[Sequence[int]], filling: int) -> Tensor:
    # To the right: attention is causal, so nothing that is learnt sees the padding.
    length = max(len(row) for row in rows)
    return torch.tensor([[*row, *[filling] * (length - len(row))] for row in rows])


def _bias(owners: Tensor) -> Tensor:
    length = owners.shape[1]
    looking, looked_at = owners[:, :, None], owners[:, None, :]
    allowed = (looked_at == 0) | (looked_at == looking)
    allowed &= torch.ones(length, length, dtype=torch.bool).tril()
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    return bias.unsqueeze(1)
