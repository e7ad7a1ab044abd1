"""The official question files (jsonl) as instruction records, with all their warts.

Layouts: one JSON object a line with `video`, `conversations` (pairs of a human's and the model's
turn) and, for ratings, `mos`; or a small JSON file that names such files and the videos' root.
Source: the data folder of github.com/IntMeGroup/FineVQ.

What is met there and handled here: a byte-order mark at the start of the file or inside the first
file name; a missing `mos`; attributes in Chinese (abcd_train.jsonl) or misspelt
(abcd_train_en.jsonl); options with `None` or "Video quality is good" for nothing; placeholders
(<image>, <|video|>) in the question; absolute paths of other people's machines; train and test
lists that hold two cuts of one video.
"""

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finevq.datasets.finevd import source_of, standard_name
from finevq.errors import DatasetError
from finevq.prompts import questions, templates
from finevq.prompts.questions import Family, Question
from finevq.training.records import InstructionRecord, split_of, without_leaks
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DISTORTION_LEVELS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    QUALITY_LEVELS,
    Dimension,
)

_log = logging.getLogger(__name__)

_PLACEHOLDERS = re.compile(r"<\|?(image|video)\|?>")
_RATING = re.compile(
    r"how would you rate the (?P<subject>.*?)\s*(?:quality )?of (?:this|the) video"
)
_CONSIDERED = re.compile(r"considering the (?P<dimension>\w+) dimension")
_YES_NO = re.compile(r"if there is no (?P<subject>.+?) in (?:this|the) video")
_OPTION = re.compile(r"([A-Z])\s*:\s*\[([^\]]*)\]")
_LETTER = re.compile(r"^\W*([A-Z])\b")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_MAX_UNUSABLE = 0.1
"""Share of lines that may make no sense before the whole file is refused."""


def read_official(
    path: Path,
    videos: Path | None = None,
    *,
    scale: tuple[float, float] = (0.0, 100.0),
) -> list[InstructionRecord]:
    """Read official question files.

    Lines that make no sense are left out and logged with their numbers. Training videos of which
    another cut is in the test list are left out too. The published test list stays the test list;
    a fifth of the training videos becomes the validation list, which the release does not have.

    Args:
        path: A jsonl (its name says train, val or test), a JSON file that names several, or a
            folder of jsonl files.
        videos: Folder of the videos, searched at any depth; the root that the JSON file names, or
            the jsonl's folder, where None.
        scale: Of `mos`. Official: 0..100.

    Raises:
        DatasetError: a file is missing or no such file, or more than a tenth of its lines are
            unusable.
    """
    files, root = _annotations(path, videos)
    found = _VideoFinder(root)
    records = [record for file in files for record in _records_of(file, found, scale)]
    return without_leaks(records)


def _annotations(path: Path, videos: Path | None) -> tuple[list[Path], Path]:
    if path.is_dir():
        files = sorted(path.glob("*.jsonl"))
        if not files:
            raise DatasetError(f"{path} holds no .jsonl file")
        return files, videos or path
    if not path.is_file():
        raise DatasetError(f"{path}: no such question file; give a .jsonl, a .json or a folder")
    if path.suffix == ".jsonl":
        return [path], videos or path.parent
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig")).values()
        named = [
            str(value)
            for entry in entries
            for key, value in entry.items()
            if key.startswith("annotation")
        ]
        roots = [Path(entry["root"]) for entry in entries if "root" in entry]
    except (ValueError, AttributeError, TypeError) as error:
        raise DatasetError(f"{path} names no annotation files: {error!r}") from None
    # The release's paths are of its authors' machines: the files lie beside the JSON.
    files = [file if (file := Path(name)).is_file() else path.parent / file.name for name in named]
    if absent := [file.name for file in files if not file.is_file()]:
        raise DatasetError(f"{path} names {', '.join(absent)}, not found there or beside it")
    known_root = next((root for root in roots if root.is_dir()), path.parent)
    return files, videos or known_root


