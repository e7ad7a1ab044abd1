import csv
import json
from pathlib import Path

import numpy as np
import pytest

from finevq.datasets.splits import fold_of
from finevq.errors import DatasetError
from finevq.training.config import DataConfig, NanoTrainingConfig
from finevq.training.samples import TrainingSample
from finevq.training.sources import (
    human_samples,
    taught_samples,
    taught_stills,
    without_held_out_sources,
)
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, Dimension


def _config(human: Path | None) -> NanoTrainingConfig:
    return NanoTrainingConfig(data=DataConfig(manifest=Path("unused"), human=human))


def test_folds_depend_on_the_name_alone():
    assert fold_of("a.jpg", 5) == fold_of("a.jpg", 5)
    folds = [fold_of(f"{number}.jpg", 5) for number in range(1000)]
    assert min(folds.count(fold) for fold in range(5)) > 150


def test_without_human_data_there_are_no_photographs():
    assert human_samples(_config(None)) == []


def test_opinions_move_to_the_scale_and_keep_their_order(shared: Path):
    samples = human_samples(_config(shared / "data/live_challenge"))
    scores = [sample.mos[Dimension.OVERALL] for sample in samples]
    assert len(samples) == 800
    with open(shared / "data/live_challenge/mos.csv", newline="") as file:
        opinions = [float(row["mos"]) for row in csv.DictReader(file)]
    assert (
        np.argsort(scores, kind="stable").tolist() == np.argsort(opinions, kind="stable").tolist()
    )
    assert 10 < min(scores) < max(scores) < 90
    assert {sample.split for sample in samples} == {"train", "validation", "test"}


def test_a_missing_image_is_named(tmp_path: Path):
    (tmp_path / "mos.csv").write_text("image,mos\nlost.jpg,50\n")
    with pytest.raises(DatasetError, match=r"names lost\.jpg, but there is no"):
        human_samples(_config(tmp_path))


def test_a_file_without_the_columns_says_which_it_needs(tmp_path: Path):
    (tmp_path / "mos.csv").write_text("name,score\nx,1\n")
    with pytest.raises(DatasetError, match="needs columns image and mos"):
        human_samples(_config(tmp_path))


def test_sources_of_held_out_clips_are_not_learnt_from():
    def sample(group, split, severities=None):
        return TrainingSample(path=group, group=group, split=split, mos={}, severities=severities)

    photographs = [sample("a.jpg", "train"), sample("b.jpg", "train"), sample("c.jpg", "test")]
    clips = [
        sample("live/a.jpg", "test", {}),
        sample("live/b.jpg", "train", {}),
        sample("live/c.jpg", "validation", {}),
    ]
    kept = without_held_out_sources(photographs, clips)
    assert [photograph.group for photograph in kept] == ["b.jpg", "c.jpg"]


@pytest.mark.parametrize("test_fold", [0, 3])
def test_degraded_photographs_of_held_out_folds_teach_nothing(tmp_path: Path, test_fold: int):
    names = _rated_images(tmp_path, 40)
    splits = {name: "test" if name in names[:4] else "train" for name in [*names, "wall.jpg"]}
    manifest = tmp_path / "manifest.jsonl"
    manifest.write_text("".join(_record(f"live/{name}", split) for name, split in splits.items()))
    folds = DataConfig(
        manifest=manifest, human=tmp_path, test_fold=test_fold, validation_fold=(test_fold + 1) % 5
    )
    config = NanoTrainingConfig(data=folds)
    held_out = {sample.group for sample in human_samples(config) if sample.split != "train"}
    assert 5 < len(held_out) < 30
    taught = {clip.group for clip in taught_samples([manifest], config) if clip.split == "train"}
    assert taught == {f"live/{name}" for name, split in splits.items() if split == "train"} - {
        f"live/{name}" for name in held_out
    }
    judged = [clip for clip in taught_samples([manifest], config) if clip.split == "test"]
    assert len(judged) == 4


def test_several_sets_are_one_and_what_is_held_out_is_left_out_of_each(tmp_path: Path):
    names = _rated_images(tmp_path, 10)
    manifests = []
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        manifests.append(tmp_path / folder / "manifest.jsonl")
        records = [_record(f"{folder}/{name}", "train") for name in (*names, "wall.jpg")]
        manifests[-1].write_text("".join(records))
    config = NanoTrainingConfig(data=DataConfig(manifest=manifests[0], human=tmp_path))
    held_out = {sample.group for sample in human_samples(config) if sample.split != "train"}
    assert held_out
    kept = [name for name in (*names, "wall.jpg") if name not in held_out]
    groups = [sample.group for sample in taught_samples(manifests, config)]
    assert groups == [f"{folder}/{name}" for folder in ("first", "second") for name in kept]


def test_further_stills_teach_and_never_judge(tmp_path: Path):
    sets = {
        "stills": {"a": "train", "b": "validation", "c": "test"},
        # b under another folder's name, as if it had been dealt anew.
        "further": {"a": "train", "b": "train", "d": "validation", "e": "test", "f": "train"},
    }
    for name, splits in sets.items():
        (tmp_path / name).mkdir()
        records = [_record(f"{name}/{source}.jpg", split) for source, split in splits.items()]
        (tmp_path / name / "manifest.jsonl").write_text("".join(records))
    stills, further = (tmp_path / name / "manifest.jsonl" for name in sets)
    data = DataConfig(manifest=stills, stills=(stills,), further_stills=(further,))
    read = taught_stills(NanoTrainingConfig(data=data))
    assert [sample.group for sample in read] == [
        "stills/a.jpg",
        "stills/b.jpg",
        "stills/c.jpg",
        "further/a.jpg",
        "further/f.jpg",
    ]


def test_the_fold_that_selects_may_be_learnt_from_instead(tmp_path: Path):
    names = _rated_images(tmp_path, 40)
    data = DataConfig(manifest=tmp_path, human=tmp_path, people_select=False)
    splits = {sample.group: sample.split for sample in human_samples(NanoTrainingConfig(data=data))}
    held_out = {name for name in names if fold_of(name, data.human_folds) == data.test_fold}
    assert held_out
    assert {name for name, split in splits.items() if split == "test"} == held_out
    assert {name for name, split in splits.items() if split == "train"} == {*names} - held_out


def _rated_images(folder: Path, count: int) -> list[str]:
    """Lay out images/ and mos.csv, and return the names: for what reads names alone."""
    names = [f"{number}.jpg" for number in range(count)]
    (folder / "images").mkdir()
    for name in names:
        (folder / "images" / name).touch()
    opinions = [f"{name},{50 + row}" for row, name in enumerate(names)]
    (folder / "mos.csv").write_text("\n".join(["image,mos", *opinions]))
    return names


def _record(source: str, split: str) -> str:
    record = {
        "index": 0,
        "path": "clips/x.mp4",
        "split": split,
        "source": source,
        "source_kind": "photo",
        "source_quality": 1.0,
        "source_is_rated": False,
        "mos": dict.fromkeys(DIMENSIONS, 50.0),
        "levels": dict.fromkeys(DIMENSIONS, "good"),
        "severities": dict.fromkeys(FAULT_DIMENSIONS, 0.0),
        "distorted": dict.fromkeys(FAULT_DIMENSIONS, False),
        "attributes": [],
        "attribute_severities": {},
        "most_impactful": "none",
        "vmaf": None,
        "width": 8,
        "height": 8,
        "fps": 24.0,
        "num_frames": 3,
        "codec": "libx264",
        "seed": 0,
        "chain": [],
    }
    return json.dumps(record) + "\n"
