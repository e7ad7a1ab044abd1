"""The internlm2-chat template as FineVQ's official scripts write it.

Source: the official repository's inference.py, its five dimension scripts and its training data;
the texts are facts that the weights depend on, so they are kept to the letter, with their slips.
"""

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tokenizers import Tokenizer

from finevq.errors import CheckpointError, UnsupportedQuestionError
from finevq.prompts.prompter import Turn
from finevq.prompts.questions import Family, Question
from finevq.vocabulary import NO_FAULT, QUALITY_LEVELS, Dimension

CONTEXT = "<IMG_CONTEXT>"
IMAGE_START, IMAGE_END = "<img>", "</img>"
MESSAGE_START, MESSAGE_END = "<|im_start|>", "<|im_end|>"
BEGIN, END = "<s>", "</s>"
VIDEO = "<|video|>"
"""Plain text to the tokenizer, not a special token."""

SYSTEM = (
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，"
    "英文名叫InternVL, 是一个有用无害的人工智能助手。"
)
"""The system message that InternVL2 was trained with."""

_ASSISTANT = f"{MESSAGE_END}{MESSAGE_START}assistant\n"
_YES, _NO = "Yes", "No"
_AFTER_LEVEL = 3
"""Tokens from the level word on, where it is one token: the word, the full stop, <|im_end|>."""


def video_prefix(num_frames: int, tokens_per_frame: int, *, has_motion: bool) -> str:
    """Return everything before the question that is the same for every question.

    It ends behind an added token, so that tokens of prefix and question never merge.

    Args:
        num_frames: Sparse frames.
        tokens_per_frame: Visual tokens of each.
        has_motion: Whether a motion token follows the frames.
    """
    picture = f"{IMAGE_START}{CONTEXT * tokens_per_frame}{IMAGE_END}"
    lines = "\n".join(f"Frame{number}: {picture}" for number in range(1, num_frames + 1))
    motion = f"\nMotion Feature: {IMAGE_START}{CONTEXT}{IMAGE_END}" if has_motion else ""
    return (
        f"{BEGIN}{MESSAGE_START}system\n{SYSTEM}{MESSAGE_END}{MESSAGE_START}user\n{lines}{motion}"
    )


def rating_question(dimension: Dimension) -> str:
    """Ask for a level, in the official words."""
    if dimension is Dimension.OVERALL:
        return "How would you rate the overall quality of this video?"
    return f"Considering the {dimension} dimension, how would you rate the quality of this video?"


def rating_stem(dimension: Dimension) -> str:
    """Open the answer up to the word before the level."""
    if dimension is Dimension.OVERALL:
        return "The overall quality of the video is"
    return "The quality of this video is"


def yes_no_question(subject: str) -> str:
    """Ask whether something is wrong, in the words of the official QA data."""
    return (
        f"If there is no {subject} in the video, please answer [{_NO}]. "
        f"If there is {subject} in the video, please answer [{_YES}]."
    )


def lettered_question(question: str, options: Sequence[str]) -> str:
    """Ask for one of several options by its letter, in the form of the official QA data.

    >>> lettered_question("Which", ["Noise", "Color"])[:59]
    'Which, choose from the following options{A:[Noise], B:[Colo'
    """
    listed = ", ".join(
        f"{letter}:[{option}]"
        for letter, option in zip(string.ascii_uppercase, options, strict=False)
    )
    return (
        f"{question}, choose from the following options{{{listed}}}"
        "(Just answer the corresponding letter)"
    )


_MOST = "Which distortion dimension has the greatest impact on video quality"
_WHICH = "Which distortion exists in the video"
_NOTHING_WRONG = "Video quality is good"


