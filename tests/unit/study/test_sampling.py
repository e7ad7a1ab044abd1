import numpy as np
import pytest

from finevq.errors import StudyError
from finevq.study.sampling import coverage, pick_diverse


def test_a_diverse_subset_spans_more_than_a_random_one() -> None:
    generator = np.random.default_rng(0)
    features = generator.normal(size=(300, 3))
    ours = coverage(features, pick_diverse(features, 20)).mean()
    chance = np.mean(
        [coverage(features, generator.choice(300, 20, replace=False)).mean() for _ in range(50)]
    )
    assert ours > 0.9 > chance


def test_every_source_is_used_before_any_is_used_again() -> None:
    features = np.random.default_rng(0).normal(size=(30, 2))
    sources = [f"s{index % 10}" for index in range(30)]
    picked = pick_diverse(features, 15, sources)
    assert len({sources[index] for index in picked[:10]}) == 10
    assert len(set(picked)) == 15


def test_a_constant_feature_does_not_matter() -> None:
    features = np.array([[0.0, 7.0], [1.0, 7.0], [10.0, 7.0]])
    assert set(pick_diverse(features, 2)) == {1, 2}


@pytest.mark.parametrize("count", [0, 4])
def test_an_impossible_number_is_refused(count: int) -> None:
    with pytest.raises(StudyError, match="allowed is 1 to 3"):
        pick_diverse(np.zeros((3, 1)), count)
