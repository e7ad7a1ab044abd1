import json

import pytest

from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.datasets.splits import (
    Split,
    apply_split,
    load_split,
    parse_ratio,
    random_split,
    repeated_splits,
)
from finevq.errors import DatasetError
from finevq.vocabulary import Dimension


def _labels(num=100, per_source=1):
    videos = tuple(
        LabelledVideo(name=f"v{i}", mos={Dimension.OVERALL: float(i)}, source=f"s{i // per_source}")
        for i in range(num)
    )
    return LabelSet(name="test", scale=(0, 100), videos=videos, source="")


def test_shares_are_kept():
    parts = random_split(_labels(600), {"train": 4, "val": 1, "test": 1}, seed=0).parts
    assert [len(parts[p]) for p in ("train", "val", "test")] == [400, 100, 100]


def test_sources_stay_together():
    split = random_split(_labels(100, per_source=5), {"train": 0.8, "test": 0.2}, seed=1)
    sources = [{int(name[1:]) // 5 for name in names} for names in split.parts.values()]
    assert not sources[0] & sources[1]


def test_repeats_differ_and_are_reproducible():
    hashes = [s.hash for s in repeated_splits(_labels(), repeats=5, seed=2)]
    assert len(set(hashes)) == 5
    assert hashes == [s.hash for s in repeated_splits(_labels(), repeats=5, seed=2)]


def test_the_hash_ignores_order_and_sees_every_move():
    split = Split(data_set="a", method="m", parts={"train": ("x", "y"), "test": ("z",)})
    turned = Split(data_set="a", method="n", parts={"test": ("z",), "train": ("y", "x")})
    moved = Split(data_set="a", method="m", parts={"train": ("x",), "test": ("y", "z")})
    assert split.hash == turned.hash != moved.hash


def test_a_video_in_two_parts_is_refused():
    with pytest.raises(DatasetError, match="x is in train and test"):
        Split(data_set="a", method="m", parts={"train": ("x",), "test": ("x",)})


def test_a_saved_split_comes_back_and_an_edited_one_does_not(tmp_path):
    path = tmp_path / "split.json"
    split = random_split(_labels(), {"train": 1, "test": 1}, seed=0)
    split.save(path)
    assert load_split(path) == split
    content = json.loads(path.read_text())
    content["parts"]["test"].append(content["parts"]["train"].pop())
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="edited after it was made"):
        load_split(path)
    path.write_text("[]")
    with pytest.raises(DatasetError, match="not a split file"):
        load_split(path)


def test_a_split_decides_what_is_test():
    labels = _labels(10)
    split = random_split(labels, {"train": 4, "test": 1}, seed=0)
    assert [v.name for v in apply_split(labels, split).of_split("test").videos] == list(
        split.part("test")
    )
    with pytest.raises(DatasetError, match="lacks"):
        apply_split(_labels(5), split)
    with pytest.raises(DatasetError, match="no part 'val'"):
        split.part("val")


@pytest.mark.parametrize("text", ["80", "4:0:1", "a:b", "1:2:3:4"])
def test_ratios_are_two_or_three_positive_numbers(text):
    with pytest.raises(DatasetError, match="write train:test"):
        parse_ratio(text)
