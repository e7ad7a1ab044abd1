"""Every sentence that a model sees or says.

A prompt is a prefix (video tokens, the same for every question) and a suffix (one question and the
opening of its answer). Because the prefix never depends on the question, it is read once a video.
The question families are the paper's (FineVQ, figure 2 and table 2); the wording is ours where the
paper gives none.
"""

from collections.abc import Sequence

from finevq.vocabulary import NO_FAULT, Dimension, dimension_of

YES, NO = "yes", "no"

PAD, BEGIN, END, CONTEXT, QUESTION, ANSWER = "<pad>", "<s>", "</s>", "<v>", "<q>", "<a>"
SPECIAL_TOKENS: tuple[str, ...] = (PAD, BEGIN, END, CONTEXT, QUESTION, ANSWER)
"""Of nano's tokenizer, in the order of their ids."""

_SUBJECTS = {
    Dimension.COLOR: "color quality",
    Dimension.NOISE: "noise level",
    Dimension.ARTIFACT: "artifact level",
    Dimension.BLUR: "blur level",
    Dimension.TEMPORAL: "temporal quality",
    Dimension.OVERALL: "overall quality",
}


def rating_question(dimension: Dimension) -> str:
    """Ask for a level."""
    return f"How would you rate the {_SUBJECTS[dimension]} of this video?"


def rating_stem(dimension: Dimension) -> str:
    """Open the answer up to the word before the level; the score is read there."""
    return f"The {_SUBJECTS[dimension]} of this video is"


def scoring_question(dimension: Dimension) -> str:
    """Ask for a number; answered by the score head, not by generated digits."""
    return f"Please give the {dimension} score of this video."


def scoring_answer(dimension: Dimension, score: float) -> str:
    """Say a score."""
    return f"The {dimension} score of this video is {score:.1f}."


def distorted_question(dimension: Dimension) -> str:
    """Ask whether a dimension is degraded."""
    return f"Is there a {dimension} distortion in this video?"


def attribute_question(attribute: str) -> str:
    """Ask whether one kind of distortion is present."""
    return f"Is there {attribute} in this video?"


def which_question(options: Sequence[str]) -> str:
    """Ask which of several kinds of distortion is present.

    >>> which_question(["shake", "moire", "none"])
    'Which distortion exists in this video: shake, moire or none?'
    """
    return f"Which distortion exists in this video: {', '.join(options[:-1])} or {options[-1]}?"


MOST_QUESTION = "Which distortion has the most impact on the quality of this video?"

DESCRIBE_QUESTION = "Please describe the quality of this video in detail."


def description_opening(level: str, most_impactful: str) -> str:
    """Open a description with what closed questions have already decided.

    >>> description_opening("fair", "blur")
    'The overall quality of this video is fair, which is mainly affected by the blur distortion,'
    """
    opening = f"{rating_stem(Dimension.OVERALL)} {level},"
    if most_impactful == NO_FAULT:
        return f"{opening} and no distortion stands out."
    return f"{opening} which is mainly affected by the {most_impactful} distortion,"


def description(level: str, main_attribute: str, other_attributes: Sequence[str]) -> str:
    """Describe a video from its labels.

    Args:
        level: Overall level word.
        main_attribute: The kind of distortion that hurts most, or "none".
        other_attributes: Further kinds that are visible, worst first.

    >>> description("poor", "camera blur", ["shake"])[-60:]
    'distortion, especially the camera blur. There is also shake.'
    """
    if main_attribute == NO_FAULT:
        text = description_opening(level, NO_FAULT)
    else:
        opening = description_opening(level, dimension_of(main_attribute))
        text = f"{opening} especially the {main_attribute}."
    if not other_attributes:
        return text
    listed = " and ".join(other_attributes[:2])
    return f"{text} There is also {listed}."
