"""Writes a data set in FineVD's release layout, so that every tool for FineVD takes it.

Used for synthesized clips: the adapter of `finevd` then reads them as it reads the real thing,
question files, spellings and all. The option lists follow the release too, shortcuts included:
four options where nothing is wrong, else "none", the answer and three distractors.
"""

import csv
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from finevq.datasets.finevd import (
    EXIST_FILES,
    GOOD_QUALITY,
    IMITATION_FILE,
    MOST_FILES,
    SOURCES_FILE,
    YES_NO_FILES,
)
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.datasets.synthetic import SyntheticClip, read_manifest
from finevq.errors import DatasetError
from finevq.vocabulary import ALL_ATTRIBUTES, FAULT_DIMENSIONS, NO_FAULT, Dimension

VIDEO_FOLDER = Path("videos_all") / "videos_all_videos"
_IMITATION_TEXT = (
    "Written by finevq in the layout of FineVD's release. These are other videos, with labels that "
    "follow from known faults, not from people.\n"
)
_LETTERS = "ABCDEF"
_TEST_PARTS = {"train": False, "validation": False, "test": True}


def labels_of_synthetic(folder: Path) -> tuple[LabelSet, dict[str, Path]]:
    """Return the labels of a synthesized data set, and the file of each video.

    Raises:
        DatasetError: the folder holds no manifest.
    """
    return labels_of_clips(read_manifest(folder), source=str(folder))


def labels_of_clips(
    clips: Sequence[SyntheticClip], *, source: str
) -> tuple[LabelSet, dict[str, Path]]:
    """Return the labels of synthesized clips, and the file of each video.

    The validation part goes with the training part, as FineVD publishes two lists only.

    Args:
        clips: Any of a synthesized data set.
        source: Where they come from, in words.
    """
    videos = tuple(_labelled(clip) for clip in clips)
    labels = LabelSet(name="finevd", scale=(0.0, 100.0), videos=videos, source=source)
    return labels, {clip.path.name: clip.path for clip in clips}


def write_release(
    labels: LabelSet, paths: Mapping[str, Path], folder: Path, *, seed: int = 0
) -> None:
    """Write labels, questions and videos in the layout of the release.

    Args:
        labels: Videos of the splits train and test, with six MOS.
        paths: The file of each video; files are copied.
        folder: Where to write; must not hold a release already.
        seed: Of distractors and the order of options.

    Raises:
        DatasetError: the folder holds a release, or a video has no file.
    """
    if (folder / "FineVD" / "MOS_train.csv").exists():
        raise DatasetError(f"{folder} holds a FineVD release already; give an empty folder")
    if missing := [video.name for video in labels.videos if video.name not in paths]:
        raise DatasetError(f"no file for {len(missing)} videos: {', '.join(missing[:5])}")
    rng = np.random.default_rng(seed)
    (folder / "FineVD").mkdir(parents=True, exist_ok=True)
    (folder / IMITATION_FILE).write_text(_IMITATION_TEXT, encoding="utf-8")
    (folder / "data").mkdir(exist_ok=True)
    (folder / VIDEO_FOLDER).mkdir(parents=True, exist_ok=True)
    for split, file in (("train", "MOS_train.csv"), ("test", "MOS_val.csv")):
        _write_mos(folder / "FineVD" / file, labels.of_split(split).videos)
    for dimension, file in YES_NO_FILES.items():
        _write_lines(folder / "data" / file, _yes_no(labels, dimension))
    for split, exist, most in zip(("train", "test"), EXIST_FILES, MOST_FILES, strict=True):
        part = labels.of_split(split).videos
        _write_lines(folder / "data" / exist, (_exist(video, rng) for video in part))
        _write_lines(folder / "data" / most, (_most(video, rng) for video in part))
    _write_sources(folder / SOURCES_FILE, labels.videos)
    for video in labels.videos:
        shutil.copyfile(paths[video.name], folder / VIDEO_FOLDER / video.name)


def _labelled(clip: SyntheticClip) -> LabelledVideo:
    return LabelledVideo(
        name=clip.path.name,
        mos=clip.mos,
        split="test" if _TEST_PARTS[clip.split] else "train",
        source=clip.source,
        existing_distortion=clip.attributes[0] if clip.attributes else NO_FAULT,
        most_impactful=clip.most_impactful if clip.attributes else NO_FAULT,
        is_distorted=clip.distorted,
    )


def _write_mos(file: Path, videos: Iterable[LabelledVideo]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["video_name", *map(str, Dimension)])
        writer.writerows([v.name, *(f"{v.mos[d]:.4f}" for d in Dimension)] for v in videos)


def _write_sources(file: Path, videos: Iterable[LabelledVideo]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["video_name", "source"])
        writer.writerows([video.name, video.source] for video in videos)


def _yes_no(labels: LabelSet, dimension: Dimension) -> Iterator[dict[str, object]]:
    text = (
        f"If there is no {dimension} distortion in the video, please answer [No]. "
        "Otherwise please answer [Yes]."
    )
    for video in labels.of_split("test").videos:
        if dimension in video.is_distorted:
            yield _conversation(video.name, text, "Yes" if video.is_distorted[dimension] else "No")


def _exist(video: LabelledVideo, rng: np.random.Generator) -> dict[str, object]:
    others = [name for name in ALL_ATTRIBUTES if name != video.existing_distortion]
    options = [NO_FAULT, *(others[i] for i in rng.choice(len(others), 3, replace=False))]
    if video.existing_distortion != NO_FAULT:
        options.append(video.existing_distortion)
    text = "Please select one distortion type from below options"
    return _choice(video.name, text, options, video.existing_distortion, "None", rng)


def _most(video: LabelledVideo, rng: np.random.Generator) -> dict[str, object]:
    every = [*map(str, FAULT_DIMENSIONS), NO_FAULT]
    others = [name for name in every if name != video.most_impactful]
    options = [video.most_impactful, *(others[i] for i in rng.choice(len(others), 3, False))]
    text = "Which distortion dimension has the greatest impact on video quality"
    return _choice(video.name, text, options, video.most_impactful, GOOD_QUALITY, rng)


def _choice(
    name: str,
    text: str,
    options: list[str],
    answer: str,
    none: str,
    rng: np.random.Generator,
) -> dict[str, object]:
    shown = [options[i] for i in rng.permutation(len(options))]
    words = [none if option == NO_FAULT else option for option in shown]
    listed = ", ".join(f"{letter}:[{word}]" for letter, word in zip(_LETTERS, words, strict=False))
    return _conversation(name, f"{text}{{{listed}}}", _LETTERS[shown.index(answer)])


def _conversation(name: str, question: str, answer: str) -> dict[str, object]:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"video": name, "conversations": turns}


def _write_lines(file: Path, entries: Iterable[dict[str, object]]) -> None:
    file.write_text("".join(json.dumps(entry) + "\n" for entry in entries), encoding="utf-8")
