import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from finevq.errors import StudyError
from finevq.study.mos import CI95_FACTOR, METHODS, differential, estimate, zscores_of
from finevq.study.vote_files import SINGLE_DIMENSION, read_votes
from finevq.study.votes import VoteTable

SUREAL_MODELS = {
    "mos": "MosModel",
    "bt500": "SubjrejMosModel",
    "zscore": "ZscoringMosModel",
    "zscore-bt500": "ZscoringSubjrejMosModel",
    "bias": "BiasremvMosModel",
    "bias-bt500": "BiasremvSubjrejMosModel",
    "mle": "SubjectMLEModelProjectionSolver2",
}


@pytest.mark.parametrize("method", SUREAL_MODELS)
@pytest.mark.parametrize("study", ["nflx_public", "nflx_public_with_outliers"])
def test_results_equal_sureals_published_ones(shared: Path, study: str, method: str) -> None:
    folder = shared / "data" / "subjective"
    golden = json.loads((folder / "sureal_golden.json").read_text())[study][SUREAL_MODELS[method]]
    table = read_votes(folder / f"{study}_votes.csv")[SINGLE_DIMENSION]
    ours = estimate(table.votes, method)
    # The golden numbers are rounded to six decimals.
    tolerance = 1e-4 if method == "mle" else 1e-6
    np.testing.assert_allclose(ours.quality, golden["quality_scores"], rtol=0, atol=tolerance)
    half_width = CI95_FACTOR * ours.standard_error
    np.testing.assert_allclose(half_width, golden["quality_scores_ci95"][0], rtol=0, atol=tolerance)
    if "observer_bias" in golden:
        np.testing.assert_allclose(ours.bias, golden["observer_bias"], rtol=0, atol=tolerance)
    if "observer_inconsistency" in golden:
        np.testing.assert_allclose(
            ours.inconsistency, golden["observer_inconsistency"], rtol=0, atol=tolerance
        )
    rejected = golden.get("observer_rejected", [0.0] * len(table.subjects))
    assert ours.rejected.tolist() == [bool(value) for value in rejected]


def _planted(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    quality = generator.uniform(20, 80, 120)
    bias = generator.normal(0, 6, 25)
    bias -= bias.mean()
    inconsistency = generator.uniform(2, 9, 25)
    noise = generator.normal(size=(120, 25)) * inconsistency
    return (quality[:, None] + bias + noise)[:, :, None], quality, bias, inconsistency


def test_maximum_likelihood_recovers_planted_truth_with_missing_votes() -> None:
    votes, quality, bias, inconsistency = _planted()
    votes[np.random.default_rng(2).random(votes.shape) < 0.3] = np.nan
    ours = estimate(votes, "mle")
    assert np.abs(ours.bias - bias).max() < 3
    assert np.corrcoef(ours.inconsistency, inconsistency)[0, 1] > 0.9
    error_mle = np.sqrt(np.mean((ours.quality - quality) ** 2))
    error_mos = np.sqrt(np.mean((estimate(votes, "mos").quality - quality) ** 2))
    assert error_mle < error_mos


def test_intervals_cover_the_planted_truth_about_95_times_in_100() -> None:
    votes, quality, _, _ = _planted()
    ci95 = estimate(votes, "mle").ci95
    covered = np.mean((ci95[:, 0] <= quality) & (quality <= ci95[:, 1]))
    assert 0.85 < covered <= 1.0


def test_a_constant_subject_has_no_zscore_and_harms_nobody() -> None:
    votes = np.array([[1.0, 3.3, 2.0], [4.0, 3.3, 5.0], [2.0, 3.3, 2.0]])[:, :, None]
    assert np.isnan(zscores_of(votes)[:, 1]).all()
    with_constant = estimate(votes, "zscore").quality
    np.testing.assert_allclose(with_constant, estimate(votes[:, [0, 2]], "zscore").quality)


@pytest.mark.parametrize("method", ["bt500", "bias-bt500"])
def test_one_who_never_voted_does_not_stand_in_for_all_who_would_be_rejected(method: str) -> None:
    everybody = np.array([[5.0, 5.0], [1.0, 2.0], [2.0, 3.0]])[:, :, None]
    with_absent = np.concatenate([everybody, np.full((3, 1, 1), np.nan)], axis=1)
    ours = estimate(with_absent, method)
    assert not ours.rejected.any()
    np.testing.assert_array_equal(ours.quality, estimate(everybody, method).quality)


@pytest.mark.parametrize("method", METHODS)
def test_the_interval_of_a_single_vote_is_unknown(method: str) -> None:
    votes = np.array([[1.0, 2.0], [4.0, np.nan], [2.0, 3.0]])[:, :, None]
    assert np.isnan(estimate(votes, method).ci95[1]).all()


def test_the_papers_way_maps_zscores_to_0_100_and_drops_outlying_votes() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(1, 6, 60).astype(float)
    votes = np.clip(truth[:, None] + generator.integers(-1, 2, (60, 22)), 1, 5)[:, :, None]
    votes[5, 3] = 1.0 if truth[5] >= 3 else 5.0
    ours = estimate(votes, "finevd")
    assert 0 < ours.quality.min() < ours.quality.max() < 100
    assert abs(ours.quality.mean() - 50) < 3
    assert ours.num_outliers >= 1
    assert ours.num_votes.sum() == 60 * 22 - ours.num_outliers


def test_unanimous_stimuli_are_no_outliers_in_the_papers_way() -> None:
    votes = np.full((10, 6, 1), 3.0)
    votes[:5] = 4.0
    assert estimate(votes, "finevd").num_outliers == 0


def test_dmos_is_relative_to_the_hidden_reference() -> None:
    table = VoteTable(
        stimuli=("a", "a_low", "b", "b_low"),
        references=("a", "a", "b", "b"),
        subjects=("1", "2"),
        votes=np.array([[4.0, 5.0], [2.0, 3.0], [3.0, 3.0], [1.0, 2.0]])[:, :, None],
    )
    quality = estimate(differential(table).votes, "mos").quality
    np.testing.assert_allclose(quality, [5.0, 3.0, 5.0, 3.5])


def test_dmos_without_the_reference_names_the_orphans() -> None:
    table = VoteTable(
        stimuli=("a_low",), references=("a",), subjects=("1",), votes=np.ones((1, 1, 1))
    )
    with pytest.raises(StudyError, match="no hidden reference among the stimuli for a_low"):
        differential(table)


def test_an_unknown_method_names_the_known_ones() -> None:
    with pytest.raises(StudyError, match="no method 'best'; there are mos, bt500"):
        estimate(np.ones((1, 1, 1)), "best")


@pytest.mark.parametrize("method", METHODS)
def test_a_study_without_subjects_has_no_quality_yet(method: str) -> None:
    ours = estimate(np.empty((3, 0, 1)), method)
    assert np.isnan(ours.quality).all()
    assert ours.rejected.shape == (0,)


@given(
    arrays(
        np.float64,
        st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 2)),
        elements=st.sampled_from([1.0, 2.0, 3.0, 4.0, 5.0, np.nan]),
    ),
    st.sampled_from(sorted(METHODS)),
)
def test_any_hole_in_the_table_is_survived_without_a_warning(
    votes: np.ndarray, method: str
) -> None:
    ours = estimate(votes, method)
    assert ours.quality.shape == (votes.shape[0],)
    assert ours.rejected.shape == (votes.shape[1],)
    seen = (~np.isnan(votes)).any(axis=(1, 2))
    assert np.isnan(ours.quality[~seen]).all()
    if method in {"mos", "mle", "bias"}:
        assert not np.isnan(ours.quality[seen]).any()
