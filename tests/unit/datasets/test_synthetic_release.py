import json

import pytest

from finevq.datasets import finevd, generic_csv
from finevq.datasets.synthetic_release import write_benches
from finevq.errors import DatasetError
from finevq.evaluation.joining import open_bench
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension


@pytest.fixture
def clips(tmp_path):
    """A manifest as `finevq data synthesize` writes it; its files hold no pictures."""
    folder = tmp_path / "clips"
    (folder / "clips").mkdir(parents=True)
    lines = []
    for index in range(150):
        split = ("train", "test", "validation")[index % 3]
        path = folder / "clips" / f"{index:06}.mp4"
        path.write_bytes(f"video {index}".encode())
        record = {
            "index": index, "path": f"clips/{path.name}", "split": split,
            "source": f"{split}-{index % 20}.png", "source_kind": "photo", "source_quality": 1.0,
            "source_is_rated": False, "mos": {d: 40.0 + index / 10 for d in Dimension},
            "levels": dict.fromkeys(Dimension, "fair"), "severities": {}, "distorted":
            {d: d is Dimension.BLUR for d in FAULT_DIMENSIONS}, "attributes": ["motion blur"],
            "most_impactful": "blur", "attribute_severities": {"motion blur": 0.5}, "vmaf": None,
            "width": 64, "height": 48, "fps": 25.0, "num_frames": 5, "codec": "libx264", "seed": 0,
            "chain": [],
        }  # fmt: skip
        lines.append(json.dumps(record) + "\n")
    (folder / "manifest.jsonl").write_text("".join(lines))
    return folder


def test_two_data_sets_without_a_common_source_are_read_by_the_adapters(clips, tmp_path):
    benches = write_benches(clips, tmp_path / "out", count=60)
    assert set(benches) == {"finevd", "csv:other-sources"}
    released = finevd.read(benches["finevd"])
    other = generic_csv.read(benches["csv:other-sources"])
    sizes = [len(released.of_split("train")), len(released.of_split("test")), len(other)]
    assert sizes == [24, 24, 12]
    sources = [
        {video.source for video in part.videos}
        for part in (released.of_split("train"), released.of_split("test"), other)
    ]
    assert all(sources)
    assert len(set.union(*sources)) == sum(map(len, sources))
    assert other.scale == (0, 100)


def test_they_are_written_once_and_a_larger_choice_holds_the_smaller(clips, tmp_path):
    first = write_benches(clips, tmp_path / "out", count=60)["finevd"]
    stamp = (first / "NOT_FINEVD.txt").stat().st_mtime_ns
    assert write_benches(clips, tmp_path / "out", count=60)["finevd"] == first
    assert (first / "NOT_FINEVD.txt").stat().st_mtime_ns == stamp
    larger = write_benches(clips, tmp_path / "out", count=100)["finevd"]
    names = [{video.name for video in finevd.read(folder).videos} for folder in (first, larger)]
    assert names[0] < names[1]


def test_tables_never_take_them_for_finevd(clips, tmp_path):
    bench = open_bench("finevd", write_benches(clips, tmp_path / "out", count=60)["finevd"])
    assert bench.is_imitation
    assert not bench.is_official_finevd
    assert "synthetic" in bench.caption
    assert "not from people" in bench.notes[0]


def test_too_few_clips_are_refused(clips, tmp_path):
    with pytest.raises(DatasetError, match="validation part has 50 clips, of which 8 would be"):
        write_benches(clips, tmp_path / "out", count=40)


def test_only_videos_with_a_file_are_kept_where_files_are_needed(clips, tmp_path):
    folder = write_benches(clips, tmp_path / "out", count=60)["csv:other-sources"]
    next((folder / "videos").iterdir()).unlink()
    bench = open_bench("csv:mine", folder, only_with_files=True)
    assert (bench.title, len(bench.labels), bench.num_left_out) == ("mine", 11, 1)
    assert "1 of 12 labelled videos have no file" in bench.notes[0]
    assert len(open_bench("csv:mine", folder).labels) == 12
    with pytest.raises(DatasetError, match="none of the 12 videos of csv is under"):
        open_bench("csv", folder, tmp_path / "nowhere", only_with_files=True)
    with pytest.raises(DatasetError, match="only csv takes a name of your own"):
        open_bench("finevd:mine", folder)
