import random

import pytest
import torch

from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.training.batches import IGNORED, pack
from finevq.training.lessons import Lesson, lessons_of
from finevq.training.samples import TrainingSample
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NAMES,
    NO_FAULT,
    Dimension,
)


@pytest.fixture(scope="module")
def prompter() -> NanoPrompter:
    return NanoPrompter(train_tokenizer())


@pytest.fixture(scope="module")
def model(prompter: NanoPrompter) -> FineVQ:
    torch.manual_seed(0)
    config = nano(vocabulary_size=prompter.vocabulary_size, context_token_id=prompter.context_id)
    return FineVQ(config).eval()


_LESSONS = [
    Lesson(questions.rating(Dimension.BLUR), "mild", 50.0),
    Lesson(questions.most(), "blur"),
    Lesson(questions.rating(Dimension.OVERALL), "fair", 40.0),
]


@torch.no_grad()
def test_packed_lessons_see_the_prefix_and_themselves_only(model: FineVQ, prompter: NanoPrompter):
    visual = torch.randn(1, 20 + len(NAMES), model.config.language_model.width)
    packed = pack(prompter, 20, [_LESSONS])
    out = model(
        model.embed(packed.token_ids, visual),
        attention_mask=packed.attention_bias,
        position_ids=packed.position_ids,
    )
    scores = model.score(out.hidden[packed.score_rows, packed.score_positions])
    for score, lesson in zip(scores, [_LESSONS[0], _LESSONS[2]], strict=True):
        question = lesson.question
        ids = prompter.prefix_ids(20) + prompter.suffix_ids(question, question.stem)
        alone = model(model.embed(torch.tensor([ids]), visual))
        assert float(score) == pytest.approx(float(model.score(alone.hidden[0, -1])), abs=1e-3)


def test_only_answers_are_learnt(prompter: NanoPrompter):
    packed = pack(prompter, 20, [_LESSONS])
    learnt = packed.labels[packed.labels != IGNORED].tolist()
    assert learnt == [prompter.answer_ids(lesson.answer)[0] for lesson in _LESSONS]


def test_an_answer_in_words_is_learnt_to_its_end(prompter: NanoPrompter):
    lesson = Lesson(questions.describe(), "The quality is fair.")
    packed = pack(prompter, 20, [[lesson]])
    learnt = packed.labels[packed.labels != IGNORED].tolist()
    assert learnt == prompter.answer_ids(lesson.answer)


def test_a_yes_or_no_is_learnt_as_a_share_of_people_alone(prompter: NanoPrompter):
    lesson = Lesson(questions.attribute("shake"), "yes", belief=0.75, weight=2.0)
    packed = pack(prompter, 20, [_LESSONS, [lesson]])
    assert packed.beliefs.tolist() == [0.75]
    assert packed.belief_weights.tolist() == [2.0]
    assert (packed.labels[1] == IGNORED).all()
    suffix = prompter.suffix_ids(lesson.question)
    end = len(prompter.prefix_ids(20)) + len(suffix) - 1
    assert (packed.belief_rows.tolist(), packed.belief_positions.tolist()) == ([1], [end])


def test_rows_of_different_length_are_padded_without_labels(prompter: NanoPrompter):
    packed = pack(prompter, 20, [_LESSONS, _LESSONS[:1]])
    assert packed.token_ids.shape[0] == 2
    assert (packed.labels[1] != IGNORED).sum() == 1
    assert packed.score_questions == ("blur", "overall", "blur")


def _sample(severities: dict[str, float], most: str) -> TrainingSample:
    return TrainingSample(
        path="x.mp4",
        group="x",
        split="train",
        mos=dict.fromkeys(DIMENSIONS, 50.0),
        severities=severities,
        dimension_severities=dict.fromkeys(FAULT_DIMENSIONS, 0.0),
        distorted=dict.fromkeys(FAULT_DIMENSIONS, False),
        most_impactful=most,
    )


def test_lessons_tell_the_truth_about_a_sample():
    sample = _sample({"shake": 0.8, "moire": 0.3}, "temporal")
    for seed in range(40):
        for lesson in lessons_of(sample, random.Random(seed), (9.8, 77.6)):
            if lesson.question.attribute:
                present = lesson.question.attribute in ("shake", "moire")
                assert lesson.answer == ("yes" if present else "no")
            if lesson.question.family == "which exists":
                assert lesson.answer in ("shake", "moire")
                assert lesson.answer in lesson.question.choices
                assert len(lesson.question.choices) == 4


def test_absent_attributes_stand_for_all_that_are_absent():
    sample = _sample({"shake": 0.8, "moire": 0.15}, "temporal")
    lessons = lessons_of(sample, random.Random(1), (9.8, 77.6), num_absent=10)
    asked = {lesson.question.attribute: lesson for lesson in lessons if lesson.question.attribute}
    assert (asked["shake"].belief, asked["moire"].belief) == (1.0, pytest.approx(0.5))
    assert len(asked) == 12
    weights = sum(lesson.weight for lesson in asked.values() if lesson.belief == 0.0)
    assert weights == pytest.approx(len(ALL_ATTRIBUTES) - 2)


def test_option_lists_have_one_form_whether_or_not_something_is_wrong():
    for severities, most in (({}, NO_FAULT), ({"shake": 0.5}, "temporal")):
        for seed in range(40):
            for lesson in lessons_of(_sample(severities, most), random.Random(seed), (9.8, 77.6)):
                if lesson.question.family == "which exists":
                    assert len(lesson.question.choices) == 4
                    assert NO_FAULT in lesson.question.choices


def test_a_photograph_teaches_its_overall_score_alone():
    sample = TrainingSample(path="x.jpg", group="x", split="train", mos={Dimension.OVERALL: 60.0})
    (lesson,) = lessons_of(sample, random.Random(0), (9.8, 77.6))
    assert lesson.question == questions.rating(Dimension.OVERALL)
    assert lesson.answer == "good"
