"""From questions to token ids, in the template that a model was trained on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tokenizers import Tokenizer

from finevq.prompts import templates
from finevq.prompts.questions import Question
from finevq.vocabulary import NAMES


@dataclass(frozen=True, slots=True)
class Turn:
    """A question with its whole answer, as training reads it behind a prefix."""

    token_ids: tuple[int, ...]
    opening_start: int
    """Place of the first token of the answer, its stem included."""
    answer_start: int
    """Place of the first token behind the stem; the score belongs to the token before it."""


class Prompter(Protocol):
    """Writes prompts in one model's template."""

    describes_freely: bool
    """Whether the model has words of its own for a description; one that only ever learnt a
    sentence's gaps can say no more than its closed answers, and might say something else."""

    @property
    def stop_ids(self) -> frozenset[int]:
        """Tokens that end an answer."""

    def prefix_ids(self, num_visual_tokens: int) -> list[int]:
        """Return what precedes every question: the video's places and all before them."""

    def suffix_ids(self, question: Question, opening: str = "") -> list[int]:
        """Return a question and the opening of its answer."""

    def continuation_ids(self, question: Question, opening: str, choice: str) -> list[int]:
        """Return the tokens that `choice` adds to the suffix of `opening`."""

    def turn(self, question: Question, answer: str) -> Turn:
        """Return a question with its answer and the end of it.

        Args:
            question: What is asked.
            answer: What follows the stem: one of the choices of a closed question, any text for
                another; "" ends the turn behind the stem, where only a score is to be learnt.
        """

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of an answer, without special tokens."""


class NanoPrompter:
    """nano's template: <s> places <q> question, what it is about <a> answer </s>.

    What a question is about is shown to the model once more right behind it: a visual token for
    each name, whose ids follow the vocabulary in the order of `vocabulary.NAMES`. A small decoder
    need not look for it.

    Args:
        tokenizer: As made by `finevq.prompts.tokenizer.train_tokenizer`.
    """

    describes_freely = False

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        # Special tokens come first in the vocabulary, in this order.
        self._ids = {token: index for index, token in enumerate(templates.SPECIAL_TOKENS)}

    @classmethod
    def from_file(cls, path: Path) -> "NanoPrompter":
        """Load a tokenizer.json."""
        return cls(Tokenizer.from_file(str(path)))

    @property
    def stop_ids(self) -> frozenset[int]:
        """The end token alone."""
        return frozenset({self._ids[templates.END]})

    @property
    def context_id(self) -> int:
        """The placeholder of visual tokens."""
        return self._ids[templates.CONTEXT]

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids."""
        return self._tokenizer.get_vocab_size()

    def prefix_ids(self, num_visual_tokens: int) -> list[int]:
        """Return <s> and the places of the visual tokens."""
        return [self._ids[templates.BEGIN], *[self.context_id] * num_visual_tokens]

    def suffix_ids(self, question: Question, opening: str = "") -> list[int]:
        """Return <q> question, what it is about <a> opening."""
        return [
            self._ids[templates.QUESTION],
            *self._encode(question.text),
            *(self.vocabulary_size + NAMES.index(name) for name in question.subjects),
            self._ids[templates.ANSWER],
            *self._encode(opening),
        ]

    def continuation_ids(self, question: Question, opening: str, choice: str) -> list[int]:
        """Return the tokens of `choice`; words never merge across the space between them."""
        del question, opening
        return self._encode(choice)

    def answer_ids(self, answer: str) -> list[int]:
        """Return a whole answer and its end, as learnt in training."""
        return [*self._encode(answer), self._ids[templates.END]]

    def turn(self, question: Question, answer: str) -> Turn:
        """Return <q> question, what it is about <a> stem answer </s>."""
        opening = self.suffix_ids(question, question.stem)
        start = opening.index(self._ids[templates.ANSWER]) + 1
        rest = self.answer_ids(answer) if answer else []
        return Turn((*opening, *rest), start, len(opening))

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text without special tokens."""
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text.strip()

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text).ids if text else []
        return ids