class InternLM2Prompter:
    """Writes prompts for the paper's model; see `finevq.prompts.prompter.Prompter`.

    The score is read at the last token of a rating's suffix. It is found by meaning: all tokens
    before the first one that spells the level word, whatever words and padding become as tokens.

    Args:
        tokenizer: Of the checkpoint, from `finevq.prompts.internlm2_tokenizer.load_tokenizer`.
        tokens_per_frame: Visual tokens of a sparse frame.
        has_motion: Whether the model reads a motion token; without one the official
            question-answering template applies.
        compat: official: a rating's suffix ends at the fourth token from the end of the whole
            answer, as in the official code, even where that is not the one before the level.

    Raises:
        CheckpointError: the tokenizer lacks a token of the template.
    """

    describes_freely = True

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        tokens_per_frame: int,
        has_motion: bool = True,
        compat: Literal["none", "official"] = "none",
    ) -> None:
        self._tokenizer = tokenizer
        self._tokens_per_frame = tokens_per_frame
        self._has_motion = has_motion
        self._compat = compat
        needed = (CONTEXT, IMAGE_START, IMAGE_END, MESSAGE_START, MESSAGE_END, BEGIN, END)
        found = {token: tokenizer.token_to_id(token) for token in needed}
        self._ids = {token: index for token, index in found.items() if index is not None}
        if absent := [token for token in needed if token not in self._ids]:
            raise CheckpointError(
                f"the tokenizer lacks {', '.join(absent)}: it is not InternVL2's; "
                "check tokenizer_config.json and added_tokens.json of the checkpoint"
            )

    @property
    def stop_ids(self) -> frozenset[int]:
        """The end of a message, or of everything."""
        return frozenset({self._ids[MESSAGE_END], self._ids[END]})

    @property
    def context_id(self) -> int:
        """The placeholder of visual tokens."""
        return self._ids[CONTEXT]

    def prefix_ids(self, num_visual_tokens: int) -> list[int]:
        """Return the system message and the video.

        Args:
            num_visual_tokens: Of all frames, and one for motion where the model has it.

        Raises:
            ValueError: not a whole number of frames.
        """
        num_frames, rest = divmod(num_visual_tokens - self._has_motion, self._tokens_per_frame)
        if rest or num_frames < 1:
            raise ValueError(
                f"{num_visual_tokens} visual tokens are no whole number of frames of "
                f"{self._tokens_per_frame} tokens"
            )
        return self._encode(
            video_prefix(num_frames, self._tokens_per_frame, has_motion=self._has_motion)
        )

    def suffix_ids(self, question: Question, opening: str = "") -> list[int]:
        """Return a question and the opening of its answer."""
        plan = self._plan(question)
        if question.choices and opening == question.stem:
            return self._closed(plan)[0]
        return self._encode(self._question_text(plan) + opening)

    def continuation_ids(self, question: Question, opening: str, choice: str) -> list[int]:
        """Return the tokens that a choice adds to the suffix."""
        del opening
        plan = self._plan(question)
        return self._closed(plan)[1][question.choices.index(choice)]

    def turn(self, question: Question, answer: str) -> Turn:
        """Return the question and the assistant's message, cut into tokens as one text.

        With compat "official" the answer of a rating counts from the fourth token from the end on,
        so that the score belongs to the token before, as in the official code.
        """
        plan = self._plan(question)
        asked = self._question_text(plan)
        if not answer:
            suffix = self.suffix_ids(question, question.stem)
            return Turn(tuple(suffix), len(self._encode(asked)), len(suffix))
        if question.choices:
            answer = plan.choices[question.choices.index(answer)] + ("." if plan.is_rating else "")
        stem = f"{plan.stem} " if plan.stem else ""
        encoding = self._tokenizer.encode(
            f"{asked}{stem}{answer}{MESSAGE_END}", add_special_tokens=False
        )
        opening, start = (
            next(i for i, span in enumerate(encoding.offsets) if span[1] > place)
            for place in (len(asked), len(asked) + len(stem))
        )
        if self._compat == "official" and plan.is_rating:
            start = len(encoding.ids) - _AFTER_LEVEL
        return Turn(tuple(encoding.ids), opening, start)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text without special tokens."""
        text: str = self._tokenizer.decode(list(token_ids), skip_special_tokens=True)
        return text.strip()

    def _plan(self, question: Question) -> "_Plan":
        if question.family in (Family.RATING, Family.SCORING) and question.dimension:
            return _Plan(
                rating_question(question.dimension),
                rating_stem(question.dimension),
                # The released weights rate every dimension in these five words; the ranks of
                # `question.choices` are the same.
                QUALITY_LEVELS,
                marks_video=question.dimension is not Dimension.OVERALL,
                is_rating=True,
            )
        if question.family in (Family.DISTORTED, Family.ATTRIBUTE):
            subject = question.attribute or str(question.dimension)
            answers = tuple({"yes": _YES, "no": _NO}[choice] for choice in question.choices)
            return _Plan(yes_no_question(subject), "", answers)
        if question.family in (Family.MOST, Family.WHICH):
            if len(question.choices) > len(string.ascii_uppercase):
                raise UnsupportedQuestionError(
                    f"{len(question.choices)} options; at most {len(string.ascii_uppercase)}"
                )
            asked = _MOST if question.family is Family.MOST else _WHICH
            options = [
                _NOTHING_WRONG if choice == NO_FAULT else choice.capitalize()
                for choice in question.choices
            ]
            return _Plan(
                lettered_question(asked, options),
                "",
                tuple(string.ascii_uppercase[: len(options)]),
            )
        return _Plan(question.text, "", ())

    def _question_text(self, plan: "_Plan") -> str:
        if not self._has_motion:
            # The official question-answering data keeps a literal "<image>" in this place.
            return f"\nMotion Feature: <image>{plan.text}{_ASSISTANT}"
        return f"{VIDEO + ' ' if plan.marks_video else ''}{plan.text}{_ASSISTANT}"

    def _closed(self, plan: "_Plan") -> tuple[list[int], list[list[int]]]:
        """Return what all whole answers share before the chosen word, and the rest of the word."""
        before = self._question_text(plan) + plan.stem + (" " if plan.stem else "")
        full_stop = "." if plan.is_rating else ""
        heads, ends, rows = [], [], []
        for choice in plan.choices:
            encoding = self._tokenizer.encode(
                f"{before}{choice}{full_stop}{MESSAGE_END}", add_special_tokens=False
            )
            start, stop = len(before), len(before) + len(choice)
            heads.append(next(i for i, span in enumerate(encoding.offsets) if span[1] > start))
            ends.append(next(i + 1 for i, span in enumerate(encoding.offsets) if span[1] >= stop))
            rows.append(encoding.ids)
        if self._compat == "official" and plan.is_rating:
            suffix = rows[-1][:-_AFTER_LEVEL]
            return suffix, [row[head:end] for row, head, end in zip(rows, heads, ends, strict=True)]
        shared = min(heads)
        while any(row[:shared] != rows[0][:shared] for row in rows):
            shared -= 1
        return rows[0][:shared], [row[shared:end] for row, end in zip(rows, ends, strict=True)]

    def _encode(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids


@dataclass(frozen=True, slots=True)
class _Plan:
    text: str
    stem: str
    choices: tuple[str, ...]
    marks_video: bool = True
    """Whether the question follows "<|video|> "; the official overall question does not."""
    is_rating: bool = False
