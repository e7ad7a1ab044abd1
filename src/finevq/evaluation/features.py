"""Judging hand-crafted features: a regressor on repeated random 80:20 splits.

The protocol that VIDEVAL, RAPIQUE, TLVQM and BRISQUE are published with: min-max scaling learnt
on the training part, an RBF support vector regressor whose C and gamma are chosen on 20 % of the
training part, correlations on the held-out fifth, PLCC and RMSE after the 4-parameter logistic,
and the median over 100 splits.

Source: Tu et al., "UGC-VQA: Benchmarking blind video quality assessment for user generated
content", TIP 2021, section IV.C, and the public demo_eval_BVQA_feats_one_dataset.py (grids).
Where we differ: hyper-parameters are chosen by plain validation RMSE (theirs: after a logistic on
the validation part); of their 10 x 10 grid we walk up C only as long as that helps, which leaves
out the slow, overfitted corner; the scaler is fitted once (theirs is refitted 100 times on its own
output, which changes nothing).
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finevq.errors import InvalidInputError
from finevq.evaluation.correlation import krcc, plcc_fitted, rmse_fitted, srcc
from finevq.evaluation.measure import Measure, Vector

Matrix = NDArray[np.float64]
Progress = Callable[[int, int], None]

SVR_COSTS = tuple(2.0**k for k in range(1, 11))
"""Grid of C, as published."""
SVR_GAMMAS = tuple(2.0**k for k in range(-8, 2))
"""Grid of gamma, as published."""
REGRESSORS = ("svr", "ridge", "none")
"""svr: RBF support vector regression; ridge: linear; none: one column is the prediction."""

METRICS: dict[str, Callable[[Vector, Vector], Measure]] = {
    "srcc": srcc,
    "krcc": krcc,
    "plcc": plcc_fitted,
    "rmse": rmse_fitted,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class RepeatedResult:
    """Metrics of every split; NaN where a metric was undefined."""

    values: dict[str, list[float]]
    """Metric name to one value a split."""
    num_videos: int
    num_features: int
    regressor: str
    protocol: str

    def summary(self) -> dict[str, Any]:
        """Return the median and standard deviation of each metric, over splits where defined."""
        metrics = {name: _median_and_std(values) for name, values in self.values.items()}
        return {
            **metrics,
            "repeats": len(self.values["srcc"]),
            "num_videos": self.num_videos,
            "num_features": self.num_features,
            "regressor": self.regressor,
            "protocol": self.protocol,
        }


def evaluate_features(
    features: Matrix,
    mos: Vector,
    *,
    regressor: str = "svr",
    repeats: int = 100,
    seed: int | None = None,
    higher_is_better: bool = True,
    num_threads: int = 1,
    progress: Progress | None = None,
) -> RepeatedResult:
    """Judge a feature matrix on repeated random 80:20 splits.

    Args:
        features: (N, D) one row a video.
        mos: (N,) labels in the same order.
        regressor: One of `REGRESSORS`.
        repeats: Number of splits.
        seed: Seed of the series; None takes VIDEVAL's own 100 splits, so that numbers can be
            compared split by split with the published ones.
        higher_is_better: Direction of the column where `regressor` is none.
        num_threads: Splits judged at a time; numbers do not depend on it.
        progress: Called with (splits done, splits) after each.

    Raises:
        InvalidInputError: shapes do not fit, or there are too few videos or splits.
    """
    _check(features, mos, regressor, repeats)
    values: dict[str, list[float]] = {name: [] for name in METRICS}

    def judge(repeat: int) -> dict[str, float]:
        train, test = _random_80_20(len(mos), _state(8.8, seed, repeat))
        if regressor == "none":
            predicted = features[test, 0] * (1 if higher_is_better else -1)
        else:
            inner = _state(6.6, seed, repeat)
            predict = _TRAINERS[regressor](features[train], mos[train], inner)
            predicted = predict(features[test])
        return {name: metric(predicted, mos[test]).value for name, metric in METRICS.items()}

    with ThreadPoolExecutor(num_threads) as pool:  # the solver lets go of the interpreter's lock
        for repeat, measured in enumerate(pool.map(judge, range(repeats))):
            for name, value in measured.items():
                values[name].append(value)
            if progress:
                progress(repeat + 1, repeats)
    return RepeatedResult(
        values=values,
        num_videos=len(mos),
        num_features=features.shape[1],
        regressor=regressor,
        protocol="random-80-20, " + ("published series" if seed is None else f"seed {seed}"),
    )


def train_svr(features: Matrix, mos: Vector, random_state: int) -> Callable[[Matrix], Vector]:
    """Fit a min-max scaled RBF SVR whose C and gamma are chosen on a fifth of the training part.

    Args:
        features: (N, D) training rows.
        mos: (N,) their labels.
        random_state: Draws the inner split.

    Returns:
        A function from (M, D) features to (M,) predictions.
    """
    from sklearn.svm import SVR  # the evaluation extra

    cost, gamma = _choose_svr(features, mos, random_state)
    scale = _min_max(features)
    model = SVR(C=cost, gamma=gamma).fit(scale(features), mos)

    def predict(rows: Matrix) -> Vector:
        predicted: Vector = model.predict(scale(rows))
        return predicted

    return predict


def train_ridge(features: Matrix, mos: Vector, random_state: int) -> Callable[[Matrix], Vector]:
    """Fit a standardized ridge regression whose strength is chosen by leave-one-out."""
    from sklearn.linear_model import RidgeCV  # the evaluation extra
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    del random_state  # leave-one-out draws nothing
    model = make_pipeline(StandardScaler(), RidgeCV(alphas=np.logspace(-3, 4, 15)))
    model.fit(features, mos)

    def predict(rows: Matrix) -> Vector:
        predicted: Vector = model.predict(rows)
        return predicted

    return predict


def _choose_svr(features: Matrix, mos: Vector, random_state: int) -> tuple[float, float]:
    from scipy.spatial.distance import cdist  # the evaluation extra
    from sklearn.svm import SVR

    inner, outer = _random_80_20(len(mos), random_state)
    scale = _min_max(features[inner])
    rows, held_out = scale(features[inner]), scale(features[outer])
    distances = cdist(rows, rows, "sqeuclidean"), cdist(held_out, rows, "sqeuclidean")
    best = (math.inf, SVR_COSTS[0], SVR_GAMMAS[0])
    for gamma in SVR_GAMMAS:
        kernel, cross_kernel = (np.exp(-gamma * distance) for distance in distances)
        lowest = math.inf
        for cost in SVR_COSTS:
            model = SVR(kernel="precomputed", C=cost).fit(kernel, mos[inner])
            error = float(np.mean((model.predict(cross_kernel) - mos[outer]) ** 2))
            best = min(best, (error, cost, gamma))
            if error >= lowest:
                break  # a larger C overfits more and takes longer
            lowest = error
    return best[1], best[2]


def _min_max(features: Matrix) -> Callable[[Matrix], Matrix]:
    low, high = features.min(axis=0), features.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    return lambda rows: (rows - low) / span


def _random_80_20(num_rows: int, random_state: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    from sklearn.model_selection import train_test_split  # the evaluation extra

    train, test = train_test_split(np.arange(num_rows), test_size=0.2, random_state=random_state)
    return train, test


def _state(step: float, seed: int | None, repeat: int) -> int:
    """Return the random state of a split: the published rule, or one drawn from a seed."""
    if seed is None:
        return math.ceil(step * (repeat + 1))
    return int(np.random.SeedSequence([seed, repeat, int(10 * step)]).generate_state(1)[0])


def _median_and_std(values: list[float]) -> dict[str, float | None]:
    defined = np.array([value for value in values if not math.isnan(value)])
    if not defined.size:
        return {"median": None, "std": None}
    return {"median": float(np.median(defined)), "std": float(defined.std())}


def _check(features: Matrix, mos: Vector, regressor: str, repeats: int) -> None:
    if regressor not in REGRESSORS:
        raise InvalidInputError(f"regressor {regressor!r}: known are {', '.join(REGRESSORS)}")
    if repeats < 1:
        raise InvalidInputError(f"{repeats} repeats: at least 1 split is needed")
    if features.shape[0] != len(mos):
        raise InvalidInputError(
            f"{features.shape[0]} rows of features do not pair with {len(mos)} labels; both must "
            "be in the order of the label file"
        )
    if len(mos) < 25:
        raise InvalidInputError(f"{len(mos)} videos are too few for 80:20 splits; 25 are needed")
    if regressor == "none" and features.shape[1] != 1:
        raise InvalidInputError(
            f"regressor none takes one column of scores, not {features.shape[1]} features"
        )


_TRAINERS = {"svr": train_svr, "ridge": train_ridge}
