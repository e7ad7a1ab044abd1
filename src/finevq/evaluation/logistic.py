"""The monotonic map from a method's scale to the MOS scale, fitted before PLCC and RMSE.

The fit starts from several points, runs on standardized data and falls back to the best straight
line, so it always returns a map that is at least as good as linear regression.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from finevq.evaluation.measure import Vector

_MAX_EVALUATIONS = 200


@dataclass(frozen=True, slots=True)
class LogisticMap:
    """A fitted map; call it with raw predictions."""

    parameters: tuple[float, ...]
    """In standardized units; empty for the straight line."""
    line: tuple[float, float]
    """Slope and intercept of the straight line in standardized units."""
    input_scale: tuple[float, float]
    """Mean and standard deviation of the raw predictions."""
    output_scale: tuple[float, float]
    """Mean and standard deviation of the labels."""

    @property
    def is_linear(self) -> bool:
        """Whether no logistic curve did better than the straight line."""
        return not self.parameters

    def __call__(self, predictions: Vector) -> Vector:
        """Map raw predictions (N,) to the label scale (N,)."""
        x = (predictions - self.input_scale[0]) / self.input_scale[1]
        if self.is_linear:
            y = self.line[0] * x + self.line[1]
        else:
            y = _CURVES[len(self.parameters)](x, *self.parameters)
        mapped: Vector = y * self.output_scale[1] + self.output_scale[0]
        return mapped


def fit_logistic(predictions: Vector, mos: Vector, *, num_parameters: int = 4) -> LogisticMap:
    """Fit a 4- or 5-parameter logistic by least squares.

    Args:
        predictions: (N,) finite, not constant.
        mos: (N,) finite, not constant.
        num_parameters: 4 or 5.

    Raises:
        ValueError: another number of parameters.

    Source: 4 parameters: VQEG HDTV report 2010, annex D; 5 parameters: Sheikh, Sabir, Bovik, "A
    statistical evaluation of recent full reference image quality assessment algorithms", 2006.
    """
    from scipy import optimize  # the evaluation extra

    if num_parameters not in _CURVES:
        raise ValueError(f"{num_parameters} parameters: only 4 and 5 are known logistic forms")
    input_scale = (float(predictions.mean()), float(predictions.std()))
    output_scale = (float(mos.mean()), float(mos.std()))
    x = (predictions - input_scale[0]) / input_scale[1]
    y = (mos - output_scale[0]) / output_scale[1]
    slope = float(np.mean(x * y))
    best_error = float(np.sum((slope * x - y) ** 2))
    best: tuple[float, ...] = ()
    curve = _CURVES[num_parameters]
    for start in _starts(x, y, num_parameters):
        found = optimize.least_squares(  # type: ignore[operator]  # scipy ships no types
            lambda p: curve(x, *p) - y, start, method="trf", max_nfev=_MAX_EVALUATIONS
        )
        error = float(np.sum(found.fun**2))
        if np.isfinite(error) and error < best_error - 1e-12:
            best_error, best = error, tuple(float(value) for value in found.x)
    return LogisticMap(best, (slope, 0.0), input_scale, output_scale)


def _four(x: Vector, upper: float, lower: float, middle: float, width: float) -> Vector:
    rising = _sigmoid((x - middle) / (np.abs(width) + 1e-6))
    curve: Vector = lower + (upper - lower) * rising
    return curve


def _five(x: Vector, b1: float, b2: float, b3: float, b4: float, b5: float) -> Vector:
    curve: Vector = b1 * (_sigmoid(b2 * (x - b3)) - 0.5) + b4 * x + b5
    return curve


def _sigmoid(x: Vector) -> Vector:
    from scipy.special import expit  # the evaluation extra

    result: Vector = expit(x)
    return result


def _starts(x: Vector, y: Vector, num_parameters: int) -> Iterator[tuple[float, ...]]:
    top, bottom = float(y.max()), float(y.min())
    rises = float(np.dot(x, y)) >= 0
    ends = (top, bottom) if rises else (bottom, top)
    if num_parameters == 4:
        yield (*ends, 0.0, 0.5)
        yield (*ends, float(np.median(x)), 2.0)
    else:
        direction = 1.0 if rises else -1.0
        yield (top - bottom, direction, 0.0, 0.0, 0.0)
        yield (top - bottom, 0.3 * direction, float(np.median(x)), direction * 0.5, 0.0)


_CURVES: dict[int, Callable[..., Vector]] = {4: _four, 5: _five}
