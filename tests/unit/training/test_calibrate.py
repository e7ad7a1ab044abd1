"""Temperatures are fitted to answers as they are given."""

import numpy as np

from finevq.datasets.degradations.labels import label_clip
from finevq.inference.population import Population
from finevq.prompts.questions import Family
from finevq.training.calibrate import fit_temperatures
from finevq.training.lessons import all_questions
from finevq.training.predictions import Predictions
from finevq.training.samples import TrainingSample
from finevq.vocabulary import level_index

SPAN = Population.finevd().span


def _samples(count: int) -> list[TrainingSample]:
    samples = []
    for severity in np.random.default_rng(0).uniform(0.2, 0.9, count).tolist():
        labels = label_clip({"camera blur": severity})
        samples.append(
            TrainingSample(
                path="x",
                group="x",
                split="validation",
                mos=labels.mos,
                severities={"camera blur": severity},
                dimension_severities=labels.severities,
                distorted=labels.distorted,
                most_impactful=labels.most_impactful,
            )
        )
    return samples


def _answers(samples: list[TrainingSample], levels_off: int) -> Predictions:
    """The decoder is half sure of levels that are off; its scores are moved by as much."""
    asked = tuple(all_questions())
    likelihoods = {}
    moved = np.zeros((len(samples), len(asked)))
    for column, question in enumerate(asked):
        values = np.zeros((len(samples), len(question.choices)))
        if question.family is Family.RATING:
            for row, sample in enumerate(samples):
                true = level_index(sample.mos[question.dimension], *SPAN)
                said = max(true - levels_off, 0)
                values[row, said] = np.log(len(question.choices) - 1.0)
                moved[row, column] = (true - said) * (SPAN[1] - SPAN[0]) / len(question.choices)
        likelihoods[question] = values - np.logaddexp.reduce(values, axis=1, keepdims=True)
    return Predictions(asked, np.zeros_like(moved), likelihoods, moved)


def test_levels_count_as_they_are_moved_with_their_scores():
    samples = _samples(60)
    # What is always right in use may be as sure as can be, wherever the decoder began.
    for levels_off in (0, 1):
        temperatures = fit_temperatures(_answers(samples, levels_off), samples, SPAN)
        assert temperatures[Family.RATING] < 0.3
