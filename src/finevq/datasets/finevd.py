"""FineVD: 6,104 videos of Bilibili, of which 5,074 have public labels, six MOS each.

Layouts read:

- the hub release (IntMeGroup/FineVD): MOS_train.csv and MOS_val.csv (video_name, color, noise,
  artifact, blur, temporal, overall), videos under videos_all/videos_all_videos; beside them, where
  present, the question files of the FineVQ repository: yesno_test_<dimension>.jsonl,
  abcd_{train,test}_en.jsonl (which distortion exists), abcd2_{train,test}.jsonl (which dimension
  matters most). MOS_val.csv is the held-out list that the question files call test, so its videos
  are of split "test"; the labels of the remaining 1,030 videos are not public.
- one joined CSV (labels.csv) with the columns video, split, mos_color, ..., mos_overall.

Warts that are handled: a byte-order mark inside the first file name of abcd_*_en.jsonl, misspelt
attributes (see `finevq.vocabulary.RELEASE_SPELLINGS`), "temp" for temporal in file names.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from finevq.datasets.contract import Adapter
from finevq.datasets.delimited import Row, number, read_rows
from finevq.datasets.facts import facts_of
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    FAULT_DIMENSIONS,
    NO_FAULT,
    RELEASE_SPELLINGS,
    Dimension,
)

MOS_FILES = {"MOS_train.csv": "train", "MOS_val.csv": "test", "MOS_test.csv": "test"}
"""Label file of the release to the split that its videos are of."""
YES_NO_FILES = {
    d: f"yesno_test_{'temp' if d is Dimension.TEMPORAL else d}.jsonl" for d in FAULT_DIMENSIONS
}
EXIST_FILES = ("abcd_train_en.jsonl", "abcd_test_en.jsonl")
MOST_FILES = ("abcd2_train.jsonl", "abcd2_test.jsonl")
SOURCES_FILE = "sources.csv"
"""Not published; where present, it says which videos show the same scene (video_name, source)."""
IMITATION_FILE = "NOT_FINEVD.txt"
"""Lies in folders of other videos in FineVD's layout, so that no table takes them for FineVD."""
GOOD_QUALITY = "video quality is good"
"""How the release spells "none" in the most-impact question."""

_CUT = re.compile(r"(?<=\d{6})_\d{1,2}$")
_OPTION = re.compile(r"([A-F]):\s*\[([^\]]*)\]")


def read(path: Path) -> LabelSet:
    """Read FineVD's labels from the release folder or the joined CSV.

    Raises:
        DatasetError: no label file is there, or a column is missing.
    """
    if path.is_dir() and any(path.rglob("MOS_train.csv")):
        videos = _read_release(path)
    elif path.is_file() and path.name in MOS_FILES:
        videos = _read_mos_file(path)
    else:
        videos = _read_joined(path / "labels.csv" if path.is_dir() else path)
    highest = max(video.mos[Dimension.OVERALL] for video in videos)
    scale = (0.0, 100.0) if highest > 5 else (1.0, 5.0)  # both scales are in circulation
    return LabelSet(name=ADAPTER.name, scale=scale, videos=tuple(videos), source=str(path))


def standard_name(spelling: str) -> str:
    """Return the standard name of an attribute, dimension or "none" as the release spells it.

    >>> standard_name("sqaure artifact"), standard_name("Video quality is good")
    ('blocking', 'none')

    Raises:
        DatasetError: the word is not known.
    """
    word = spelling.strip().lower()
    word = RELEASE_SPELLINGS.get(word, word)
    if word in {NO_FAULT, GOOD_QUALITY, ""}:
        return NO_FAULT
    if word in ALL_ATTRIBUTES or word in set(FAULT_DIMENSIONS):
        return word
    raise DatasetError(
        f"unknown distortion {spelling!r}; known are {', '.join((*ALL_ATTRIBUTES, NO_FAULT))}"
    )


def _read_joined(file: Path) -> list[LabelledVideo]:
    columns = {d: f"mos_{d}" for d in Dimension}
    rows = read_rows(file, required=["video", "split", *columns.values()])
    return [
        LabelledVideo(
            name=row["video"].lstrip("\ufeff"),
            mos={d: number(row, column, file, line) for d, column in columns.items()},
            split=row["split"],
            category=category_of(row["video"]),
            existing_distortion=_word(row, "existing_distortion"),
            options_shown=tuple(
                standard_name(o) for o in row.get("options_shown", "").split("|") if o
            ),
            most_impactful=_word(row, "most_impactful_dimension"),
            is_distorted={
                d: row[f"distorted_{d}"] == "yes"
                for d in FAULT_DIMENSIONS
                if row.get(f"distorted_{d}", "")
            },
            facts=facts_of(row),
        )
        for line, row in enumerate(rows, start=2)
    ]


