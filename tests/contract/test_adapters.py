"""One battery for every data-set adapter: a new one adds a writer of its published layout."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from finevq.datasets.catalogue import ADAPTERS, adapter, read_labels
from finevq.datasets.splits import published_split, random_split
from finevq.datasets.verify import check_labels, locate
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension

_COUNT = 12


def _csv(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def _finevd(root: Path) -> Path:
    header = ["video_name", *map(str, Dimension)]
    for name, start in (("MOS_train.csv", 0), ("MOS_val.csv", 8)):
        stop = 8 if start == 0 else _COUNT
        rows = [[f"0_01_{i}.mp4", *(20 + 5 * i + j for j in range(6))] for i in range(start, stop)]
        _csv(root / "FineVD" / name, header, rows)
    lines = [
        {
            "video": "\ufeff0_01_8.mp4",
            "conversations": [
                {"value": "Select one from {A:[None], B:[sqaure artifact], C:[lagging]}"},
                {"value": "B"},
            ],
        }
    ]
    text = "\n".join(json.dumps(line, ensure_ascii=False) for line in lines)
    (root / "data").mkdir()
    (root / "data" / "abcd_test_en.jsonl").write_text(text, encoding="utf-8")
    return root


def _konvid(root: Path) -> Path:
    rows = [[3000 + i, 1.5 + i / 10] for i in range(_COUNT)]
    _csv(root / "KoNViD_1k_metadata" / "KoNViD_1k_mos.csv", ["flickr_id", "mos"], rows)
    return root


def _live_vqc(root: Path) -> Path:
    from scipy.io import savemat

    names = np.array([[f"A{i:03}.mp4"] for i in range(_COUNT)], dtype=object)
    root.mkdir(exist_ok=True)
    savemat(root / "data.mat", {"video_list": names, "mos": np.arange(_COUNT) * 7.0})
    return root


def _gaming(root: Path) -> Path:
    from scipy.io import savemat

    names = np.array([[f"game_{i}"] for i in range(_COUNT)], dtype=object)
    root.mkdir(exist_ok=True)
    savemat(root / "LIVEYTGaming.mat", {"video_list": names, "MOS": np.arange(_COUNT) * 8.0})
    return root


def _youtube(root: Path) -> Path:
    names = ["Animation_1080P-0c4f", *(f"Vlog_720P-{i:04x}" for i in range(1, _COUNT))]
    rows = [[name, 1.5 + i / 5] for i, name in enumerate(names)]
    _csv(root / "original_videos_MOS_for_YouTube_UGC_dataset.csv", ["vid", "MOS full"], rows)
    return root


def _lsvq(root: Path) -> Path:
    header = ["name", "height", "width", "mos", "frame_number", "is_test"]
    rows = [[f"yfcc-batch1/{i}", 360, 640, 30 + i, 240, i % 4 == 0] for i in range(8)]
    _csv(root / "labels_train_test.csv", header, rows)
    high = [[f"ia-batch2/{i}", 1920, 1080, 50 + i, 240] for i in range(4)]
    _csv(root / "labels_test_1080p.csv", header[:-1], high)
    return root


def _maxwell(root: Path) -> Path:
    axes = ["O", *(f"A-{i}" for i in range(1, 6)), "A-all", *(f"T-{i}" for i in range(1, 9))]
    parts = (
        ("MaxWell_train.csv", "train_labels.txt", 8),
        ("MaxWell_val.csv", "test_labels.txt", 4),
    )
    place = 0
    for axis_file, name_file, count in parts:
        rows = [[(i + j) / 12 for j in range(len(axes))] for i in range(count)]
        _csv(root / axis_file, axes, rows)
        names = [f"{place + i:04}.mp4, 0, 0, 0.1" for i in range(count)]
        folder = root / "examplar_data_labels" / "MaxWell"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name_file).write_text("\n".join(names))
        place += count
    return root


def _own(root: Path) -> Path:
    rows = [[f"clip{i}.mp4", 10 * i, 10 * i + 1, f"s{i // 2}"] for i in range(_COUNT)]
    return _csv(root / "mine.csv", ["Video", "MOS", "blur", "source"], rows)


WRITERS: dict[str, Callable[[Path], Path]] = {
    "finevd": _finevd,
    "konvid-1k": _konvid,
    "live-vqc": _live_vqc,
    "youtube-ugc": _youtube,
    "live-yt-gaming": _gaming,
    "lsvq": _lsvq,
    "maxwell": _maxwell,
    "csv": _own,
}


def test_every_adapter_is_in_the_battery():
    assert set(WRITERS) == set(ADAPTERS)


@pytest.fixture(params=sorted(WRITERS))
def data_set(request, tmp_path):
    root = WRITERS[request.param](tmp_path / "set")
    return adapter(request.param), root


def test_the_published_layout_is_read(data_set):
    reader, root = data_set
    labels = reader.read(root)
    assert len(labels) == _COUNT
    assert labels.name == reader.name
    assert len({video.name for video in labels.videos}) == _COUNT
    assert Dimension.OVERALL in labels.dimensions
    assert np.isfinite(labels.mos()).all()


def test_reading_twice_gives_the_same_fingerprint(data_set):
    reader, root = data_set
    assert reader.read(root).fingerprint == reader.read(root).fingerprint


def test_mos_lies_on_the_declared_scale(data_set):
    reader, root = data_set
    problems = check_labels(reader.read(root), reader)
    assert not [problem for problem in problems if "outside" in problem]


def test_a_wrong_count_is_reported(data_set):
    reader, root = data_set
    problems = check_labels(reader.read(root), reader)
    assert any("publishes" in problem for problem in problems) == (reader.num_videos is not None)


def test_clips_carry_no_label(data_set):
    reader, root = data_set
    for clip in reader.read(root).clips():
        assert set(type(clip).__slots__) == {"path", "name"}


def test_files_are_found_whatever_their_suffix_and_missing_ones_are_not(data_set, tmp_path):
    reader, root = data_set
    labels = reader.read(root)
    videos = tmp_path / "videos"
    for video in labels.videos[1:]:
        file = videos / Path(video.name).with_suffix(".mkv")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    found = locate(labels, reader, videos)
    assert set(found) == {video.name for video in labels.videos[1:]}


def test_splits_never_part_a_source_and_are_reproducible(data_set):
    reader, root = data_set
    labels = reader.read(root)
    shares = {"train": 4, "val": 1, "test": 1}
    split = random_split(labels, shares, seed=3)
    assert split.hash == random_split(labels, shares, seed=3).hash
    assert sum(map(len, split.parts.values())) == _COUNT
    part_of = {name: part for part, names in split.parts.items() for name in names}
    for source in {video.cluster for video in labels.videos}:
        same = {part_of[video.name] for video in labels.videos if video.cluster == source}
        assert len(same) == 1


def test_a_missing_folder_is_named(data_set, tmp_path):
    reader, _ = data_set
    with pytest.raises(DatasetError, match="nowhere"):
        reader.read(tmp_path / "nowhere")


def test_an_empty_folder_says_what_was_expected(data_set, tmp_path):
    reader, _ = data_set
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match=r"labels|label|MaxWell"):
        reader.read(tmp_path / "empty")


def test_published_splits_are_kept(tmp_path):
    assert adapter("lsvq").read(_lsvq(tmp_path / "l")).splits == ("test", "train", "test_1080p")
    assert adapter("finevd").read(_finevd(tmp_path / "f")).splits == ("train", "test")
    split = published_split(adapter("maxwell").read(_maxwell(tmp_path / "m")))
    assert {part: len(names) for part, names in split.parts.items()} == {"train": 8, "test": 4}
    with pytest.raises(DatasetError, match="publishes no split"):
        published_split(adapter("konvid-1k").read(_konvid(tmp_path / "k")))


def test_finevd_questions_survive_the_byte_order_mark_and_the_typos(tmp_path):
    labels = adapter("finevd").read(_finevd(tmp_path))
    video = next(video for video in labels.videos if video.name == "0_01_8.mp4")
    assert video.existing_distortion == "blocking"
    assert video.options_shown == ("none", "blocking", "stutter")


def test_gray_videos_are_flagged_and_left_out(tmp_path):
    labels = adapter("youtube-ugc").read(_youtube(tmp_path))
    assert labels.videos[0].flags == ("gray",)
    assert len(labels.without_flagged()) == _COUNT - 1


@pytest.mark.parametrize(
    ("file", "name", "count"),
    [
        ("finevd/labels.csv", "finevd", 5074),
        ("videval/KONVID_1K_metadata.csv", "konvid-1k", 1200),
        ("videval/LIVE_VQC_metadata.csv", "live-vqc", 585),
        ("videval/YOUTUBE_UGC_metadata.csv", "youtube-ugc", 1380),
    ],
)
def test_real_label_files_are_recognised_and_sound(shared, file, name, count):
    labels = read_labels(shared / "data" / file)
    assert (labels.name, len(labels)) == (name, count)
    assert check_labels(labels, adapter(name)) == []
    assert sum(bool(video.flags) for video in labels.videos) == (57 if name == "youtube-ugc" else 0)


def test_an_unknown_data_set_names_the_known_ones():
    with pytest.raises(DatasetError, match="known are finevd, konvid-1k"):
        adapter("imagenet")


def test_a_mos_that_is_no_number_names_file_and_row(tmp_path):
    path = _csv(tmp_path / "l.csv", ["name", "mos"], [["a", 1], ["b", "good"]])
    with pytest.raises(DatasetError, match=r"l.csv, row 3: mos is 'good'"):
        read_labels(path)
