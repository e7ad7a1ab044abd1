import json

import pytest

from finevq.datasets.questions import AskedQuestion
from finevq.errors import VideoDecodeError
from finevq.evaluation.assessments import Answerer, AssessmentSource, answer_from, features_from
from finevq.records import (
    Assessment,
    AttributeEstimate,
    Clip,
    DimensionAssessment,
    Failure,
    MediaInfo,
    ModelIdentity,
)
from finevq.scorer import Scorer
from finevq.vocabulary import ATTRIBUTES, DIMENSIONS, Dimension, levels_of


def _assessment(path: str) -> Assessment:
    """A report whose numbers are chosen here, so that answers can be worked out by hand."""
    parts = {
        d: DimensionAssessment(
            score=50.0 + place,
            level=levels_of(d)[2],
            level_probabilities=dict.fromkeys(levels_of(d), 0.2),
            percentile=50.0,
            distorted=None if d is Dimension.OVERALL else d is Dimension.BLUR,
            distorted_probability=None
            if d is Dimension.OVERALL
            else (0.9 if d is Dimension.BLUR else 0.2),
            attributes=tuple(
                AttributeEstimate(name, 0.6 if name == "motion blur" else 0.1)
                for name in ATTRIBUTES.get(d, ())
            ),
        )
        for place, d in enumerate(DIMENSIONS)
    }
    media = MediaInfo(
        codec="h264", width=64, height=48, fps=25.0, num_frames=10, duration_seconds=0.4,
        rotation_degrees=0, pixel_format="yuv420p",
    )  # fmt: skip
    return Assessment(
        video=path,
        model=ModelIdentity("known", "1"),
        dimensions=parts,
        most_impactful="blur",
        most_impactful_probabilities={"blur": 0.6, "noise": 0.1, "none": 0.3},
        description="",
        media=media,
        seconds={},
    )


@pytest.fixture
def source(tmp_path):
    asked = []

    def assess(path: str) -> Assessment:
        asked.append(path)
        if "broken" in path:
            raise VideoDecodeError("no frame")
        return _assessment(path)

    made = AssessmentSource(assess, name="known", version="1", cache_dir=tmp_path / "cache")
    return made, asked


def _ask(family, options, dimension=None):
    return AskedQuestion(
        video="a.mp4", family=family, text="?", options=options, dimension=dimension
    )


def test_answers_follow_the_probabilities_over_the_options_shown():
    report = _assessment("a.mp4").to_dict()
    assert answer_from(report, _ask("yes-no", ("yes", "no"), Dimension.BLUR)) == pytest.approx(
        {"yes": 0.9, "no": 0.1}
    )
    most = answer_from(report, _ask("most", ("noise", "blur", "none")))
    assert most == pytest.approx({"noise": 0.1, "blur": 0.6, "none": 0.3})
    exist = answer_from(report, _ask("exist", ("motion blur", "moire", "none")))
    assert exist == pytest.approx({"motion blur": 0.6, "moire": 0.1, "none": 0.3})


def test_options_without_any_probability_are_equally_likely():
    report = _assessment("a.mp4").to_dict()
    assert answer_from(report, _ask("most", ("color", "temporal"))) == {
        "color": 0.5,
        "temporal": 0.5,
    }


def test_one_pass_serves_scores_answers_and_features(source, tmp_path):
    made, asked = source
    assert isinstance(made, Scorer)
    answerer: Answerer = made
    video = tmp_path / "a.mp4"
    video.write_bytes(b"pictures")
    clip = Clip(str(video), "a.mp4")
    (score,) = made.score([clip])
    assert score.values[Dimension.OVERALL] == 55.0
    assert answerer.answer(clip, _ask("yes-no", ("yes", "no"), Dimension.BLUR))["yes"] == 0.9
    assert features_from(made.report(clip))["motion blur"] == 0.6
    assert asked == [str(video)]


def test_another_process_finds_the_assessment_on_disk(source, tmp_path):
    made, _ = source
    video = tmp_path / "a.mp4"
    video.write_bytes(b"pictures")
    first = made.report(Clip(str(video), "a.mp4"))
    again = AssessmentSource(
        _assessment, name="known", version="1", cache_dir=tmp_path / "cache"
    ).report(Clip(str(video), "a.mp4"))
    assert json.dumps(first) == json.dumps(again)
    assert "wall_seconds" in again


def test_a_broken_video_fails_once_and_is_not_cached(source, tmp_path):
    made, asked = source
    clip = Clip(str(tmp_path / "broken.mp4"), "broken.mp4")
    outcomes = [*made.score([clip]), made.answer(clip, _ask("most", ("blur", "none")))]
    assert all(isinstance(o, Failure) and o.error_type == "VideoDecodeError" for o in outcomes)
    assert len(asked) == 1
    assert not (tmp_path / "cache").exists()
