"""Temperatures that make answer probabilities honest, fitted on validation data.

Source: Guo et al., On Calibration of Modern Neural Networks (ICML 2017): one temperature divides
all logits of a family, found by minimal negative log-likelihood; the order of answers stays.
"""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from sklearn.metrics import balanced_accuracy_score, f1_score

from finevq.prompts import questions, templates
from finevq.prompts.questions import Family, Question
from finevq.training.lessons import is_present
from finevq.training.predictions import Predictions
from finevq.training.samples import TrainingSample
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    level_index,
)

_RANGE = (0.2, 10.0)
_THRESHOLDS = np.round(np.arange(0.02, 0.92, 0.02), 2)
_FEWEST_PRESENT = 5
"""Validation samples with an attribute, for it to take part in the common threshold."""
_ENOUGH_PRESENT = 40
"""Validation samples with an attribute, for it to have a threshold of its own."""
_EVEN_ODDS = 0.5
_SMALLEST_PROBABILITY = 1e-6
"""A level moved out of reach must not decide a temperature by itself."""
_WORTH_NAMING = 1.5
"""How many times as good as always saying yes an attribute's F1 must be at its threshold. What is
not recognised is best not named: its threshold would be so low that clean clips pass."""


def fit_temperatures(
    predictions: Predictions,
    samples: Sequence[TrainingSample],
    mos_range: tuple[float, float],
) -> dict[Family, float]:
    """Fit one temperature for each family of closed questions.

    Args:
        predictions: On validation samples.
        samples: The same, with known faults.
        mos_range: Of the levels.
    """
    families: dict[Family, list[tuple[Question, NDArray[np.int64]]]] = {}
    for question, truth in true_choices(samples, mos_range):
        families.setdefault(question.family, []).append((question, truth))
    return {family: _fit(predictions, known) for family, known in families.items()}


def fit_thresholds(
    predictions: Predictions,
    samples: Sequence[TrainingSample],
    temperatures: dict[Family, float],
) -> dict[str, float]:
    """Find from which probability a dimension is called distorted and an attribute present.

    Dimensions each by the best balanced accuracy, attributes by the best F1: each by itself where
    enough samples have it, the rest all together. Those that are not recognised need even odds.

    Args:
        predictions: On validation samples.
        samples: The same, with known faults.
        temperatures: Of the families, as fitted.
    """
    thresholds = {}
    for dimension in FAULT_DIMENSIONS:
        question = questions.distorted(dimension)
        truth = np.array([sample.distorted[dimension] for sample in samples])
        yes = predictions.probabilities(question, temperatures.get(question.family, 1.0))[:, 0]
        thresholds[str(dimension)] = _best_threshold(yes, truth, balanced_accuracy_score)
    family = temperatures.get(Family.ATTRIBUTE, 1.0)
    known = [
        (
            np.array([is_present(sample, name) for sample in samples]),
            predictions.probabilities(questions.attribute(name), family)[:, 0],
        )
        for name in ALL_ATTRIBUTES
    ]
    common = _common_threshold([(t, yes) for t, yes in known if t.sum() >= _FEWEST_PRESENT])
    for name, (truth, yes) in zip(ALL_ATTRIBUTES, known, strict=True):
        thresholds[name] = common
        if truth.sum() >= _ENOUGH_PRESENT:
            own = _best_threshold(yes, truth, f1_score)
            always = f1_score(truth, np.ones_like(truth))
            is_seen = f1_score(truth, yes >= own) >= _WORTH_NAMING * always
            thresholds[name] = own if is_seen else _EVEN_ODDS
    return thresholds


def _common_threshold(
    known: Sequence[tuple[NDArray[np.bool_], NDArray[np.float64]]],
) -> float:
    """Return the threshold with the best mean F1: one for all, since few clips have each."""
    if not known:
        return 0.5
    means = [np.mean([f1_score(t, yes >= at) for t, yes in known]) for at in _THRESHOLDS]
    return float(_THRESHOLDS[int(np.argmax(means))])


