"""Many short lessons on one video, packed so that the video is read once.

A packed row holds the prefix and then every lesson; a lesson sees the prefix and itself, never its
neighbours, and its positions count on from the prefix. That is what inference computes with cached
keys and values, so training and use are the same function.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from finevq.prompts.prompter import NanoPrompter
from finevq.training.lessons import Lesson

IGNORED = -100
"""Label of tokens that are not learnt."""
_WORD_AND_END = 2


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """B videos with their lessons."""

    token_ids: Tensor
    """(B, L) int64."""
    position_ids: Tensor
    """(B, L) int64."""
    attention_bias: Tensor
    """(B, 1, L, L) float32: 0 where a token may look, the lowest number elsewhere."""
    labels: Tensor
    """(B, L) int64: the next token where it belongs to an answer, else IGNORED."""
    score_rows: Tensor
    """(R,) int64: row of each score to learn."""
    score_positions: Tensor
    """(R,) int64: position of each score to learn, the end of a rating's opening."""
    scores: Tensor
    """(R,) float32, MOS."""
    score_questions: tuple[str, ...]
    """(R,): the dimension of each score."""
    belief_rows: Tensor
    """(Y,) int64: row of each yes/no question."""
    belief_positions: Tensor
    """(Y,) int64: its last position, which predicts the answer."""
    beliefs: Tensor
    """(Y,) float32: share of people who would say yes, 0..1."""
    belief_weights: Tensor
    """(Y,) float32."""


def pack(
    prompter: NanoPrompter, num_visual_tokens: int, lessons: Sequence[Sequence[Lesson]]
) -> PackedBatch:
    """Pack the lessons of each video into one row.

    Args:
        prompter: nano's template.
        num_visual_tokens: V, the places of the video in the prefix.
        lessons: For each video its lessons.
    """
    prefix = prompter.prefix_ids(num_visual_tokens)
    rows = [_Row(prompter, prefix, taught) for taught in lessons]
    length = max(len(row.token_ids) for row in rows)
    shape = (len(rows), length)
    token_ids, positions = np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    labels, owners = np.full(shape, IGNORED, np.int64), np.full(shape, -1, np.int64)
    for index, row in enumerate(rows):
        used = slice(0, len(row.token_ids))
        token_ids[index, used], positions[index, used] = row.token_ids, row.positions
        labels[index, used], owners[index, used] = row.labels, row.owners
    scored = [(index, *entry) for index, row in enumerate(rows) for entry in row.scores]
    believed = [(index, *entry) for index, row in enumerate(rows) for entry in row.beliefs]
    return PackedBatch(
        token_ids=torch.from_numpy(token_ids),
        position_ids=torch.from_numpy(positions),
        attention_bias=_bias(torch.from_numpy(owners)),
        labels=torch.from_numpy(labels),
        score_rows=torch.tensor([entry[0] for entry in scored], dtype=torch.int64),
        score_positions=torch.tensor([entry[1] for entry in scored], dtype=torch.int64),
        scores=torch.tensor([entry[2] for entry in scored], dtype=torch.float32),
        score_questions=tuple(entry[3] for entry in scored),
        belief_rows=torch.tensor([entry[0] for entry in believed], dtype=torch.int64),
        belief_positions=torch.tensor([entry[1] for entry in believed], dtype=torch.int64),
        beliefs=torch.tensor([entry[2] for entry in believed], dtype=torch.float32),
        belief_weights=torch.tensor([entry[3] for entry in believed], dtype=torch.float32),
    )


class _Row:
    """One video: prefix and lessons, token by token."""

    def __init__(
        self, prompter: NanoPrompter, prefix: Sequence[int], lessons: Sequence[Lesson]
    ) -> None:
        self.token_ids = list(prefix)
        self.positions = list(range(len(prefix)))
        self.labels = [IGNORED] * len(prefix)
        self.owners = [0] * len(prefix)  # 0 is the prefix, which everything may see
        self.scores: list[tuple[int, float, str]] = []
        self.beliefs: list[tuple[int, float, float]] = []
        for number, lesson in enumerate(lessons, start=1):
            opening = prompter.suffix_ids(lesson.question, lesson.question.stem)
            answer = prompter.answer_ids(lesson.answer)
            place = len(self.token_ids) + len(opening) - 1
            if lesson.score is not None:
                self.scores.append((place, lesson.score, str(lesson.question.dimension)))
            if lesson.belief is not None:
                self.beliefs.append((place, lesson.belief, lesson.weight))
            # The token before the answer predicts its first token, and so on. An answer of one word
            # out of a list is read off the place before it and never written: one place teaches it.
            is_word = bool(lesson.question.choices) and len(answer) == _WORD_AND_END
            tokens = opening if is_word else [*opening, *answer]
            learnt = answer[:1] if is_word else [*answer, IGNORED]
            if lesson.belief is not None:
                learnt = [IGNORED] * len(learnt)
            self.token_ids += tokens
            self.positions += range(len(prefix), len(prefix) + len(tokens))
            self.labels += [IGNORED] * (len(opening) - 1) + learnt
            self.owners += [number] * len(tokens)


def _bias(owners: Tensor) -> Tensor:
    length = owners.shape[1]
    looking, looked_at = owners[:, :, None], owners[:, None, :]
    allowed = (looked_at == 0) | (looked_at == looking)
    allowed &= torch.ones(length, length, dtype=torch.bool).tril()
    bias = torch.zeros(allowed.shape).masked_fill(~allowed, torch.finfo(torch.float32).min)
    return bias.unsqueeze(1)
