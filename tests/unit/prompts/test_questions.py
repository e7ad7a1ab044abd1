import pytest

from finevq.errors import UnsupportedQuestionError
from finevq.prompts import questions, templates
from finevq.prompts.questions import Family, recognise
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS, Dimension


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("How would you rate the blur of this video?", Family.RATING),
        ("how bad is the noise", Family.RATING),
        ("What is the overall score?", Family.SCORING),
        ("Is it noisy?", Family.DISTORTED),
        ("Is there motion blur in this clip?", Family.ATTRIBUTE),
        ("does it look over dark?", Family.ATTRIBUTE),
        ("Which distortion exists: shake, pulse or none?", Family.WHICH),
        ("Which fault hurts the most?", Family.MOST),
        ("What is the main problem?", Family.MOST),
        ("Please describe the quality.", Family.DESCRIBE),
    ],
)
def test_peoples_words_find_their_family(text: str, family: Family):
    assert recognise(text).family is family


def test_every_canonical_question_is_recognised_as_itself():
    asked = [
        *(questions.rating(dimension) for dimension in DIMENSIONS),
        *(questions.scoring(dimension) for dimension in DIMENSIONS),
        *(questions.distorted(dimension) for dimension in FAULT_DIMENSIONS),
        *(questions.attribute(name) for name in ALL_ATTRIBUTES),
        questions.which(["moire", "shake", "none"]),
        questions.most(),
        questions.describe(),
    ]
    for question in asked:
        assert recognise(question.text) == question


def test_release_spellings_are_understood():
    assert recognise("which exists: over dark, square artifact, none?").choices == (
        "underexposure",
        "blocking",
        "none",
    )


@pytest.mark.parametrize("text", ["hello", "who filmed this?", "which exists: sparkle, none?"])
def test_other_questions_get_an_error_that_names_the_families(text: str):
    with pytest.raises(UnsupportedQuestionError, match=r"low saturation|answers questions like"):
        recognise(text)


def test_a_description_opens_with_what_closed_questions_decided():
    text = templates.description("poor", "camera blur", ["shake", "moire", "flicker"])
    assert text.startswith(templates.description_opening("poor", "blur"))
    assert text.endswith("There is also shake and moire.")


def test_levels_of_distortions_are_not_those_of_quality():
    assert "severe" in questions.rating(Dimension.BLUR).choices
    assert "bad" in questions.rating(Dimension.COLOR).choices
