import csv
from pathlib import Path

import pytest

from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.prompts.questions import Family
from finevq.training.labelled_records import limit_groups, read_labelled, records_of_labels
from finevq.training.records import check_records
from finevq.vocabulary import Dimension


def _csv(path: Path, rows: list[dict[str, object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_any_csv_of_videos_and_mos_becomes_ratings(tmp_path: Path):
    for number in range(5):
        (tmp_path / f"{number}.mp4").write_bytes(bytes([number]))
    rows: list[dict[str, object]] = [
        {"filename": f"{n}.mp4", "mos": 1 + n, "mos_blur": 5 - n, "scale_min": 1, "scale_max": 5}
        for n in range(5)
    ]
    records = read_labelled(_csv(tmp_path / "labels.csv", rows), tmp_path)
    check_records(records)
    overall = [r for r in records if r.question.dimension is Dimension.OVERALL]
    assert [r.answer for r in overall] == ["bad", "poor", "fair", "good", "excellent"]
    assert [r.unit_scores[Dimension.OVERALL] for r in overall] == [0, 0.25, 0.5, 0.75, 1]
    blur = [r for r in records if r.question.dimension is Dimension.BLUR]
    assert blur[0].answer == "undistorted"
    assert len(limit_groups(records, 1)) == 2 * len({r.split for r in records})


def test_copies_of_a_video_share_a_split_whatever_they_are_called(tmp_path: Path):
    names = [f"copy {number}.mp4" for number in range(12)]
    for name in names:
        (tmp_path / name).write_bytes(b"the same")
    rows: list[dict[str, object]] = [{"video": name, "mos": n} for n, name in enumerate(names)]
    records = read_labelled(_csv(tmp_path / "labels.csv", rows), tmp_path)
    assert len({record.split for record in records}) == 1


def test_videos_without_a_file_are_left_out_and_none_at_all_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    labels = _csv(tmp_path / "l.csv", [{"video": "a.mp4", "mos": 1}, {"video": "b.mp4", "mos": 2}])
    with pytest.raises(DatasetError, match=r"holds none of the 2 videos .* such as a\.mp4"):
        read_labelled(labels, tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"a")
    assert {record.video.name for record in read_labelled(labels, tmp_path)} == {"a.mp4"}
    assert "1 labelled videos have no file, first b.mp4" in caplog.text


def test_everything_that_labels_know_is_asked(tmp_path: Path):
    video = LabelledVideo(
        name="a.mp4",
        mos={Dimension.OVERALL: 40.0},
        split="train",
        is_distorted={Dimension.BLUR: True, Dimension.NOISE: False},
        existing_distortion="camera blur",
        options_shown=("camera blur", "none", "moire"),
        most_impactful="blur",
        impact_options_shown=("blur", "none", "color"),
    )
    labels = LabelSet(name="x", scale=(0, 100), videos=(video,), source="test")
    records = records_of_labels(labels, {"a.mp4": tmp_path / "a.mp4"})
    said = {record.question.family: record.answer for record in records}
    assert said == {
        Family.RATING: "fair",
        Family.DISTORTED: "no",
        Family.WHICH: "camera blur",
        Family.MOST: "blur",
    }
    assert len({record.id for record in records}) == len(records) == 5


def test_finevd_labels_keep_their_test_list(shared: Path, tmp_path: Path):
    folder = tmp_path / "videos"
    folder.mkdir()
    with (shared / "data/finevd/labels.csv").open(encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))[::40]
    for row in rows:
        (folder / row["video"]).write_bytes(row["video"].encode())
    records = read_labelled(shared / "data/finevd/labels.csv", folder, data_set="finevd")
    tested = {record.video.name for record in records if record.split == "test"}
    assert tested == {row["video"] for row in rows if row["split"] == "test"}
    assert {record.split for record in records} == {"train", "validation", "test"}
    check_records(records)
