import numpy as np
import pytest
from scipy import stats

from finevq.study.screening import kurtosis_of, outlier_sides, screen_subjects


def test_kurtosis_equals_scipys() -> None:
    values = np.random.default_rng(0).normal(size=40)
    assert kurtosis_of(values) == pytest.approx(stats.kurtosis(values, fisher=False))
    assert np.isnan(kurtosis_of(np.full(5, 3.3)))


def _study_with_a_spammer() -> np.ndarray:
    generator = np.random.default_rng(4)
    quality = generator.integers(1, 6, (80, 1))
    votes = np.clip(quality + generator.integers(-1, 2, (80, 20)), 1, 5).astype(float)
    votes[:, 7] = generator.integers(1, 6, 80)
    return votes[:, :, None]


def test_a_random_voter_is_rejected_and_nobody_else() -> None:
    screening = screen_subjects(_study_with_a_spammer(), count_unanimous=False)
    assert np.flatnonzero(screening.rejected).tolist() == [7]


def test_one_who_saw_little_is_judged_by_what_he_saw() -> None:
    votes = _study_with_a_spammer()
    votes[30:, 7] = np.nan
    by_all = screen_subjects(votes, count_unanimous=False)
    by_own = screen_subjects(votes, count_unanimous=False, by_votes_given=True)
    assert by_own.outlier_share[7] == pytest.approx(by_all.outlier_share[7] * 80 / 30)


def test_equal_votes_are_outliers_only_by_the_letter() -> None:
    votes = np.full((3, 4, 1), 5.0)
    high, low = outlier_sides(votes)
    assert high.all()
    assert low.all()
    assert not screen_subjects(votes).rejected.any()
    high, low = outlier_sides(votes, count_unanimous=False)
    assert not high.any()
    assert not low.any()