class _VideoFinder:
    """Finds a named video under a folder; what is not there keeps its plain path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name: dict[str, Path] | None = None

    def __call__(self, name: str) -> Path:
        relative = Path(Path(name).name) if Path(name).is_absolute() else Path(name)
        direct = self._root / relative
        if direct.is_file():
            return direct
        if self._by_name is None:
            files = sorted(self._root.rglob("*"), reverse=True) if self._root.is_dir() else []
            self._by_name = {file.name: file for file in files}
        return self._by_name.get(relative.name, direct)


def _records_of(
    file: Path, find: _VideoFinder, scale: tuple[float, float]
) -> Iterator[InstructionRecord]:
    published = "train" if "train" in file.stem else "test"
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    unusable: list[str] = []
    num_lines = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        num_lines += 1
        try:
            entry = _entry(line)
            video = find(entry.video)
            group = source_of(entry.video)
            for turn, (asked, said) in enumerate(entry.turns):
                question, answer = understand(asked, said)
                scored = question.dimension or Dimension.OVERALL
                is_rated = question.family in (Family.RATING, Family.SCORING)
                yield InstructionRecord(
                    id=f"{file.stem}:{number}" + (f".{turn}" if turn else ""),
                    video=video,
                    group=group,
                    split=split_of(group, published),
                    question=question,
                    answer=answer,
                    scores={scored: entry.mos} if is_rated and entry.mos is not None else {},
                    scale=scale,
                )
        except (DatasetError, ValueError) as error:
            unusable.append(f"line {number}: {error}")
    if unusable:
        _log.warning("%s: left out %s", file, "; ".join(unusable[:10]))
    if num_lines == 0 or len(unusable) > _MAX_UNUSABLE * num_lines:
        raise DatasetError(
            f"{file}: {len(unusable)} of {num_lines} lines are unusable"
            + (f", first {unusable[0]}" if unusable else "; the file is empty")
        )


@dataclass(frozen=True, slots=True)
class _Entry:
    video: str
    turns: tuple[tuple[str, str], ...]
    mos: float | None


def _entry(line: str) -> _Entry:
    try:
        values: Mapping[str, Any] = json.loads(line)
        video = str(values["video"]).strip().lstrip("\ufeff")
        said = [str(turn["value"]) for turn in values["conversations"]]
    except (KeyError, TypeError) as error:
        raise DatasetError(
            f"not a question ({error!r}); expected video and conversations"
        ) from None
    if not video or len(said) < 2 or len(said) % 2:
        raise DatasetError(
            f"{len(said)} turns about {video!r}; expected a video and pairs of turns"
        )
    mos = values.get("mos")
    number = float(mos) if mos is not None and mos != "" else math.nan
    return _Entry(
        video,
        tuple(zip(said[::2], said[1::2], strict=True)),
        number if math.isfinite(number) else None,
    )


def understand(asked: str, said: str) -> tuple[Question, str]:
    """Return the meaning of an official question and its answer.

    Args:
        asked: The human's turn.
        said: The model's turn.

    Raises:
        DatasetError: the answer is none of those that the question allows.

    >>> understand("Which{A:[压缩模糊], B:[None]}", "A")[1]
    'compression blur'
    >>> understand("If there is no blur in the video, please answer [No].", "Yes")[0].text
    'Is there a blur distortion in this video?'
    """
    text = _PLACEHOLDERS.sub("", asked).strip()
    lowered = text.lower()
    answer = said.strip()
    if options := _OPTION.findall(text):
        return _lettered(options, answer)
    if subject := _YES_NO.search(lowered):
        return _yes_no(subject["subject"], answer)
    if rated := _RATING.search(lowered):
        considered = _CONSIDERED.search(lowered)
        words = considered["dimension"] if considered else rated["subject"]
        return _rated(_dimension(words) or Dimension.OVERALL, answer)
    if re.search(r"\b(score|mos)\b", lowered) and _NUMBER.search(answer):
        return questions.scoring(_dimension(lowered) or Dimension.OVERALL), ""
    if re.search(r"\bdescribe\b", lowered):
        return questions.describe(), answer
    return questions.free(text), answer


def _lettered(options: Sequence[tuple[str, str]], answer: str) -> tuple[Question, str]:
    choices = {letter: standard_name(words) for letter, words in options}
    letter = _LETTER.match(answer)
    if letter is None or letter[1] not in choices:
        raise DatasetError(f"answer {answer!r} is none of the options {', '.join(choices)}")
    if len(set(choices.values())) < len(choices):
        raise DatasetError(f"an option comes twice: {', '.join(choices.values())}")
    named = tuple(choices.values())
    if set(named) <= {*map(str, FAULT_DIMENSIONS), NO_FAULT}:
        return Question(Family.MOST, templates.MOST_QUESTION, choices=named), choices[letter[1]]
    return questions.which(named), choices[letter[1]]


def _yes_no(subject: str, answer: str) -> tuple[Question, str]:
    word = re.sub(r"[^a-z]", "", answer.lower())
    if word not in {templates.YES, templates.NO}:
        raise DatasetError(f"answer {answer!r} is neither yes nor no")
    bare = re.sub(r"\s*distortions?$", "", subject)
    if bare in {*FAULT_DIMENSIONS, "temp"}:
        return questions.distorted(_dimension(bare) or Dimension.TEMPORAL), word
    name = standard_name(subject)
    if name not in ALL_ATTRIBUTES:
        raise DatasetError(f"a yes/no question about {subject!r}, which is no distortion")
    return questions.attribute(name), word


def _rated(dimension: Dimension, answer: str) -> tuple[Question, str]:
    question = questions.rating(dimension)
    words = re.findall(r"[a-z]+", answer.lower())
    for levels in (QUALITY_LEVELS, DISTORTION_LEVELS):
        for rank, level in enumerate(levels):
            if level in words:
                # The release rates every dimension in the words of quality; ranks are the same.
                return question, question.choices[rank]
    raise DatasetError(f"answer {answer!r} names no level: {', '.join(QUALITY_LEVELS)}")


def _dimension(words: str) -> Dimension | None:
    spellings = {"temp": Dimension.TEMPORAL, **{str(name): name for name in Dimension}}
    found = [spellings[word] for word in re.findall(r"[a-z]+", words) if word in spellings]
    return found[0] if found and len(set(found)) == 1 else None
