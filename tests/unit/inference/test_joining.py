"""Overall falls by what other dimensions lack, they by the worst, and levels go along."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import finevq
from conftest import ROOT
from finevq.datasets.degradations import labels
from finevq.errors import CheckpointError
from finevq.inference.joining import join_scores, moved_levels, with_needed_ratings
from finevq.inference.loading import NANO_FOLDER
from finevq.inference.population import Population
from finevq.model.config import FaultFallConfig, HaloConfig
from finevq.model.folder import read_config, write_config
from finevq.model.presets import nano
from finevq.prompts import questions
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, Dimension, level_index, levels_of

CONFIG = FaultFallConfig(below=45.0, halving=40.0, ruined=12.0)
HALO = HaloConfig(share=0.12)
NO_FALL, NO_HALO = FaultFallConfig(), HaloConfig()
OVERALL = questions.rating(Dimension.OVERALL)
RATINGS = [questions.rating(dimension) for dimension in DIMENSIONS]


def _lowered(overall: float, **others: float) -> float:
    scores = np.array([others.get(str(d), 70.0) for d in DIMENSIONS])
    scores[DIMENSIONS.index(Dimension.OVERALL)] = overall
    join_scores(scores, RATINGS, CONFIG, NO_HALO)
    return float(scores[DIMENSIONS.index(Dimension.OVERALL)])


def test_nothing_changes_where_nothing_is_clearly_bad():
    assert _lowered(60.0, blur=45.0, noise=50.0) == 60.0


def test_what_is_above_ruined_halves_with_each_so_many_points_that_are_lacking():
    assert _lowered(62.0, blur=5.0) == pytest.approx(37.0)
    assert _lowered(62.0, blur=25.0, noise=25.0) == pytest.approx(37.0)  # they add up
    assert _lowered(62.0, blur=5.0, noise=5.0) == pytest.approx(24.5)


def test_what_is_ruined_already_does_not_rise():
    assert _lowered(8.0, blur=0.0, noise=0.0) == 8.0


@given(st.lists(st.floats(0, 80), min_size=6, max_size=6), st.integers(0, 4), st.floats(0, 30))
def test_a_worse_dimension_never_raises_overall(scores: list[float], which: int, fall: float):
    before = np.array([scores, scores])
    before[1, DIMENSIONS.index(FAULT_DIMENSIONS[which])] -= fall
    join_scores(before, RATINGS, CONFIG, HALO)
    overall = before[:, DIMENSIONS.index(Dimension.OVERALL)]
    assert overall[1] <= overall[0] + 1e-9


def test_overall_alone_asks_for_the_others_and_others_alone_for_nothing():
    asked = with_needed_ratings([OVERALL], CONFIG, NO_HALO)
    assert asked[0] == OVERALL
    assert set(asked) == set(RATINGS)
    blur = [questions.rating(Dimension.BLUR)]
    assert with_needed_ratings(blur, CONFIG, NO_HALO) == blur
    assert with_needed_ratings([OVERALL], NO_FALL, HALO) == [OVERALL]
    scores = np.array([60.0])
    join_scores(scores, [OVERALL], NO_FALL, HALO)
    assert scores.tolist() == [60.0]


def _haloed(**scores: float) -> dict[str, float]:
    alone = np.array([scores.get(str(d), 74.0) for d in DIMENSIONS])
    join_scores(alone, RATINGS, NO_FALL, HALO)
    return dict(zip(map(str, DIMENSIONS), alone.tolist(), strict=True))


def test_dimensions_without_a_fault_fall_with_the_worst_and_artifact_does_not():
    joined = _haloed(blur=24.0, noise=70.0)
    assert joined["blur"] == 24.0
    assert joined["color"] == pytest.approx(74.0 - 0.12 * 50.0)
    # Half of what noise was said to lack itself is kept.
    assert joined["noise"] == pytest.approx(74.0 - 0.5 * 4.0 - 0.12 * 50.0)
    assert joined["artifact"] == 74.0
    assert joined["overall"] == 74.0


def test_the_halo_of_nano_is_the_one_that_its_labels_have():
    halo = nano(vocabulary_size=100, context_token_id=1).halo
    assert (halo.share, halo.clean) == (labels.HALO, labels.FINEVD_SCALE.clean)


def test_a_halo_on_what_is_no_dimension_is_refused_as_the_folder_is_read(tmp_path):
    config = nano(vocabulary_size=100, context_token_id=1)
    wrong = HaloConfig(share=0.1, dimensions=("colour",))  # type: ignore[arg-type]  # on purpose
    write_config(replace(config, halo=wrong), tmp_path)
    with pytest.raises(CheckpointError, match=r"halo\.dimensions.*'colour'"):
        read_config(tmp_path)


def test_a_dimension_with_a_fault_of_its_own_stays_and_between_there_is_a_passage():
    kept, halfway, moved = (_haloed(noise=noise)["noise"] for noise in (54.0, 57.0, 60.0))
    assert kept == 54.0
    assert halfway == pytest.approx(57.0 + 0.5 * (0.5 * 17.0 - 0.12 * 17.0))
    assert moved == pytest.approx(60.0 + 0.5 * 14.0 - 0.12 * 14.0)


@given(
    st.lists(st.floats(0, 80), min_size=6, max_size=6),
    st.integers(0, 4),
    st.floats(0, 30),
)
def test_a_worse_dimension_never_raises_itself_or_another(scores, which, fall):
    joined = np.array([scores, scores])
    joined[1, DIMENSIONS.index(FAULT_DIMENSIONS[which])] -= fall
    join_scores(joined, RATINGS, CONFIG, HALO)
    assert (joined[1] <= joined[0] + 1e-9).all()


def test_one_dimension_alone_asks_for_the_others_where_it_falls_with_them():
    blur = [questions.rating(Dimension.BLUR)]
    asked = with_needed_ratings(blur, NO_FALL, HALO)
    assert asked[0] == blur[0]
    assert set(asked) == set(RATINGS) - {OVERALL}
    artifact = [questions.rating(Dimension.ARTIFACT)]
    assert with_needed_ratings(artifact, NO_FALL, HALO) == artifact
    scores = np.array([24.0, *[74.0] * 4])
    join_scores(scores, [*artifact, *(r for r in asked if r not in artifact)], NO_FALL, HALO)
    assert scores == pytest.approx([24.0, *[68.0] * 4])


levels = st.lists(st.floats(0.001, 1), min_size=5, max_size=5)


@given(levels, st.floats(-120, 120))
def test_levels_that_moved_are_still_probabilities(weights: list[float], points: float):
    known = np.array([weights]) / sum(weights)
    moved = moved_levels(known, np.array([points]), (0.0, 100.0))
    assert (moved >= -1e-12).all()
    assert moved.sum() == pytest.approx(1.0)
    (higher,) = (moved - known) @ np.arange(5)
    assert higher * points >= -1e-9


def test_levels_stay_where_nothing_moved_and_go_a_whole_level_with_a_fifth_of_the_scale():
    known = np.array([[0.1, 0.2, 0.4, 0.2, 0.1]] * 3)
    moved = moved_levels(known, np.array([0.0, 20.0, -200.0]), (0.0, 100.0))
    np.testing.assert_allclose(moved[0], known[0])
    np.testing.assert_allclose(moved[1], [0.0, 0.1, 0.2, 0.4, 0.3], atol=1e-12)
    np.testing.assert_allclose(moved[2], [1, 0, 0, 0, 0], atol=1e-12)


def test_levels_share_the_ends_of_finevd():
    low, high = Population.finevd().span
    assert (low, high) == pytest.approx((9.8, 77.6), abs=0.05)


def test_nanos_word_for_overall_agrees_with_its_score(clips):
    """Real clips: the word and the fifth that the score lies in are the same or neighbours."""
    names = ("skv_carphone_distorted.mp4", "skv_carphone_pristine.mp4", "kadid_I01_01_05.png")
    words = levels_of(Dimension.OVERALL)
    span = Population.finevd().span
    for assessment in finevq.load("nano").assess_many([str(clips / name) for name in names]):
        overall = assessment.overall
        apart = words.index(overall.level) - level_index(overall.score, *span)
        assert abs(apart) <= 1, (assessment.video, overall)
        assert sum(overall.level_probabilities.values()) == pytest.approx(1.0)


def test_asked_alone_overall_is_what_an_assessment_says(clips):
    session = finevq.load("nano")
    path = str(clips / "skv_carphone_distorted.mp4")
    said = session.assess(path).overall.score
    answer = session.ask(path, questions.scoring(Dimension.OVERALL).text)
    assert f"{said:.1f}" in answer or f"{said:.2f}" in answer, (said, answer)


def test_a_folder_whose_configuration_has_a_halo_is_joined_by_it(tmp_path):
    folder = shutil.copytree(NANO_FOLDER, tmp_path / "nano")
    config = read_config(folder)
    write_config(replace(config, halo=HaloConfig()), folder)
    clip = str(ROOT / "examples" / "media" / "sample.mp4")
    alone = finevq.load(str(folder)).assess(clip).dimensions
    write_config(replace(config, halo=HALO), folder)
    session = finevq.load(str(folder))
    joined = session.assess(clip).dimensions
    expected = np.array([alone[d].score for d in DIMENSIONS])
    join_scores(expected, RATINGS, NO_FALL, HALO)
    assert [joined[d].score for d in DIMENSIONS] == pytest.approx(expected.tolist(), abs=1e-4)
    assert joined[Dimension.OVERALL].score == alone[Dimension.OVERALL].score
    assert joined[Dimension.NOISE].score > alone[Dimension.NOISE].score + 0.5
    # One dimension alone is joined with the others, too.
    answer = session.ask(clip, questions.rating(Dimension.NOISE).text)
    assert joined[Dimension.NOISE].level in answer
