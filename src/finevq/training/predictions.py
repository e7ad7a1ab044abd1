"""What a model in training answers, for validation and calibration.

The same suffixes as in use, in packed rows; the closed answers are all single tokens of nano's
vocabulary, so one position decides each.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from finevq.inference.answering import with_odds
from finevq.inference.joining import join_scores, moved_levels, with_needed_ratings
from finevq.inference.population import Population
from finevq.model.direct_readings import DirectReadings
from finevq.model.finevq import FineVQ
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.questions import Family, Question
from finevq.prompts.templates import NO, YES
from finevq.training.batches import pack
from finevq.training.encoded import EncodedSet
from finevq.training.lessons import Lesson
from finevq.vocabulary import DIMENSIONS, FAULT_NAMES


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers of N samples to Q questions."""

    questions: tuple[Question, ...]
    scores: NDArray[np.float64]
    """(N, Q), MOS; meaningful for ratings."""
    log_likelihoods: Mapping[Question, NDArray[np.float64]]
    """(N, choices) a question, before temperatures."""
    moved: NDArray[np.float64]
    """(N, Q), MOS: how much higher scores are than what the head read; levels move with them."""

    def __len__(self) -> int:
        return len(self.scores)

    def part(self, rows: range) -> "Predictions":
        """Return the answers of some samples."""
        chosen = slice(rows.start, rows.stop)
        return Predictions(
            self.questions,
            self.scores[chosen],
            {question: values[chosen] for question, values in self.log_likelihoods.items()},
            self.moved[chosen],
        )

    def scores_of(self, question: Question) -> NDArray[np.float64]:
        """Return (N,)."""
        return self.scores[:, self.questions.index(question)]

    def probabilities(self, question: Question, temperature: float = 1.0) -> NDArray[np.float64]:
        """Return (N, choices), as in use."""
        logits = self.log_likelihoods[question] / temperature
        values = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
        points = self.moved[:, self.questions.index(question)]
        if question.family is Family.RATING and points.any():
            values = moved_levels(values, points, Population.finevd().span)
        return values


@torch.no_grad()
def predict(
    model: FineVQ,
    prompter: NanoPrompter,
    data: EncodedSet,
    questions: Sequence[Question],
    batch_size: int = 16,
) -> Predictions:
    """Ask questions about every sample, unmirrored.

    Args:
        model: In evaluation mode.
        prompter: nano's template.
        data: N samples.
        questions: Q closed questions, whose allowed answers are single tokens.
        batch_size: Samples at a time.
    """
    choice_ids = [
        [prompter.continuation_ids(question, question.stem, word)[0] for word in question.choices]
        for question in questions
    ]
    needed = with_needed_ratings(questions, model.config.fault_fall, model.config.halo)
    scores, moved = [], []
    likelihoods = {question: list[NDArray[np.float64]]() for question in questions}
    for states, direct in _answers(model, prompter, data, needed, batch_size):
        read = model.score(states)
        scored = scores_of(model, needed, read, direct)
        scores.append(scored[:, : len(questions)])
        moved.append((scored - read.double().numpy())[:, : len(questions)])
        logits = model.logits(states).double().log_softmax(-1)
        for index, question in enumerate(questions):
            decoded = logits[:, index, choice_ids[index]]
            likelihoods[question].append(_joined_beliefs(question, decoded, direct).numpy())
    return Predictions(
        tuple(questions),
        np.concatenate(scores),
        {question: np.concatenate(parts) for question, parts in likelihoods.items()},
        np.concatenate(moved),
    )


def scores_of(
    model: FineVQ, questions: Sequence[Question], read: Tensor, direct: DirectReadings | None
) -> NDArray[np.float64]:
    """Return scores (N, Q) as in use.

    Args:
        model: Its configuration says how scores are joined.
        questions: Q, from `with_needed_ratings`.
        read: (N, Q): what its score head reads before the answers.
        direct: Of the N samples; ratings are joined with them.
    """
    joined = read.to(torch.float64, copy=True)
    if direct is not None:
        for column, question in enumerate(questions):
            if question.family is Family.RATING and question.dimension is not None:
                place = DIMENSIONS.index(question.dimension)
                joined[:, column] = direct.joined_with(joined[:, column], place)
    scores: NDArray[np.float64] = joined.numpy()
    join_scores(scores, questions, model.config.fault_fall, model.config.halo)
    return scores


def _joined_beliefs(question: Question, decoded: Tensor, direct: DirectReadings | None) -> Tensor:
    """Return log-likelihoods (N, choices) in use, from what the decoder gives."""
    subject = next(iter(question.subjects), "")
    if direct is None or question.choices != (YES, NO) or subject not in FAULT_NAMES:
        return decoded
    place = len(DIMENSIONS) + FAULT_NAMES.index(subject)
    joined = direct.joined_with(decoded[:, 0] - decoded[:, 1], place)
    return torch.from_numpy(with_odds(joined.numpy()))


@torch.no_grad()
def direct_readings_of(model: FineVQ, data: EncodedSet, batch_size: int = 64) -> DirectReadings:
    """Return what is read without language of all N samples.

    Args:
        model: In evaluation mode; has direct readers.
        data: N samples.
        batch_size: Samples at a time.
    """
    read = []
    for start in range(0, len(data), batch_size):
        rows = range(start, min(start + batch_size, len(data)))
        readings = model.direct_readings(*data.take(rows, [0] * len(rows)))
        assert readings is not None  # asked of such models alone
        read.append(readings)
    return DirectReadings.behind_each_other(read)


@torch.no_grad()
def answer_states(
    model: FineVQ,
    prompter: NanoPrompter,
    data: EncodedSet,
    questions: Sequence[Question],
    batch_size: int = 16,
) -> Iterator[Tensor]:
    """Yield the states (B, Q, D) that answers and scores are read from, batch by batch, in order.

    Args: see `predict`.
    """
    for states, _ in _answers(model, prompter, data, questions, batch_size):
        yield states


@torch.no_grad()
def _answers(
    model: FineVQ,
    prompter: NanoPrompter,
    data: EncodedSet,
    questions: Sequence[Question],
    batch_size: int,
) -> Iterator[tuple[Tensor, DirectReadings | None]]:
    """Yield states (B, Q, D) and direct readings of B samples, batch by batch, in order."""
    asked = [Lesson(question, question.choices[0], 0.0) for question in questions]
    for start in range(0, len(data), batch_size):
        rows = range(start, min(start + batch_size, len(data)))
        images, motion = data.take(rows, [0] * len(rows))
        visual = model.project(images, motion)
        batch = pack(prompter, model.config.num_visual_tokens, [asked] * len(rows))
        out = model(
            model.embed(batch.token_ids, visual),
            attention_mask=batch.attention_bias,
            position_ids=batch.position_ids,
            with_logits=False,
        )
        states = out.hidden[batch.score_rows, batch.score_positions]
        yield states.view(len(rows), len(asked), -1), model.direct_readings(images, motion)
