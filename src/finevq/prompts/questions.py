"""Questions as data: what is asked, how the answer opens, which answers are allowed.

`recognise` finds the family that a person's question belongs to, so that small models are asked in
the words they were trained on.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from finevq.errors import UnsupportedQuestionError
from finevq.prompts import templates
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    FAULT_DIMENSIONS,
    NO_FAULT,
    RELEASE_SPELLINGS,
    Dimension,
    levels_of,
)


class Family(StrEnum):
    """Families of questions, as in the paper."""

    RATING = "rating"
    SCORING = "scoring"
    DISTORTED = "yes/no"
    ATTRIBUTE = "attribute yes/no"
    WHICH = "which exists"
    MOST = "which most"
    DESCRIBE = "describe"
    FREE = "free"


@dataclass(frozen=True, slots=True)
class Question:
    """One question about a video."""

    family: Family
    text: str
    """As the model reads it."""
    stem: str = ""
    """Opening of the answer, which the model is given."""
    choices: tuple[str, ...] = ()
    """Allowed continuations of the stem; empty where the answer is free text."""
    dimension: Dimension | None = None
    """What it is about, where it is about one dimension."""
    attribute: str = ""
    """What it is about, where it is about one attribute."""

    @property
    def subjects(self) -> tuple[str, ...]:
        """Dimensions and attributes whose presence the answer depends on, in order.

        None for ratings and free answers: how good something is depends on all of the video.
        """
        match self.family:
            case Family.WHICH | Family.MOST:
                return tuple(name for name in self.choices if name != NO_FAULT)
            case Family.DISTORTED | Family.ATTRIBUTE:
                return tuple(filter(None, (self.dimension, self.attribute)))
            case _:
                return ()


def rating(dimension: Dimension) -> Question:
    """Ask for the level (and, at the same place, the score) of a dimension."""
    return Question(
        Family.RATING,
        templates.rating_question(dimension),
        templates.rating_stem(dimension),
        levels_of(dimension),
        dimension,
    )


def scoring(dimension: Dimension) -> Question:
    """Ask for the score of a dimension."""
    return Question(Family.SCORING, templates.scoring_question(dimension), dimension=dimension)


def distorted(dimension: Dimension) -> Question:
    """Ask whether a dimension is degraded."""
    return Question(
        Family.DISTORTED,
        templates.distorted_question(dimension),
        choices=(templates.YES, templates.NO),
        dimension=dimension,
    )


def attribute(name: str) -> Question:
    """Ask whether one kind of distortion is present."""
    return Question(
        Family.ATTRIBUTE,
        templates.attribute_question(name),
        choices=(templates.YES, templates.NO),
        attribute=name,
    )


def which(options: Sequence[str]) -> Question:
    """Ask which of the options is present.

    Raises:
        UnsupportedQuestionError: fewer than two options, or one that is no attribute.
    """
    allowed = (*ALL_ATTRIBUTES, NO_FAULT)
    unknown = [option for option in options if option not in allowed]
    if unknown or len(options) < 2:
        raise UnsupportedQuestionError(
            f"'which' needs two or more options out of: {', '.join(allowed)}; "
            f"got {', '.join(options) or 'nothing'}"
        )
    return Question(Family.WHICH, templates.which_question(options), choices=tuple(options))


def most() -> Question:
    """Ask which dimension's fault hurts most."""
    return Question(
        Family.MOST, templates.MOST_QUESTION, choices=(*map(str, FAULT_DIMENSIONS), NO_FAULT)
    )


def describe() -> Question:
    """Ask for a description."""
    return Question(Family.DESCRIBE, templates.DESCRIBE_QUESTION)


def free(text: str) -> Question:
    """Ask in any words; only models trained on free text can answer."""
    return Question(Family.FREE, text)


FAMILIES_HELP = "\n".join(
    (
        "  How would you rate the blur of this video?          (rating, six dimensions)",
        "  Please give the overall score of this video.        (scoring, six dimensions)",
        "  Is there a noise distortion in this video?          (yes/no, five dimensions)",
        "  Is there motion blur in this video?                 (yes/no, 27 attributes)",
        "  Which distortion exists in this video: shake, moire or none?",
        "  Which distortion has the most impact on the quality of this video?",
        "  Please describe the quality of this video in detail.",
    )
)
"""One example a family, for messages."""

_DIMENSION_WORDS = {
    Dimension.COLOR: r"colou?rs?|saturation|exposure|contrast",
    Dimension.NOISE: r"nois[ey]|grain(y)?",
    Dimension.ARTIFACT: r"artifacts?|artefacts?|compression",
    Dimension.BLUR: r"blur(ry|red|riness)?|sharp(ness)?",
    Dimension.TEMPORAL: r"temporal(ly)?|motion|smooth(ness)?|stab(le|ility)",
    Dimension.OVERALL: r"overall|quality|video",
}


def recognise(text: str) -> Question:
    """Find the family that a question in a person's words belongs to.

    Raises:
        UnsupportedQuestionError: no family fits; the message shows one example of each.

    >>> recognise("is this clip blurry?").family.value
    'yes/no'
    >>> recognise("Describe the quality, please").family.value
    'describe'
    """
    words = " ".join(text.lower().split())
    named = _named_attributes(words)
    if re.search(r"\bdescribe\b|\bdescription\b|what is wrong|what's wrong", words):
        return describe()
    if re.search(r"\bwh(ich|at)\b", words) and re.search(
        r"\bmost\b|\bmain(ly)?\b|\bworst\b", words
    ):
        return most()
    if re.search(r"\bwhich\b", words) and ":" in words:
        return which(_listed_options(words))
    dimension = _named_dimension(words)
    if re.search(r"\bscore\b|\bmos\b", words) and dimension:
        return scoring(dimension)
    if re.search(r"\brate\b|\brating\b|\blevel\b|\bhow (good|bad|is|would|much)\b", words) and (
        dimension
    ):
        return rating(dimension)
    if re.match(r"(is|are|does|do|has|have|can|if)\b", words):
        if named:
            return attribute(named[0])
        if dimension and dimension is not Dimension.OVERALL:
            return distorted(dimension)
    raise UnsupportedQuestionError(
        f"this model cannot answer {text!r}; it answers questions like\n{FAMILIES_HELP}"
    )


def _named_attributes(words: str) -> list[str]:
    spellings = {**{name: name for name in ALL_ATTRIBUTES}, **RELEASE_SPELLINGS}
    return [spellings[name] for name in sorted(spellings, key=len, reverse=True) if name in words]


def _named_dimension(words: str) -> Dimension | None:
    for dimension, pattern in _DIMENSION_WORDS.items():
        if re.search(rf"\b({pattern})\b", words):
            return dimension
    return None


def _listed_options(words: str) -> list[str]:
    listed = words.split(":", 1)[1].rstrip("?. ")
    options = [option.strip() for option in re.split(r",|\bor\b", listed)]
    return [RELEASE_SPELLINGS.get(option, option) for option in options if option]
