from dataclasses import replace

import pytest

from finevq.datasets import generic_csv
from finevq.datasets.labels import LabelledVideo, LabelSet, VideoFacts
from finevq.datasets.verify import check_labels, verify
from finevq.errors import VideoDecodeError
from finevq.records import MediaInfo
from finevq.vocabulary import Dimension


def _video(name, mos=3.0, **facts):
    return LabelledVideo(
        name=name, mos={Dimension.OVERALL: mos}, facts=VideoFacts(width=64, height=48, **facts)
    )


def _probe(path):
    if "broken" in path.name:
        raise VideoDecodeError("no frame")
    turned = "turned" in path.name
    return MediaInfo(
        codec="h264", width=48 if turned else 64, height=64 if turned else 48, fps=25.0,
        num_frames=1, duration_seconds=0.04, rotation_degrees=90 if turned else 0,
        pixel_format="yuv420p",
    )  # fmt: skip


@pytest.fixture
def root(tmp_path):
    for name in ("good.mp4", "broken.mp4", "turned.mp4", "extra.mp4"):
        (tmp_path / name).touch()
    return tmp_path


def test_every_kind_of_trouble_is_listed_by_name(root):
    names = ("good.mp4", "broken.mp4", "turned.mp4", "gone.mp4")
    labels = LabelSet(name="csv", scale=(1, 5), videos=tuple(map(_video, names)), source="")
    found = verify(labels, generic_csv.ADAPTER, root, probe=_probe)
    assert found.missing == ["gone.mp4"]
    assert found.unlabelled == ["extra.mp4"]
    assert list(found.unreadable) == ["broken.mp4"]
    assert found.rotated == found.portrait == ["turned.mp4"]
    assert found.mismatched == {}, "a turned video has the labelled sides the other way round"
    assert not found.is_sound


def test_a_whole_set_is_sound(root):
    labels = LabelSet(name="csv", scale=(1, 5), videos=(_video("good.mp4"),), source="")
    assert verify(labels, generic_csv.ADAPTER, root, probe=_probe).is_sound


def test_labels_are_checked_without_files():
    adapter = replace(generic_csv.ADAPTER, num_videos=3)
    odd = LabelledVideo(
        name="c",
        mos={Dimension.OVERALL: 2.0},
        existing_distortion="moire",
        options_shown=("none", "shake"),
        most_impactful="none",
    )
    videos = (_video("a"), _video("a"), _video("b", mos=7.0), odd)
    labels = LabelSet(name="csv", scale=(1, 5), videos=videos, source="")
    text = " | ".join(check_labels(labels, adapter))
    for piece in (
        "4 videos are labelled, your own CSV publishes 3",
        "named twice: a",
        "MOS outside 1..5: b (overall 7)",
        "not among the options: c",
        "one answer says none, the other names a fault: c",
    ):
        assert piece in text
