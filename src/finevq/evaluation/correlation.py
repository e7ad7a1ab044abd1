"""Agreement of predicted scores with MOS: SRCC, KRCC, PLCC, RMSE, residual and pairwise forms.

Pure functions of two series. Ties get average ranks (SRCC) and tau-b (KRCC); NaN and constant
input give an undefined `Measure`, never 0.
"""

import numpy as np
from numpy.typing import ArrayLike

from finevq.evaluation.logistic import fit_logistic
from finevq.evaluation.measure import Measure, Vector, paired, undefined, why_not_comparable


def srcc(predictions: ArrayLike, mos: ArrayLike) -> Measure:
    """Return Spearman's rank correlation, ties at their average rank.

    >>> round(srcc([1, 2, 3, 4], [1, 2, 4, 3]).value, 3)
    0.8
    >>> srcc([5, 5, 5], [1, 2, 3]).undefined_because
    'predictions are constant'
    """
    x, y = paired(predictions, mos)
    if reason := why_not_comparable(x, y, at_least=2):
        return undefined(reason)
    return Measure(_pearson(ranks(x), ranks(y)))


def krcc(predictions: ArrayLike, mos: ArrayLike) -> Measure:
    """Return Kendall's tau-b: concordant minus discordant pairs, corrected for ties.

    >>> round(krcc([1, 2, 3, 4], [1, 2, 4, 3]).value, 3)
    0.667
    """
    from scipy.stats import kendalltau  # the evaluation extra

    x, y = paired(predictions, mos)
    if reason := why_not_comparable(x, y, at_least=2):
        return undefined(reason)
    return Measure(float(kendalltau(x, y, variant="b").statistic))


def plcc(predictions: ArrayLike, mos: ArrayLike) -> Measure:
    """Return Pearson's correlation of the raw predictions.

    >>> plcc([1, 2, 3], [3, 2, 1]).value
    -1.0
    """
    x, y = paired(predictions, mos)
    if reason := why_not_comparable(x, y, at_least=2):
        return undefined(reason)
    return Measure(_pearson(x, y))


def plcc_fitted(predictions: ArrayLike, mos: ArrayLike, *, num_parameters: int = 4) -> Measure:
    """Return Pearson's correlation after a logistic map of the predictions onto the MOS scale.

    The field's usual PLCC: only the shape of the scale is forgiven, not the order.

    Args:
        predictions: (N,) scores of any scale and direction.
        mos: (N,) labels.
        num_parameters: 4 (VQEG) or 5 (Sheikh et al. 2006).
    """
    x, y = paired(predictions, mos)
    if reason := why_not_comparable(x, y, at_least=num_parameters + 1):
        return undefined(reason)
    x, y = _unit(x), _unit(y)
    fitted = fit_logistic(x, y, num_parameters=num_parameters)(x)
    if np.ptp(fitted) == 0:
        return undefined("the logistic fit is constant: predictions do not follow the labels")
    return Measure(_pearson(fitted, y))


def rmse(predictions: ArrayLike, mos: ArrayLike) -> Measure:
    """Return the root mean squared error, in units of the labels.

    >>> rmse([1, 2], [1, 4]).value
    1.4142135623730951
    """
    x, y = paired(predictions, mos)
    if not x.size:
        return undefined("0 pairs are too few: at least 1 is needed")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return undefined(why_not_comparable(x, y, at_least=1))
    return Measure(float(np.sqrt(np.mean((x - y) ** 2))))


def rmse_fitted(predictions: ArrayLike, mos: ArrayLike, *, num_parameters: int = 4) -> Measure:
    """Return the RMSE after the logistic map, in units of the labels."""
    x, y = paired(predictions, mos)
    if reason := why_not_comparable(x, y, at_least=num_parameters + 1):
        return undefined(reason)
    return rmse(fit_logistic(x, y, num_parameters=num_parameters)(x), y)


