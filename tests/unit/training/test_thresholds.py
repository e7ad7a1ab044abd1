from dataclasses import replace

import numpy as np
import pytest

from finevq.prompts import questions
from finevq.prompts.questions import Family
from finevq.training.calibrate import fit_thresholds
from finevq.training.lessons import all_questions
from finevq.training.measures import (
    AS_THEY_COME,
    FLAWLESS,
    NOT_PHOTOGRAPHED,
    attribute_separation,
    measures_by_source,
    measures_of_sets,
    score_as_severity,
    severity_correlations,
)
from finevq.training.predictions import Predictions
from finevq.training.samples import TrainingSample
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, PICTURE_DIMENSIONS, Dimension

COUNT = 400


def _sample(index: int) -> TrainingSample:
    # Every fourth is shaken, every fifth has moire; blur grows from sample to sample.
    blur = index / COUNT
    severities = {"shake": 0.5 * (index % 4 == 0), "moire": 0.5 * (index % 5 == 0)}
    return TrainingSample(
        path="x",
        group="x",
        split="validation",
        mos={**dict.fromkeys(DIMENSIONS, 50.0), Dimension.BLUR: 70 - 50 * blur},
        severities=severities,
        dimension_severities={**dict.fromkeys(FAULT_DIMENSIONS, 0.0), Dimension.BLUR: blur},
        distorted={dimension: index % 2 == 0 for dimension in FAULT_DIMENSIONS},
        most_impactful="none",
    )


@pytest.fixture(scope="module")
def samples() -> list[TrainingSample]:
    return [_sample(index) for index in range(COUNT)]


def _predictions(yes: dict[str, np.ndarray]) -> Predictions:
    """Answers of a model that rates blur rightly and says yes to attributes as given."""
    asked = tuple(all_questions())
    scores = np.full((COUNT, len(asked)), 50.0)
    scores[:, asked.index(questions.rating(Dimension.BLUR))] = np.linspace(70, 20, COUNT)
    likelihoods = {}
    for question in asked:
        chances = np.full((COUNT, max(len(question.choices), 2)), 0.5)
        if question.attribute in yes:
            share = yes[question.attribute]
            chances = np.stack([share, 1 - share], axis=1)
        likelihoods[question] = np.log(chances)
    return Predictions(asked, scores, likelihoods, np.zeros_like(scores))


def test_what_is_seen_gets_its_threshold_and_what_is_not_even_odds(samples: list[TrainingSample]):
    seen = np.where(np.arange(COUNT) % 4 == 0, 0.3, 0.1)
    unseen = np.random.default_rng(0).uniform(0.05, 0.25, COUNT)
    predictions = _predictions({"shake": seen, "moire": unseen})
    thresholds = fit_thresholds(predictions, samples, {Family.ATTRIBUTE: 1.0})
    assert 0.1 < thresholds["shake"] <= 0.3
    assert thresholds["moire"] == 0.5


def test_severity_is_compared_where_a_dimension_has_faults(samples: list[TrainingSample]):
    predictions = _predictions({})
    assert severity_correlations(predictions, samples) == {"blur": pytest.approx(1.0)}
    assert score_as_severity(samples) == {"blur": pytest.approx(1.0)}


def test_kinds_of_sources_are_measured_by_themselves(samples: list[TrainingSample]):
    # In turn a flawless photograph, one as it came, and a drawing.
    mixed = [
        replace(
            sample,
            group=f"source {index % 3}",
            mos=dict.fromkeys(DIMENSIONS, sample.mos[Dimension.BLUR]),
            source_quality=0.7 if index % 3 == 1 else 1.0,
            is_photographed=index % 3 != 2,
        )
        for index, sample in enumerate(samples)
    ]
    predictions = _predictions({})
    right = np.linspace(70, 20, COUNT)
    said = np.where(np.arange(COUNT) % 3 == 0, right, right[::-1])  # wrong about all but flawless
    predictions = replace(predictions, scores=np.tile(said[:, None], predictions.scores.shape[1]))
    numbers = measures_by_source(predictions, mixed, PICTURE_DIMENSIONS)
    assert [part["sources"] for part in numbers.values()] == [1, 1, 1]
    assert sum(part["count"] for part in numbers.values()) == COUNT
    assert {kind: part["srcc_mos"]["blur"] for kind, part in numbers.items()} == {
        FLAWLESS: pytest.approx(1.0),
        AS_THEY_COME: pytest.approx(-1.0),
        NOT_PHOTOGRAPHED: pytest.approx(-1.0),
    }
    assert numbers[FLAWLESS]["srcc_severity"] == {"blur": pytest.approx(1.0)}
    assert "temporal" not in numbers[FLAWLESS]["floor_overall_as_dimension"]
    # What there is hardly a sample of is no measure.
    assert measures_by_source(predictions, [mixed[1]], PICTURE_DIMENSIONS) == {}


def test_each_data_set_of_pictures_is_measured_by_itself(samples: list[TrainingSample]):
    sets = [
        replace(
            sample,
            path=f"runs/{'drawn' if index % 2 else 'stills'}/clips/{index}.mp4",
            mos=dict.fromkeys(DIMENSIONS, sample.mos[Dimension.BLUR]),
        )
        for index, sample in enumerate(samples)
    ]
    right = np.linspace(70, 20, COUNT)
    said = np.where(np.arange(COUNT) % 2, right[::-1], right)  # wrong about every drawn one
    predictions = _predictions({})
    predictions = replace(predictions, scores=np.tile(said[:, None], predictions.scores.shape[1]))
    numbers = measures_of_sets(predictions, sets)
    assert {name: part["count"] for name, part in numbers.items()} == {
        "stills": COUNT // 2,
        "drawn": COUNT // 2,
    }
    assert numbers["stills"]["srcc_mos"]["blur"] == pytest.approx(1.0)
    assert numbers["drawn"]["srcc_mos"]["blur"] < 0
    assert measures_of_sets(predictions, sets[::2]) == {}


def test_a_part_of_the_answers_is_the_answers_of_those_samples():
    predictions = _predictions({"shake": np.linspace(0.1, 0.9, COUNT)})
    part = predictions.part(range(10, 30))
    question = questions.attribute("shake")
    assert len(part) == 20
    expected = predictions.probabilities(question)[10:30]
    np.testing.assert_array_equal(part.probabilities(question), expected)
    rating = questions.rating(Dimension.BLUR)
    np.testing.assert_array_equal(part.scores_of(rating), predictions.scores_of(rating)[10:30])


def test_separation_is_the_mean_over_the_attributes_that_occur(samples):
    has_shake = np.array([sample.severities["shake"] > 0 for sample in samples])
    told_apart = np.where(has_shake, 0.4, 0.1)  # all below even odds, in the right order
    predictions = _predictions({"shake": told_apart, "moire": np.full(COUNT, 0.3)})
    assert attribute_separation(predictions, samples) == pytest.approx((1.0 + 0.5) / 2)
    assert np.isnan(attribute_separation(predictions.part(range(1)), samples[:1]))
