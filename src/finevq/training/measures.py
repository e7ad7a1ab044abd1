"""The numbers of a training run: validation while it goes on, the model card at its end.

Each number stands beside the floor that a model without eyes would reach.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression
from sklearn.metrics import balanced_accuracy_score, f1_score, roc_auc_score

from finevq.prompts import questions
from finevq.prompts.questions import Question
from finevq.records import Calibration
from finevq.training.lessons import is_present
from finevq.training.predictions import Predictions
from finevq.training.samples import TrainingSample
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    PICTURE_DIMENSIONS,
    Dimension,
)

_MIN_PRESENT = 5
"""Attributes seen less often in a set are left out of its averages: chance rules them."""

FLAWLESS = "flawless photographs"
AS_THEY_COME = "phone photographs and real clips"
NOT_PHOTOGRAPHED = "drawn, or shown without color"


def score_correlations(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, float]:
    """Return SRCC between predicted and true MOS of each dimension that the samples know."""
    return {
        str(dimension): srcc(
            predictions.scores_of(questions.rating(dimension)), _mos(samples, dimension)
        )
        for dimension in DIMENSIONS
        if dimension in samples[0].mos
    }


def human_correlation(predictions: Predictions, samples: Sequence[TrainingSample]) -> float:
    """Return SRCC between predicted overall and people's opinion."""
    scores = predictions.scores_of(questions.rating(Dimension.OVERALL))
    return srcc(scores, _mos(samples, Dimension.OVERALL))


def human_measures(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, float | tuple[float, float]]:
    """Return `agreement` of overall with people's opinion, and of how many photographs."""
    scores = predictions.scores_of(questions.rating(Dimension.OVERALL))
    truth = _mos(samples, Dimension.OVERALL)
    return {"num_photographs": len(samples), **agreement(scores, truth)}


def agreement(
    scores: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float | tuple[float, float]]:
    """Return SRCC with its interval, PLCC and RMSE of (N,) and (N,), and a constant's RMSE."""
    return {
        "srcc": srcc(scores, truth),
        "srcc_interval": bootstrap_interval(scores, truth),
        "plcc": float(np.corrcoef(scores, truth)[0, 1]),
        "rmse": float(np.sqrt(np.mean((scores - truth) ** 2))),
        "rmse_of_constant": float(truth.std()),
    }


def severity_correlations(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, float]:
    """Return SRCC between predicted score and true severity (negated) of each fault dimension.

    Severity is what was done to the clip; MOS adds what people make of it.
    """
    return _against_severity(
        lambda dimension: predictions.scores_of(questions.rating(dimension)), samples
    )


def residual_correlations(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, float]:
    """Return SRCC of each dimension after overall is regressed out of prediction and truth.

    Near 0 means that a dimension says nothing that overall does not.
    """
    overall = _mos(samples, Dimension.OVERALL)
    predicted_overall = predictions.scores_of(questions.rating(Dimension.OVERALL))
    return {
        str(dimension): srcc(
            _residual(predictions.scores_of(questions.rating(dimension)), predicted_overall),
            _residual(_mos(samples, dimension), overall),
        )
        for dimension in FAULT_DIMENSIONS
    }


