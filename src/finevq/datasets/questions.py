"""The paper's question families, made from labels, and their shortcut-controlled variants.

yes-no: is a dimension degraded; exist: which distortion exists; most: which dimension matters
most. `AskedQuestion` is what an answerer sees; `Question` adds the truth and stays with us.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.vocabulary import FAULT_DIMENSIONS, NO_FAULT, Dimension

YES, NO = "yes", "no"
EXIST_TEXT = "Which distortion exists in this video?"
MOST_TEXT = "Which distortion has the most impact on the quality of this video?"
"""Source of the sentences: FineVQ, section 5.2 (grammar of the yes/no question mended)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AskedQuestion:
    """A question without its answer."""

    video: str
    """Name of the video in its data set."""
    family: str
    """yes-no, exist or most."""
    text: str
    options: tuple[str, ...]
    """Allowed answers in the order shown."""
    dimension: Dimension | None = None
    """Which dimension a yes-no question is about."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question and the answer that annotators gave."""

    asked: AskedQuestion
    answer: str
    block: int = -1
    """Number of the block in a controlled variant; -1 elsewhere."""


def yes_no_questions(labels: LabelSet, dimension: Dimension) -> list[Question]:
    """Return "is there any <dimension> distortion" for the videos whose answer is published."""
    return [
        Question(
            asked=AskedQuestion(
                video=video.name,
                family="yes-no",
                text=f"Is there any {dimension} distortion in this video?",
                options=(YES, NO),
                dimension=dimension,
            ),
            answer=YES if video.is_distorted[dimension] else NO,
        )
        for video in labels.videos
        if dimension in video.is_distorted
    ]


def exist_questions(labels: LabelSet) -> list[Question]:
    """Return "which distortion exists" with the options as published."""
    return [
        _which("exist", EXIST_TEXT, video.name, video.options_shown, video.existing_distortion)
        for video in labels.videos
        if video.existing_distortion and video.options_shown
    ]


def most_questions(labels: LabelSet) -> list[Question]:
    """Return "which matters most"; options as published, else all five dimensions and none."""
    every = (*map(str, FAULT_DIMENSIONS), NO_FAULT)
    return [
        _which(
            "most", MOST_TEXT, video.name, video.impact_options_shown or every, video.most_impactful
        )
        for video in labels.videos
        if video.most_impactful
    ]


def control_shortcuts(
    questions: Sequence[Question], rng: np.random.Generator, *, num_options: int = 4
) -> list[Question]:
    """Return a variant of which-questions that no one can answer without the video.

    Videos are put into blocks of `num_options` with different answers, and all questions of a
    block show the same options in the same order. In a block every option is right exactly once,
    so whoever does not look at the video has one right answer a block, whatever the strategy:
    accuracy 1 / `num_options`, neither option count nor option frequency helps.

    Args:
        questions: Questions of one family.
        rng: Decides which videos meet, and the order of options.
        num_options: Options a question, constant.

    Returns:
        As many full blocks as the answers allow (the commonest answers are used most); empty
        where there are fewer than `num_options` different answers.
    """
    waiting: dict[str, list[Question]] = {}
    for index in rng.permutation(len(questions)):
        waiting.setdefault(questions[index].answer, []).append(questions[index])
    controlled: list[Question] = []
    block = 0
    while True:
        left = Counter({answer: len(group) for answer, group in waiting.items() if group})
        if len(left) < num_options:
            return controlled
        answers = [answer for answer, _ in left.most_common(num_options)]
        shown = tuple(answers[i] for i in rng.permutation(num_options))
        for answer in answers:
            old = waiting[answer].pop().asked
            controlled.append(
                Question(
                    asked=AskedQuestion(
                        video=old.video, family=old.family, text=old.text, options=shown
                    ),
                    answer=answer,
                    block=block,
                )
            )
        block += 1


def _which(family: str, text: str, video: str, options: tuple[str, ...], answer: str) -> Question:
    asked = AskedQuestion(video=video, family=family, text=text, options=options)
    return Question(asked=asked, answer=answer)
