import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from finevq.evaluation.correlation import (
    krcc,
    pairwise_accuracy,
    partial_srcc,
    plcc,
    plcc_fitted,
    residual_srcc,
    rmse,
    rmse_fitted,
    srcc,
)

_series = st.lists(
    st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=8, max_size=60
).filter(lambda rows: len({a for a, _ in rows}) > 1 and len({b for _, b in rows}) > 1)


@settings(deadline=None)
@given(_series)
def test_srcc_krcc_and_plcc_equal_scipy_with_ties(rows):
    x, y = np.array(rows, dtype=float).T
    assert srcc(x, y).value == pytest.approx(stats.spearmanr(x, y).statistic, abs=1e-9)
    assert krcc(x, y).value == pytest.approx(stats.kendalltau(x, y).statistic, abs=1e-9)
    assert plcc(x, y).value == pytest.approx(stats.pearsonr(x, y).statistic, abs=1e-9)


@settings(deadline=None)
@given(_series)
def test_rank_metrics_ignore_monotonic_maps_and_change_sign_with_direction(rows):
    x, y = np.array(rows, dtype=float).T
    for metric in (srcc, krcc):
        assert metric(np.exp(x / 10), y).value == pytest.approx(metric(x, y).value, abs=1e-9)
        assert metric(-x, y).value == pytest.approx(-metric(x, y).value, abs=1e-9)


@settings(deadline=None)
@given(_series)
def test_pairwise_accuracy_is_tau_seen_from_the_label_pairs_that_differ(rows):
    x, y = np.array(rows, dtype=float).T
    right, counted = 0.0, 0
    for i in range(len(x)):
        for j in range(i):
            if y[i] != y[j]:
                counted += 1
                agreement = (x[i] - x[j]) * (y[i] - y[j])
                right += 1.0 if agreement > 0 else 0.5 if agreement == 0 else 0.0
    assert pairwise_accuracy(x, y).value == pytest.approx(right / counted)


@settings(max_examples=25, deadline=None)
@given(_series)
def test_the_logistic_fit_is_never_worse_than_a_straight_line(rows):
    x, y = np.array(rows, dtype=float).T
    line = np.polyval(np.polyfit(x, y, 1), x)
    for count in (4, 5):
        assert rmse_fitted(x, y, num_parameters=count).value <= rmse(line, y).value + 1e-6


@pytest.mark.parametrize("count", [4, 5])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("direction", [1, -1])
def test_the_logistic_fit_finds_a_logistic_on_any_scale_and_direction(count, scale, direction):
    x = np.linspace(-3, 3, 80)
    y = 20 + 60 / (1 + np.exp(-2 * (x - 0.4)))
    assert plcc_fitted(direction * scale * x, y, num_parameters=count).value > 0.999
    assert rmse_fitted(direction * scale * x, y, num_parameters=count).value < 0.6


def test_an_outlier_does_not_break_the_logistic_fit():
    x = np.array([*np.linspace(0, 1, 40), 1e9])
    y = np.array([*np.linspace(1, 5, 40), 5.0])
    assert 0 < plcc_fitted(x, y).value <= 1


def test_an_unknown_logistic_form_is_refused():
    with pytest.raises(ValueError, match="only 4 and 5"):
        plcc_fitted(range(20), range(20), num_parameters=3)


@pytest.mark.parametrize("metric", [srcc, krcc, plcc, plcc_fitted])
def test_constant_predictions_are_undefined_with_the_reason(metric):
    measure = metric([3.0] * 8, range(8))
    assert math.isnan(measure.value)
    assert measure.undefined_because == "predictions are constant"
    assert metric(range(8), [3.0] * 8).undefined_because == "labels are constant"


@pytest.mark.parametrize("metric", [srcc, krcc, plcc, plcc_fitted, rmse, pairwise_accuracy])
def test_nan_is_reported_not_dropped(metric):
    measure = metric([1, 2, float("nan"), 4, 5, 6, 7], range(7))
    assert math.isnan(measure.value)
    assert "1 of 7 pairs" in measure.undefined_because
    assert measure.to_json() is None


@pytest.mark.parametrize("metric", [srcc, krcc, plcc, plcc_fitted, pairwise_accuracy])
def test_too_few_pairs_are_undefined(metric):
    assert not metric([1.0], [1.0]).is_defined


def test_different_lengths_are_the_callers_mistake():
    with pytest.raises(ValueError, match="3 predictions do not pair with 2 labels"):
        srcc([1, 2, 3], [1, 2])


def test_partial_srcc_equals_the_correlation_of_rank_residuals():
    rng = np.random.default_rng(3)
    overall = rng.normal(size=200)
    x, y = overall + rng.normal(size=200), overall + rng.normal(size=200)
    rank_x, rank_y, rank_z = (stats.rankdata(v) for v in (x, y, overall))
    left = rank_x - np.polyval(np.polyfit(rank_z, rank_x, 1), rank_z)
    right = rank_y - np.polyval(np.polyfit(rank_z, rank_y, 1), rank_z)
    expected = stats.pearsonr(left, right).statistic
    assert partial_srcc(x, y, overall).value == pytest.approx(expected, abs=1e-9)


def test_the_overall_score_has_no_residual_order():
    rng = np.random.default_rng(4)
    overall = rng.normal(50, 10, size=300)
    dimension = overall + rng.normal(0, 3, size=300)
    assert srcc(overall, dimension).value > 0.9
    assert "linear function" in residual_srcc(overall, dimension, overall).undefined_because
    noisy = overall + rng.normal(0, 3, size=300)
    assert abs(residual_srcc(noisy, dimension, overall).value) < 0.15
    informed = dimension + rng.normal(0, 1, size=300)
    assert residual_srcc(informed, dimension, overall).value > 0.8


def test_pairs_closer_than_the_threshold_are_not_counted():
    assert pairwise_accuracy([2, 1, 9], [1.0, 1.1, 5.0], min_difference=0.5).value == 1.0
    assert not pairwise_accuracy([1, 2], [1.0, 1.1], min_difference=0.5).is_defined


_anything = st.lists(
    st.tuples(*[st.floats(allow_nan=True, allow_infinity=True) | st.integers(-3, 3)] * 3),
    max_size=12,
)
_METRICS_OF_TWO = (srcc, krcc, plcc, plcc_fitted, pairwise_accuracy)


@settings(max_examples=60, deadline=None)
@given(_anything)
def test_whatever_comes_in_a_number_in_range_or_a_reason_comes_out(rows):
    x, y, z = np.array(rows, dtype=float).reshape(-1, 3).T
    measures = [metric(x, y) for metric in _METRICS_OF_TWO]
    measures += [residual_srcc(x, y, z), partial_srcc(x, y, z)]
    for measure in measures:
        assert measure.is_defined == math.isfinite(measure.value)
        assert not measure.is_defined or -1 <= measure.value <= 1


@settings(max_examples=30, deadline=None)
@given(_series, st.randoms(use_true_random=False))
def test_the_order_of_videos_does_not_matter(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    for metric in (srcc, krcc, plcc, pairwise_accuracy):
        one, two = (metric(*np.array(r, dtype=float).T) for r in (rows, mixed))
        assert one.is_defined == two.is_defined
        assert not one.is_defined or one.value == pytest.approx(two.value, abs=1e-9)
