import numpy as np
import pytest
from scipy import stats

from finevq.study.agreement import (
    agreement_of,
    half_widths,
    krippendorff_alpha,
    power_curve,
    sos_parameter,
    student_quantile,
    subjects_needed,
)
from finevq.study.votes import VoteTable

# Krippendorff (2011), section D: four observers, twelve units, missing values.
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, np.nan, np.nan, np.nan],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, np.nan, 3],
        [np.nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, np.nan],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, np.nan],
    ]
).T


def test_alpha_equals_krippendorffs_own_example() -> None:
    assert krippendorff_alpha(KRIPPENDORFF, "ordinal") == pytest.approx(0.815, abs=5e-4)
    assert krippendorff_alpha(KRIPPENDORFF, "interval") == pytest.approx(0.849, abs=5e-4)


def test_random_votes_have_no_agreement() -> None:
    votes = np.random.default_rng(0).integers(1, 6, (400, 8)).astype(float)
    assert abs(krippendorff_alpha(votes, "ordinal")) < 0.05


@pytest.mark.parametrize("degrees", [1, 2, 3, 5, 10, 21, 100])
def test_students_quantile_equals_scipys(degrees: int) -> None:
    assert student_quantile(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=4e-3)


def test_half_widths_shrink_with_the_square_root_of_subjects() -> None:
    votes = np.random.default_rng(0).normal(3, 1, (50, 20, 1))
    curve = dict(power_curve(votes, (20, 80)))
    assert curve[20] == pytest.approx(half_widths(votes).mean(), rel=1e-6)
    assert 1.9 < curve[20] / curve[80] < 2.2
    needed = subjects_needed(votes, 0.3)
    assert needed is not None
    widths = dict(power_curve(votes, (needed - 1, needed)))
    assert widths[needed] <= 0.3 < widths[needed - 1]


def test_sos_is_recovered() -> None:
    mean = np.linspace(1.5, 4.5, 30)
    half = np.sqrt(0.2 * (mean - 1) * (5 - mean) / 2)
    votes = np.stack([mean - half, mean + half], axis=1)[:, :, None]
    assert sos_parameter(votes, (1, 5)) == pytest.approx(0.2)


def test_repeats_tell_how_well_subjects_agree_with_themselves() -> None:
    generator = np.random.default_rng(0)
    first = generator.integers(1, 6, (30, 5)).astype(float)
    votes = np.stack([first, np.clip(first + 1, 1, 5)], axis=2)
    table = VoteTable(
        stimuli=tuple(map(str, range(30))), subjects=tuple(map(str, range(5))), votes=votes
    )
    statistics = agreement_of(table, (1, 5))
    assert statistics.repeat_difference == pytest.approx(np.abs(votes[..., 1] - first).mean())
    assert statistics.repeat_correlation > 0.8
    assert None not in statistics.to_dict().values()


def test_without_repeats_it_says_nothing_about_them() -> None:
    table = VoteTable(stimuli=("a",), subjects=("1",), votes=np.ones((1, 1, 1)))
    assert agreement_of(table, (1, 5)).to_dict()["repeat_difference"] is None
