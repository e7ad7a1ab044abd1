import numpy as np
import pytest

from finevq.datasets import finevd
from finevq.datasets.labels import LabelledVideo, LabelSet, VideoFacts
from finevq.datasets.questions import (
    control_shortcuts,
    exist_questions,
    most_questions,
    yes_no_questions,
)
from finevq.evaluation.classification import accuracy
from finevq.evaluation.correlation import srcc
from finevq.evaluation.floors import (
    TextOnlySolver,
    majority_answer,
    metadata_scores,
    overall_as_dimension,
)
from finevq.vocabulary import FAULT_DIMENSIONS


@pytest.fixture(scope="module")
def public_labels(shared):
    return finevd.read(shared / "data" / "finevd" / "labels.csv")


@pytest.fixture(scope="module")
def test_part(public_labels):
    return public_labels.of_split("test")


def test_a_constant_answer_reaches_the_published_models_accuracy(test_part):
    expected = [0.7352, 0.7274, 0.5610, 0.6467, 0.8691]
    for dimension, value in zip(FAULT_DIMENSIONS, expected, strict=True):
        questions = yes_no_questions(test_part, dimension)
        answers = [majority_answer(questions)] * len(questions)
        measured = accuracy(answers, [q.answer for q in questions])
        assert measured.value == pytest.approx(value, abs=0.0001)


def test_the_overall_mos_ranks_every_dimension(test_part):
    expected = [0.911, 0.921, 0.945, 0.956, 0.876]
    measured = [m.value for m in overall_as_dimension(test_part).values()]
    assert measured == pytest.approx(expected, abs=0.0006)


def test_the_option_list_answers_which_exists(public_labels, test_part):
    solver = TextOnlySolver(exist_questions(public_labels.of_split("train")))
    questions = exist_questions(test_part)
    measured = accuracy([solver.answer(q.asked) for q in questions], [q.answer for q in questions])
    assert measured.value >= 0.896
    four = [q for q in questions if len(q.asked.options) == 4]
    assert four
    assert {q.answer for q in four} == {"none"}


@pytest.mark.parametrize("family", [exist_questions, most_questions])
def test_controlled_questions_leave_a_text_only_solver_at_chance(public_labels, test_part, family):
    rng = np.random.default_rng(0)
    training = control_shortcuts(family(public_labels.of_split("train")), rng)
    controlled = control_shortcuts(family(test_part), rng)
    assert len(controlled) > 500
    for learnt_from in (training, controlled, family(test_part)):
        solver = TextOnlySolver(learnt_from)
        said = [solver.answer(q.asked) for q in controlled]
        assert accuracy(said, [q.answer for q in controlled]).value == 0.25


@pytest.mark.parametrize(("regressor", "floor"), [("ridge", 0.40), ("gbdt", 0.44)])
def test_container_facts_alone_predict_quality(public_labels, test_part, regressor, floor):
    train = public_labels.of_split("train")
    scores = metadata_scores(train, test_part, finevd.Dimension.OVERALL, regressor=regressor)
    assert srcc(scores, test_part.mos()).value > floor


def test_an_unknown_metadata_regressor_is_refused(test_part):
    with pytest.raises(ValueError, match="known are ridge, gbdt"):
        metadata_scores(test_part, test_part, finevd.Dimension.OVERALL, regressor="oracle")


@pytest.mark.parametrize("regressor", ["ridge", "gbdt"])
def test_a_fact_that_no_file_tells_does_not_stop_the_metadata_floor(regressor):
    videos = tuple(
        LabelledVideo(
            name=f"v{i}",
            mos={finevd.Dimension.OVERALL: 10.0 * (i % 5)},
            facts=VideoFacts(width=100 * (1 + i % 5), height=100, fps=25.0),
        )
        for i in range(60)
    )
    labels = LabelSet(name="csv", scale=(0, 100), videos=videos, source="")
    scores = metadata_scores(labels, labels, finevd.Dimension.OVERALL, regressor=regressor)
    assert srcc(scores, labels.mos()).value > 0.9
