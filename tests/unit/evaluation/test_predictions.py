import json

import numpy as np
import pytest

from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError, InvalidInputError
from finevq.evaluation.predictions import PredictionFile, fingerprint, predict
from finevq.records import Clip, Failure, Score
from finevq.scorer import Scorer
from finevq.vocabulary import Dimension


class SizeScorer:
    """Scores a clip by its file size; counts how often it is asked."""

    name, scale, higher_is_better = "size", (0.0, 1e9), False

    def __init__(self, version: str = "1") -> None:
        self.version = version
        self.asked: list[str] = []

    def score(self, videos):
        for clip in videos:
            self.asked.append(clip.label)
            with open(clip.path, "rb") as file:
                size = len(file.read())
            yield (
                Score(clip.label, {Dimension.OVERALL: size})
                if size
                else Failure(clip.label, "VideoDecodeError", "empty")
            )


@pytest.fixture
def clips(tmp_path):
    made = []
    for index in range(4):
        path = tmp_path / f"v{index}.mp4"
        path.write_bytes(bytes(index * 10))
        made.append(Clip(path=str(path), name=path.name))
    return made


def _labels(clips):
    videos = tuple(
        LabelledVideo(name=clip.name, mos={Dimension.OVERALL: float(i)})
        for i, clip in enumerate(clips)
    )
    return LabelSet(name="test", scale=(0, 10), videos=videos, source="")


def test_the_cache_answers_the_second_time_but_not_for_failures(clips, tmp_path):
    scorer = SizeScorer()
    assert isinstance(scorer, Scorer)
    first = predict(scorer, clips, cache_dir=tmp_path / "cache")
    second = predict(scorer, clips, cache_dir=tmp_path / "cache")
    assert first.scores == second.scores
    assert scorer.asked == ["v0.mp4", "v1.mp4", "v2.mp4", "v3.mp4", "v0.mp4"]
    assert second.failures == {"v0.mp4": "VideoDecodeError: empty"}


def test_another_version_configuration_or_content_is_scored_again(clips, tmp_path):
    cache = tmp_path / "cache"
    predict(SizeScorer(), clips[1:], cache_dir=cache)
    for scorer, configuration in ((SizeScorer("2"), ""), (SizeScorer(), "16 frames")):
        predict(scorer, clips[1:], cache_dir=cache, configuration=configuration)
        assert len(scorer.asked) == 3
    with open(clips[1].path, "ab") as file:
        file.write(b"x")
    scorer = SizeScorer()
    predict(scorer, clips[1:], cache_dir=cache)
    assert scorer.asked == ["v1.mp4"]


def test_a_renamed_file_is_found_again_and_a_torn_cache_line_is_skipped(clips, tmp_path):
    predict(SizeScorer(), clips[1:], cache_dir=tmp_path / "cache")
    (file,) = (tmp_path / "cache" / "predictions").iterdir()
    with file.open("a") as cache:
        cache.write('{"video": "abc", "sco')
    renamed = Clip(path=clips[1].path, name="other name")
    scorer = SizeScorer()
    assert predict(scorer, [renamed], cache_dir=tmp_path / "cache").scores["other name"]
    assert scorer.asked == []


def test_fingerprints_see_the_middle_of_large_files(tmp_path):
    path = tmp_path / "large"
    content = np.zeros(8 * 2**20, dtype=np.uint8)
    path.write_bytes(content.tobytes())
    before = fingerprint(path)
    content[4 * 2**20 + 5] = 1
    path.write_bytes(content.tobytes())
    assert fingerprint(path) != before


def test_scores_are_turned_so_that_larger_is_better_and_failures_are_nan(clips):
    predictions = predict(SizeScorer(), clips)
    values = predictions.oriented(_labels(clips), Dimension.BLUR)
    assert np.isnan(values[0])
    assert values[1:] == [-10, -20, -30]


def test_two_clips_of_one_name_are_refused(clips):
    with pytest.raises(InvalidInputError, match=r"twice: v1.mp4"):
        predict(SizeScorer(), [clips[1], clips[1]])


def test_a_csv_of_predictions_is_a_scorer(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffVideo,Overall,blur\na/v1.mp4,3,4\nv2,5,6\n", encoding="utf-8")
    scorer = PredictionFile(path)
    assert isinstance(scorer, Scorer)
    outcomes = list(scorer.score([Clip("", "v1.mp4"), Clip("", "v2.mkv"), Clip("", "v3.mp4")]))
    assert outcomes[0].values == {Dimension.OVERALL: 3, Dimension.BLUR: 4}
    assert outcomes[1].values[Dimension.BLUR] == 6
    assert isinstance(outcomes[2], Failure)
    assert scorer.scale == (3, 6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("video,words\na,b\n", "needs a column video and one of score"),
        ("video,score\na,b\n", "row 2: a score is not a number"),
        ("video,score\na,1\na,2\n", "row 3: a comes twice"),
        ("video,score\n", "holds no predictions"),
    ],
)
def test_unusable_prediction_files_say_why(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message):
        PredictionFile(path)


def test_cache_lines_are_plain_json(clips, tmp_path):
    predict(SizeScorer(), clips[1:2], cache_dir=tmp_path / "cache")
    (file,) = (tmp_path / "cache" / "predictions").iterdir()
    assert json.loads(file.read_text())["scores"] == {"overall": 10}