def residual_srcc(predictions: ArrayLike, mos: ArrayLike, overall_mos: ArrayLike) -> Measure:
    """Return how well predictions rank what the overall MOS does not already tell.

    Both series are regressed (least squares, with intercept) on the overall MOS, and the residuals
    are rank-correlated. A method that gives the overall score for every dimension has no residual
    order: its value is near 0, or undefined where it equals the overall MOS exactly.

    Args:
        predictions: (N,) scores of a dimension.
        mos: (N,) MOS of that dimension.
        overall_mos: (N,) overall MOS of the same videos.
    """
    x, y = paired(predictions, mos)
    _, control = paired(x, overall_mos)
    if reason := why_not_comparable(x, y, at_least=4):
        return undefined(reason)
    if reason := why_not_comparable(control, y, at_least=4):
        return undefined(reason.replace("predictions", "overall MOS"))
    x, y, control = _unit(x), _unit(y), _unit(control)
    left, right = _residual(x, control), _residual(y, control)
    for name, rest, whole in (("predictions", left, x), ("labels", right, y)):
        if np.std(rest) <= 1e-9 * np.std(whole):
            return undefined(f"{name} are a linear function of the overall MOS")
    return srcc(left, right)


def partial_srcc(predictions: ArrayLike, mos: ArrayLike, overall_mos: ArrayLike) -> Measure:
    """Return Spearman's partial correlation given the overall MOS (residuals of ranks).

    Source: Conover, Practical Nonparametric Statistics, 1999, section 5.4.
    """
    x, y = paired(predictions, mos)
    _, control = paired(x, overall_mos)
    if reason := why_not_comparable(x, y, at_least=4):
        return undefined(reason)
    if reason := why_not_comparable(control, y, at_least=4):
        return undefined(reason.replace("predictions", "overall MOS"))
    r_xy, r_xz, r_yz = srcc(x, y).value, srcc(x, control).value, srcc(y, control).value
    spread = (1 - r_xz**2) * (1 - r_yz**2)
    if spread <= 1e-12:
        return undefined("predictions or labels have the same order as the overall MOS")
    return Measure(float(np.clip((r_xy - r_xz * r_yz) / np.sqrt(spread), -1, 1)))


def pairwise_accuracy(
    predictions: ArrayLike, mos: ArrayLike, *, min_difference: float = 0.0
) -> Measure:
    """Return the share of video pairs that the predictions put in the right order.

    Pairs whose MOS differ by no more than `min_difference` are not counted; a tie of predictions
    counts half.

    >>> pairwise_accuracy([1, 2, 2], [1, 2, 3]).value
    0.8333333333333334
    """
    x, y = paired(predictions, mos)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return undefined(why_not_comparable(x, y, at_least=2))
    right, counted = 0.0, 0
    for index in range(x.size - 1):  # row by row: N x N would not fit for LSVQ's 28,000 videos
        with np.errstate(over="ignore"):  # an infinite gap has a sign too
            gap, step = y[index + 1 :] - y[index], x[index + 1 :] - x[index]
        matters = np.abs(gap) > min_difference
        agreement = np.sign(step) * np.sign(gap)
        right += float(np.sum((1 + agreement[matters]) / 2))
        counted += int(np.sum(matters))
    if not counted:
        return undefined(f"no pair of videos differs by more than {min_difference:g} in MOS")
    return Measure(right / counted)


def ranks(values: Vector) -> Vector:
    """Return ranks 1..N, ties at their average.

    >>> ranks(np.array([10.0, 30.0, 10.0])).tolist()
    [1.5, 3.0, 1.5]
    """
    from scipy.stats import rankdata  # the evaluation extra

    result: Vector = rankdata(values)
    return result


def _unit(values: Vector) -> Vector:
    """Return values with a largest magnitude of 1, so that no product overflows or vanishes."""
    unit: Vector = values / np.abs(values).max()
    return unit


def _pearson(x: Vector, y: Vector) -> float:
    x, y = _unit(x), _unit(y)
    a, b = x - x.mean(), y - y.mean()
    a, b = a / np.abs(a).max(), b / np.abs(b).max()  # keeps huge and tiny scales exact
    return float(np.clip(np.dot(a, b) / np.sqrt(np.dot(a, a) * np.dot(b, b)), -1, 1))


def _residual(values: Vector, control: Vector) -> Vector:
    centred = control - control.mean()
    slope = np.dot(centred, values - values.mean()) / np.dot(centred, centred)
    residual: Vector = values - values.mean() - slope * centred
    return residual