def category_of(name: str) -> str:
    """Return the content group that the file name starts with, such as "0_07".

    The release does not say which group is which of the paper's 17 kinds of content.
    """
    fields = name.lstrip("\ufeff").split("_")
    return "_".join(fields[:2]) if len(fields) > 2 else ""


def source_of(name: str) -> str:
    """Return the video that a file was cut from: its name without suffix and number of the cut.

    Three sources have two cuts in the public labels; one of them is in both lists.

    >>> source_of("1_03_05_1728224403_1.mp4"), source_of("0_00_05_1602471821-yase.mp4")
    ('1_03_05_1728224403', '0_00_05_1602471821-yase')
    """
    return _CUT.sub("", Path(name.lstrip("\ufeff")).stem)


def _word(row: Row, column: str) -> str:
    return standard_name(row[column]) if row.get(column) else ""


def _read_release(folder: Path) -> list[LabelledVideo]:
    files = [found for name in MOS_FILES for found in sorted(folder.rglob(name))[:1]]
    videos = [video for file in files for video in _read_mos_file(file)]
    answers, sources = _read_questions(folder), _read_sources(folder)
    videos = [replace(v, source=sources.get(v.name, "")) for v in videos]
    return [answers[v.name].added_to(v) if v.name in answers else v for v in videos]


def _read_sources(folder: Path) -> Mapping[str, str]:
    file = folder / SOURCES_FILE
    rows = read_rows(file, required=["video_name", "source"]) if file.is_file() else []
    return {row["video_name"]: row["source"] for row in rows}


def _read_mos_file(file: Path) -> list[LabelledVideo]:
    rows = read_rows(file, required=["video_name", *Dimension])
    return [
        LabelledVideo(
            name=row["video_name"].lstrip("\ufeff"),
            mos={d: number(row, str(d), file, line) for d in Dimension},
            split=MOS_FILES[file.name],
            category=category_of(row["video_name"]),
        )
        for line, row in enumerate(rows, start=2)
    ]


@dataclass(slots=True)
class _Answers:
    """What the question files say of one video."""

    is_distorted: dict[Dimension, bool] = field(default_factory=dict)
    existing_distortion: str = ""
    options_shown: tuple[str, ...] = ()
    most_impactful: str = ""
    impact_options_shown: tuple[str, ...] = ()

    def added_to(self, video: LabelledVideo) -> LabelledVideo:
        return replace(
            video,
            is_distorted=self.is_distorted,
            existing_distortion=self.existing_distortion,
            options_shown=self.options_shown,
            most_impactful=self.most_impactful,
            impact_options_shown=self.impact_options_shown,
        )


def _read_questions(folder: Path) -> Mapping[str, _Answers]:
    answers: dict[str, _Answers] = {}
    for dimension, file_name in YES_NO_FILES.items():
        for name, _, answer in _conversations(folder, file_name):
            answers.setdefault(name, _Answers()).is_distorted[dimension] = answer.lower() == "yes"
    for file_name in EXIST_FILES:
        for name, question, answer in _conversations(folder, file_name):
            entry = answers.setdefault(name, _Answers())
            entry.options_shown, entry.existing_distortion = _options(question, answer, file_name)
    for file_name in MOST_FILES:
        for name, question, answer in _conversations(folder, file_name):
            entry = answers.setdefault(name, _Answers())
            entry.impact_options_shown, entry.most_impactful = _options(question, answer, file_name)
    return answers


def _conversations(folder: Path, file_name: str) -> Iterator[tuple[str, str, str]]:
    """Yield video, question and answer of a question file, if the folder has it."""
    for file in sorted(folder.rglob(file_name))[:1]:
        for line, text in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
            if not text.strip():
                continue
            try:
                entry = json.loads(text)
                asked, said = (turn["value"] for turn in entry["conversations"][:2])
                yield entry["video"].lstrip("\ufeff"), asked, said.strip()
            except (ValueError, KeyError, TypeError) as error:
                raise DatasetError(
                    f"{file}, line {line}: not a question ({error!r}); expected video and "
                    "conversations"
                ) from None


def _options(question: str, answer: str, file_name: str) -> tuple[tuple[str, ...], str]:
    options = {letter: standard_name(words) for letter, words in _OPTION.findall(question)}
    if answer not in options:
        raise DatasetError(
            f"{file_name}: answer {answer!r} is none of the options {', '.join(options)}"
        )
    return tuple(options.values()), options[answer]


ADAPTER = Adapter(
    name="finevd",
    title="FineVD",
    reference=(
        "Duan et al., CVPR 2025; huggingface.co/datasets/IntMeGroup/FineVD and the data folder of "
        "github.com/IntMeGroup/FineVQ"
    ),
    num_videos=5074,
    scale=(0.0, 100.0),
    mos_limits=(-10.0, 100.0),  # rescaled Z-scores: a few noise MOS lie below 0, down to -8.6
    label_files=("MOS_train.csv", "labels.csv"),
    read=read,
    columns=frozenset({"video", "split", "mos_color", "mos_overall"}),
)
