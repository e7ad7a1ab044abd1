import math

import numpy as np
import pytest

from finevq.evaluation.correlation import plcc, srcc
from finevq.evaluation.uncertainty import bootstrap_comparison, bootstrap_interval, williams_test


def _data(num=200, noise=0.5, seed=0):
    rng = np.random.default_rng(seed)
    mos = rng.normal(size=num)
    return mos + noise * rng.normal(size=num), mos


def test_the_interval_holds_the_estimate_and_shrinks_with_more_videos():
    widths = []
    for num in (50, 800):
        x, y = _data(num)
        interval = bootstrap_interval(srcc, x, y, rng=np.random.default_rng(1), num_resamples=300)
        assert interval.low < srcc(x, y).value < interval.high
        widths.append(interval.high - interval.low)
    assert widths[1] < widths[0] / 2


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    truth = 1 / math.sqrt(1 + 0.5**2)
    hits = 0
    for seed in range(60):
        x, y = _data(80, seed=seed)
        interval = bootstrap_interval(
            plcc, x, y, rng=np.random.default_rng(seed), num_resamples=200
        )
        hits += interval.low <= truth <= interval.high
    assert hits >= 60 * 0.85


def test_videos_of_one_source_widen_the_interval():
    x, y = _data(40, noise=1.0)
    many_x, many_y = np.repeat(x, 10), np.repeat(y, 10)
    sources = np.repeat(np.arange(40), 10).tolist()
    naive = bootstrap_interval(
        srcc, many_x, many_y, rng=np.random.default_rng(2), num_resamples=200
    )
    clustered = bootstrap_interval(
        srcc, many_x, many_y, rng=np.random.default_rng(2), clusters=sources, num_resamples=200
    )
    assert clustered.high - clustered.low > 2 * (naive.high - naive.low)


def test_the_same_generator_state_gives_the_same_interval():
    x, y = _data()
    one, two = (
        bootstrap_interval(srcc, x, y, rng=np.random.default_rng(5), num_resamples=50)
        for _ in range(2)
    )
    assert one == two


def test_a_constant_method_has_no_interval():
    _, y = _data()
    interval = bootstrap_interval(
        srcc, np.ones_like(y), y, rng=np.random.default_rng(0), num_resamples=20
    )
    assert math.isnan(interval.low)
    assert interval.num_resamples == 0


def test_williams_equals_a_published_worked_case():
    # psych::r.test(n=103, r12=.4, r13=.5, r23=.1) of R prints t = -0.8907, p = 0.37 (two-sided)
    comparison = williams_test(0.4, 0.5, 0.1, 103)
    assert comparison.difference == pytest.approx(-0.1)
    assert comparison.p_value == pytest.approx(0.375, abs=0.005)


def test_clear_differences_are_significant_and_equal_methods_are_not():
    good, mos = _data(300, noise=0.4)
    bad, _ = _data(300, noise=0.4)
    bad = bad + 2 * np.random.default_rng(9).normal(size=300)
    comparison = bootstrap_comparison(
        srcc, good, bad, mos, rng=np.random.default_rng(0), num_resamples=200
    )
    assert comparison.difference > 0.2
    assert comparison.p_value < 0.02
    same = bootstrap_comparison(
        srcc, good, good, mos, rng=np.random.default_rng(0), num_resamples=200
    )
    assert same.p_value == 1.0
    assert williams_test(0.9, 0.9, 1.0, 300).p_value == 1.0


def test_undefined_correlations_give_no_p_value():
    assert math.isnan(williams_test(math.nan, 0.5, 0.1, 100).p_value)
    assert math.isnan(williams_test(0.4, 0.5, 0.1, 3).p_value)


def test_clusters_must_fit():
    with pytest.raises(ValueError, match="2 clusters do not fit 200 videos"):
        bootstrap_interval(srcc, *_data(), rng=np.random.default_rng(0), clusters=["a", "b"])