def yes_no_accuracies(
    predictions: Predictions, samples: Sequence[TrainingSample], calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Return balanced accuracy and AUROC of each dimension's yes/no question.

    The floor of both is 0.5, whatever a constant answer is.
    """
    result = {}
    for dimension in FAULT_DIMENSIONS:
        truth = np.array([sample.distorted[dimension] for sample in samples])
        yes = _probability_of_yes(predictions, questions.distorted(dimension), calibration)
        threshold = calibration.thresholds.get(str(dimension), 0.5)
        result[str(dimension)] = {
            "balanced_accuracy": float(balanced_accuracy_score(truth, yes >= threshold)),
            "balanced_accuracy_at_even_odds": float(balanced_accuracy_score(truth, yes >= 0.5)),
            "auroc": float(roc_auc_score(truth, yes)),
            "share_yes": float(truth.mean()),
        }
    return result


def _probability_of_yes(
    predictions: Predictions, question: Question, calibration: Calibration
) -> NDArray[np.float64]:
    temperature = calibration.temperatures.get(str(question.family), 1.0)
    yes: NDArray[np.float64] = predictions.probabilities(question, temperature)[:, 0]
    return yes


def attribute_measures(
    predictions: Predictions, samples: Sequence[TrainingSample], calibration: Calibration
) -> dict[str, dict[str, float]]:
    """Return F1, AUROC and count of each attribute that is present often enough to say."""
    result = {}
    for name in ALL_ATTRIBUTES:
        truth = np.array([is_present(sample, name) for sample in samples])
        if truth.sum() < _MIN_PRESENT:
            continue
        yes = _probability_of_yes(predictions, questions.attribute(name), calibration)
        threshold = calibration.thresholds.get(name, 0.5)
        result[name] = {
            "f1": float(f1_score(truth, yes >= threshold)),
            "f1_at_even_odds": float(f1_score(truth, yes >= 0.5)),
            "auroc": float(roc_auc_score(truth, yes)),
            "num_present": int(truth.sum()),
            "f1_of_always_yes": float(f1_score(truth, np.ones_like(truth))),
        }
    return result


def attribute_separation(predictions: Predictions, samples: Sequence[TrainingSample]) -> float:
    """Return the mean AUROC of the attributes that are present often enough to say; NaN for none.

    The mean does not care how often an attribute occurs, nor where thresholds lie.
    """
    separations = []
    for name in ALL_ATTRIBUTES:
        truth = np.array([is_present(sample, name) for sample in samples])
        if _MIN_PRESENT <= truth.sum() < len(truth):
            yes = predictions.probabilities(questions.attribute(name))[:, 0]
            separations.append(roc_auc_score(truth, yes))
    return float(np.mean(separations)) if separations else float("nan")


def most_impactful_accuracy(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, float]:
    """Return accuracy of "which most" beside the majority answer's."""
    question = questions.most()
    answers = [question.choices[row] for row in predictions.probabilities(question).argmax(1)]
    truth = [sample.most_impactful for sample in samples]
    majority = max(set(truth), key=truth.count)
    return {
        "accuracy": float(np.mean([a == b for a, b in zip(answers, truth, strict=True)])),
        "balanced_accuracy": float(balanced_accuracy_score(truth, answers)),
        "majority": float(np.mean([majority == b for b in truth])),
    }


def overall_as_dimension(samples: Sequence[TrainingSample]) -> dict[str, float]:
    """Return the floor of the dimensions: SRCC of the true overall MOS with each of them."""
    overall = _mos(samples, Dimension.OVERALL)
    return {
        str(dimension): srcc(overall, _mos(samples, dimension)) for dimension in FAULT_DIMENSIONS
    }


def score_as_severity(samples: Sequence[TrainingSample]) -> dict[str, float]:
    """Return the ceiling of severities: SRCC of each dimension's true MOS with its severity.

    Most samples have severity 0 and are tied; their MOS still differ by source and other faults.
    """
    return _against_severity(lambda dimension: _mos(samples, dimension), samples)


def measures_by_source(
    predictions: Predictions, samples: Sequence[TrainingSample], dimensions: Sequence[Dimension]
) -> dict[str, dict[str, Any]]:
    """Return what correlates with what among samples of each kind of source.

    Only of a flawless photograph are labels the whole truth. Phone photographs and real clips are
    dark, soft or gaudy as they come, which no label of a dimension knows; and the colors of a
    drawing are as somebody wanted them, so that no one can tell a cast or strong colors from taste.

    Args:
        predictions: Of ratings, at least.
        samples: Clips or single pictures.
        dimensions: Those that samples can have faults of, and overall.

    Returns:
        Kind -> measures; kinds with hardly a sample are left out.
    """
    rows_of: dict[str, list[int]] = {FLAWLESS: [], AS_THEY_COME: [], NOT_PHOTOGRAPHED: []}
    for row, sample in enumerate(samples):
        rows_of[_kind_of_source(sample)].append(row)
    return {
        kind: _measures_of(predictions, samples, rows, dimensions)
        for kind, rows in rows_of.items()
        if len(rows) >= _MIN_PRESENT
    }


def _kind_of_source(sample: TrainingSample) -> str:
    if not sample.is_photographed:
        return NOT_PHOTOGRAPHED
    return FLAWLESS if sample.source_quality == 1.0 else AS_THEY_COME


def measures_of_sets(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, dict[str, Any]]:
    """Return what correlates with what in each data set of single pictures by itself.

    Args:
        predictions: Of ratings, at least.
        samples: Single pictures; a data set is the folder that its manifest lies in.

    Returns:
        Folder name -> measures; empty where all are of one set.
    """
    rows_of: dict[str, list[int]] = {}
    for row, sample in enumerate(samples):
        rows_of.setdefault(Path(sample.path).parent.parent.name, []).append(row)
    if len(rows_of) < 2:
        return {}
    return {
        name: _measures_of(predictions, samples, rows, PICTURE_DIMENSIONS)
        for name, rows in rows_of.items()
    }


def _measures_of(
    predictions: Predictions,
    samples: Sequence[TrainingSample],
    rows: Sequence[int],
    dimensions: Sequence[Dimension],
) -> dict[str, Any]:
    chosen = [samples[row] for row in rows]

    def scores_of(dimension: Dimension) -> NDArray[np.float64]:
        return predictions.scores_of(questions.rating(dimension))[list(rows)]

    floor = overall_as_dimension(chosen)
    return {
        "count": len(chosen),
        "sources": len({sample.group for sample in chosen}),
        "srcc_mos": {str(d): srcc(scores_of(d), _mos(chosen, d)) for d in dimensions},
        "floor_overall_as_dimension": {
            name: value for name, value in floor.items() if name in dimensions
        },
        "srcc_severity": _against_severity(scores_of, chosen),
        "ceiling_of_severity": score_as_severity(chosen),
    }


def _against_severity(
    scores_of: Callable[[Dimension], NDArray[np.float64]], samples: Sequence[TrainingSample]
) -> dict[str, float]:
    """Return SRCC of scores with negated severity, where a dimension has faults at all."""
    result = {}
    for dimension in FAULT_DIMENSIONS:
        severity = np.array([_severity(sample, dimension) for sample in samples])
        if severity.any():  # not that of time in stills
            result[str(dimension)] = srcc(scores_of(dimension), -severity)
    return result


def bootstrap_interval(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    groups: Sequence[str] | None = None,
    repeats: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of an SRCC.

    Args:
        first: (N,).
        second: (N,).
        groups: (N,) sources; whole sources are drawn, since clips of one are alike. None: each
            sample by itself.
        repeats: Resamples.
        seed: Of the draws.
    """
    generator = np.random.default_rng(seed)
    members: dict[str, list[int]] = {}
    for row in range(len(first)):
        members.setdefault(groups[row] if groups else str(row), []).append(row)
    clusters = [np.array(rows) for rows in members.values()]
    values = []
    for _ in range(repeats):
        drawn = generator.integers(0, len(clusters), len(clusters))
        rows = np.concatenate([clusters[index] for index in drawn])
        values.append(srcc(first[rows], second[rows]))
    low, high = np.nanpercentile(values, [2.5, 97.5])
    return float(low), float(high)


def score_intervals(
    predictions: Predictions, samples: Sequence[TrainingSample]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Return intervals of the SRCC with MOS and with severity, whole sources resampled."""
    groups = [sample.group for sample in samples]
    mos, severity = {}, {}
    for dimension in DIMENSIONS:
        scores = predictions.scores_of(questions.rating(dimension))
        mos[str(dimension)] = bootstrap_interval(scores, _mos(samples, dimension), groups)
        if dimension in FAULT_DIMENSIONS:
            known = -np.array([_severity(sample, dimension) for sample in samples])
            severity[str(dimension)] = bootstrap_interval(scores, known, groups)
    return {"srcc_mos": mos, "srcc_severity": severity}


def _mos(samples: Sequence[TrainingSample], dimension: Dimension) -> NDArray[np.float64]:
    return np.array([sample.mos[dimension] for sample in samples])


def _severity(sample: TrainingSample, dimension: Dimension) -> float:
    if sample.dimension_severities is None:
        raise ValueError(f"{sample.path} has no known severities")
    return sample.dimension_severities[dimension]


def _residual(values: NDArray[np.float64], overall: NDArray[np.float64]) -> NDArray[np.float64]:
    fitted = LinearRegression().fit(overall[:, None], values).predict(overall[:, None])
    residual: NDArray[np.float64] = values - fitted
    return residual


def srcc(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return Spearman's rank correlation of (N,) and (N,)."""
    return float(spearmanr(first, second).statistic)