def _best_threshold(
    yes: NDArray[np.float64],
    truth: NDArray[np.bool_],
    measure: Callable[[NDArray[np.bool_], NDArray[np.bool_]], float],
) -> float:
    """Return the middle of the best run of thresholds: its edge would fit single samples."""
    values = np.array([measure(truth, yes >= threshold) for threshold in _THRESHOLDS])
    # Smoothed, since few samples decide each value.
    smooth = np.convolve(np.pad(values, 2, mode="edge"), np.full(5, 0.2), mode="valid")
    best = np.flatnonzero(smooth >= smooth.max() - 1e-9)
    return float(_THRESHOLDS[best[len(best) // 2]])


def expected_calibration_error(
    confidences: NDArray[np.float64], correct: NDArray[np.bool_], num_bins: int = 10
) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins, 0 best.

    Args:
        confidences: (N,) probability of the answer that was given.
        correct: (N,) whether it was right.
        num_bins: Bins over 0..1.
    """
    bins = np.minimum((confidences * num_bins).astype(int), num_bins - 1)
    gaps = [
        abs(confidences[bins == index].mean() - correct[bins == index].mean())
        * (bins == index).sum()
        for index in range(num_bins)
        if (bins == index).any()
    ]
    return float(sum(gaps) / len(confidences))


def calibration_errors(
    predictions: Predictions,
    samples: Sequence[TrainingSample],
    mos_range: tuple[float, float],
    temperatures: dict[Family, float],
) -> dict[str, float]:
    """Return the expected calibration error of each family at given temperatures."""
    return {
        str(family): expected_calibration_error(confidences, correct)
        for family, (confidences, correct) in answer_confidences(
            predictions, samples, mos_range, temperatures
        ).items()
    }


def answer_confidences(
    predictions: Predictions,
    samples: Sequence[TrainingSample],
    mos_range: tuple[float, float],
    temperatures: dict[Family, float],
) -> dict[Family, tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """Return, family by family, the probability of each given answer and whether it was right."""
    collected: dict[Family, list[tuple[NDArray[np.float64], NDArray[np.bool_]]]] = {}
    for question, truth in true_choices(samples, mos_range):
        values = predictions.probabilities(question, temperatures.get(question.family, 1.0))
        given = values.argmax(axis=1)
        collected.setdefault(question.family, []).append((values.max(axis=1), given == truth))
    return {
        family: (
            np.concatenate([pair[0] for pair in pairs]),
            np.concatenate([pair[1] for pair in pairs]),
        )
        for family, pairs in collected.items()
    }


def true_choices(
    samples: Sequence[TrainingSample], mos_range: tuple[float, float]
) -> Iterable[tuple[Question, NDArray[np.int64]]]:
    """Yield each closed question of an assessment with the index of its right answer, (N,)."""
    for dimension in DIMENSIONS:
        levels = [level_index(sample.mos[dimension], *mos_range) for sample in samples]
        yield questions.rating(dimension), np.array(levels)
    for dimension in FAULT_DIMENSIONS:
        question = questions.distorted(dimension)
        yield question, _yes_no(question, [sample.distorted[dimension] for sample in samples])
    for name in ALL_ATTRIBUTES:
        question = questions.attribute(name)
        yield question, _yes_no(question, [is_present(sample, name) for sample in samples])
    most = questions.most()
    yield most, np.array([most.choices.index(str(sample.most_impactful)) for sample in samples])


def _yes_no(question: Question, truths: Sequence[bool]) -> NDArray[np.int64]:
    words = (templates.YES if truth else templates.NO for truth in truths)
    return np.array([question.choices.index(word) for word in words])


def _fit(predictions: Predictions, known: Sequence[tuple[Question, NDArray[np.int64]]]) -> float:
    def loss(log_temperature: float) -> float:
        total, count = 0.0, 0
        for question, truth in known:
            # As in use: levels that move with their scores are less sure than the decoder's.
            values = predictions.probabilities(question, float(np.exp(log_temperature)))
            right = values[np.arange(len(truth)), truth]
            total -= float(np.log(np.maximum(right, _SMALLEST_PROBABILITY)).sum())
            count += len(truth)
        return total / count

    bounds = tuple(np.log(_RANGE))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
