"""What one gets without looking at the video: the floors that every table shows.

constant: one answer or score for all; answer prior: a text-only solver that sees the options;
metadata only: ridge and boosted trees on what the container says; overall as dimension: the overall
MOS used as the score of each dimension (an oracle: it needs the labels).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from finevq.datasets.labels import LabelSet, VideoFacts
from finevq.datasets.questions import AskedQuestion, Question
from finevq.evaluation.correlation import srcc
from finevq.evaluation.measure import Measure, Vector, undefined
from finevq.vocabulary import FAULT_DIMENSIONS, NO_FAULT, Dimension, dimension_of

METADATA_REGRESSORS = ("ridge", "gbdt")


def majority_answer(questions: Sequence[Question]) -> str:
    """Return the commonest answer; the first in alphabetical order among equals."""
    counts = Counter(question.answer for question in questions)
    return min(counts, key=lambda answer: (-counts[answer], answer))


class TextOnlySolver:
    """Answers which-questions from the option list alone.

    Counts on training questions how often an option was the answer when it was shown, by the
    option, by how many shown options share its dimension, and by the number of options. On FineVD
    that finds that four options always mean "none", and that distractors come in groups of one
    dimension while the right answer stands alone.
    """

    def __init__(self, training: Sequence[Question]) -> None:
        self._shown: Counter[tuple[str, int, int]] = Counter()
        self._right: Counter[tuple[str, int, int]] = Counter()
        for question in training:
            for option in question.asked.options:
                key = _shortcut(option, question.asked.options)
                self._shown[key] += 1
                self._right[key] += option == question.answer

    def answer(self, asked: AskedQuestion) -> str:
        """Return the option that was right most often in training; the first among equals."""
        return max(asked.options, key=lambda option: self._share(option, asked.options))

    def _share(self, option: str, options: tuple[str, ...]) -> float:
        key = _shortcut(option, options)
        return (self._right[key] + 0.1) / (self._shown[key] + 1.0)


def overall_as_dimension(labels: LabelSet) -> dict[Dimension, Measure]:
    """Return the SRCC of the overall MOS with the MOS of each dimension."""
    overall = labels.mos()
    return {
        d: srcc(overall, labels.mos(d)) if d in labels.dimensions else undefined("no labels")
        for d in FAULT_DIMENSIONS
    }


def metadata_scores(
    train: LabelSet, test: LabelSet, dimension: Dimension, *, regressor: str, seed: int = 0
) -> Vector:
    """Return scores of test videos predicted from container facts alone.

    Args:
        train: Labelled videos to learn from.
        test: Videos to score; their labels are not looked at.
        dimension: Which MOS is learnt.
        regressor: ridge (linear, missing facts at the median) or gbdt (boosted trees).
        seed: Seed of the trees.

    Returns:
        (N,) scores of the test videos.

    Raises:
        ValueError: another regressor.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor  # the evaluation extra
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if regressor not in METADATA_REGRESSORS:
        raise ValueError(f"regressor {regressor!r}: known are {', '.join(METADATA_REGRESSORS)}")
    if regressor == "ridge":
        model = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True),
            StandardScaler(),
            RidgeCV(alphas=np.logspace(-3, 4, 15)),
        )
    else:
        model = HistGradientBoostingRegressor(
            max_iter=150, learning_rate=0.05, max_leaf_nodes=15, random_state=seed
        )
    facts = _facts_matrix(train)
    is_known = np.isfinite(facts).any(axis=0)  # boosted trees cannot bin a column without a value
    model.fit(facts[:, is_known], np.array(train.mos(dimension)))
    scores: Vector = model.predict(_facts_matrix(test)[:, is_known])
    return scores


def has_metadata(labels: LabelSet) -> bool:
    """Return whether the label file tells container facts of most videos."""
    known = [video.facts.width is not None for video in labels.videos]
    return sum(known) > len(known) / 2


def _facts_matrix(labels: LabelSet) -> NDArray[np.float64]:
    return np.array([_facts_row(video.facts) for video in labels.videos])


def _facts_row(facts: VideoFacts) -> list[float]:
    width, height = _number(facts.width), _number(facts.height)
    pixels, fps, rate = width * height, _number(facts.fps), _number(facts.bit_rate)
    with np.errstate(divide="ignore", invalid="ignore"):
        row = [
            np.log(pixels),
            np.log(np.float64(width) / height),
            fps,
            _number(facts.num_frames),
            np.log(np.float64(rate)),
            np.log(np.float64(rate) / (pixels * fps)),  # bits a pixel: how hard it was compressed
            _number(facts.bit_depth),
            float("j" in facts.pixel_format),
        ]
    return [float(value) if np.isfinite(value) else np.nan for value in row]


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _shortcut(option: str, options: tuple[str, ...]) -> tuple[str, int, int]:
    groups = Counter(map(_group, options))
    return option, groups[_group(option)], len(options)


def _group(option: str) -> str:
    if option == NO_FAULT or option in set(FAULT_DIMENSIONS):
        return option
    return dimension_of(option)
