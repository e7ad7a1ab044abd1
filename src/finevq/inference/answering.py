"""Closed questions answered from token likelihoods.

The model never writes the answer of a closed question: each allowed answer gets a probability, so
there is nothing to parse and nothing that cannot be parsed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from finevq.inference.engine import Engine, Prefix
from finevq.prompts.prompter import Prompter
from finevq.prompts.questions import Question
from finevq.prompts.templates import NO, YES


@dataclass(frozen=True, slots=True)
class ClosedAnswer:
    """Probabilities of the allowed answers."""

    probabilities: Mapping[str, float]
    """In the order of the question's choices; sums to 1."""
    score: float
    """What the score head reads before the answer; meaningful for ratings only."""

    @property
    def best(self) -> str:
        """The most likely answer."""
        return max(self.probabilities, key=self.probabilities.__getitem__)


def answer_closed(
    engine: Engine,
    prompter: Prompter,
    prefix: Prefix,
    questions: Sequence[Question],
    temperatures: Mapping[str, float],
) -> list[ClosedAnswer]:
    """Answer questions that have a list of allowed answers, all in one batch.

    An answer's likelihood is the product over its tokens, given the question and the opening. Where
    something is read directly of what a yes/no question is about, it has its share of the log-odds.

    Args:
        engine: The network.
        prompter: Its template.
        prefix: The video, read by the same engine.
        questions: Each with `choices`.
        temperatures: Divides the log-likelihoods of a family before they are normalised (1 where
            absent); fitted on validation data, as in Guo et al., On Calibration of Modern Neural
            Networks (ICML 2017).
    """
    tasks = [_Task.of(prompter, question) for question in questions]
    suffixes = [suffix for task in tasks for suffix in task.suffixes]
    num_last = max(task.num_last for task in tasks)
    reading = engine.read_suffixes(prefix, suffixes, num_last=num_last)
    answers, row = [], 0
    for task in tasks:
        rows = slice(row, row + len(task.suffixes))
        row = rows.stop
        likelihoods = task.log_likelihoods(reading.logits[rows])
        likelihoods = _joined(task.question, likelihoods, prefix)
        likelihoods = likelihoods / temperatures.get(task.question.family, 1.0)
        probabilities = np.exp(likelihoods - np.logaddexp.reduce(likelihoods))
        # The score stands at the last token of the opening, in every row of the task.
        score = float(reading.scores[rows.start, num_last - task.num_last])
        values = map(float, probabilities)
        answers.append(ClosedAnswer(dict(zip(task.question.choices, values, strict=True)), score))
    return answers


def with_odds(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log-likelihoods (..., 2) of yes and no from the log-odds (...) of yes."""
    no = np.logaddexp(0.0, log_odds)
    return np.stack([log_odds - no, -no], axis=-1)


def _joined(
    question: Question, likelihoods: NDArray[np.float64], prefix: Prefix
) -> NDArray[np.float64]:
    """Return log-likelihoods of the choices, joined with what is read directly."""
    subject = next(iter(question.subjects), "")
    if question.choices != (YES, NO) or subject not in prefix.direct.log_odds:
        return likelihoods
    decoded = float(likelihoods[0] - likelihoods[1])
    return with_odds(np.array(prefix.direct.log_odds[subject].joined_with(decoded)))


@dataclass(frozen=True, slots=True)
class _Task:
    question: Question
    choices: tuple[tuple[int, ...], ...]
    """Tokens of each allowed answer."""
    suffixes: tuple[tuple[int, ...], ...]
    """One where every answer is a single token, else one an answer."""

    @classmethod
    def of(cls, prompter: Prompter, question: Question) -> "_Task":
        opening = tuple(prompter.suffix_ids(question, question.stem))
        choices = tuple(
            tuple(prompter.continuation_ids(question, question.stem, choice))
            for choice in question.choices
        )
        if all(len(choice) == 1 for choice in choices):
            return cls(question, choices, (opening,))
        # Padded to one length, so that the opening's end stands at the same place in each row;
        # causal attention keeps the padding from being read.
        longest = max(map(len, choices))
        padded = (choice + (choice[-1],) * (longest - len(choice)) for choice in choices)
        return cls(question, choices, tuple(opening + choice[:-1] for choice in padded))

    @property
    def num_last(self) -> int:
        """Positions needed: the one before each token of an answer."""
        return 1 if len(self.suffixes) == 1 else max(map(len, self.choices))

    def log_likelihoods(self, logits: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return one value a choice from (rows, positions, vocabulary)."""
        wide = logits[:, -self.num_last :].astype(np.float64)
        log_probabilities = wide - np.logaddexp.reduce(wide, axis=-1, keepdims=True)
        rows = [0] * len(self.choices) if len(self.suffixes) == 1 else range(len(self.choices))
        return np.array(
            [
                sum(log_probabilities[row, place, token] for place, token in enumerate(choice))
                for row, choice in zip(rows, self.choices, strict=True)
            ]
        )
