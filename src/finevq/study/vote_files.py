"""Read votes from files: wide and long CSV, the bare matrix of the ITU toolkits, sureal's datasets.

Which form a file has is seen from its header, never asked for:

- wide: a row per stimulus, a column per subject, optionally `reference` and `dimension`;
- wide, turned round: a row per subject (first column `subject`), a column per stimulus;
- long: a row per vote with `stimulus`, `subject` and `score`, or one column per dimension;
- bare: numbers only, rows are stimuli, columns subjects, a row of empty cells before each
  repetition (the CSV of the demonstrations of ITU-T P.910 and ITU-R BT.500);
- sureal: JSON with `dis_videos`, or its Python form, read as literals, never run.

A repeated stimulus row, subject column or long row is a repetition.
"""

import ast
import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from finevq.errors import DatasetError
from finevq.study.votes import VoteTable
from finevq.vocabulary import DISTORTION_LEVELS, QUALITY_LEVELS

SINGLE_DIMENSION = "quality"
"""Name of the dimension where a file does not name one."""

_STIMULUS_WORDS = frozenset(
    [
        "stimulus",
        "stimuli",
        "stimulus_id",
        "video",
        "video_id",
        "video_name",
        "videoname",
        "clip",
        "clip_id",
        "pvs",
        "pvs_id",
        "file",
        "filename",
        "file_name",
        "path",
        "name",
        "asset",
        "asset_id",
        "item",
        "image",
        "presentation",
        "sequence",
    ]
)
_REFERENCE_WORDS = frozenset(
    [
        "reference",
        "ref",
        "reference_id",
        "source",
        "src",
        "source_id",
        "content",
        "content_id",
        "content_name",
    ]
)
_SUBJECT_WORDS = frozenset(
    [
        "subject",
        "subject_id",
        "observer",
        "observer_id",
        "viewer",
        "rater",
        "rater_id",
        "worker",
        "worker_id",
        "user",
        "user_id",
        "participant",
        "participant_id",
        "annotator",
        "assessor",
    ]
)
_SCORE_WORDS = frozenset(["score", "vote", "rating", "os", "opinion_score", "opinion", "value"])
_DIMENSION_WORDS = frozenset(["dimension", "perspective", "aspect"])
_IGNORED_WORDS = frozenset(
    [
        "mos",
        "dmos",
        "mean",
        "std",
        "sd",
        "sos",
        "stdev",
        "ci",
        "ci95",
        "num_votes",
        "repetition",
        "repeat",
        "rep",
        "trial",
        "position",
        "time",
        "timestamp",
        "seconds",
        "replays",
        "late",
        "category",
        "kind",
        "role",
        "index",
        "id",
        "number",
        "row",
    ]
)
MAX_VOTE = 1e9
"""Larger numbers are a damaged file, and their squares are beyond what can be computed with."""
_MISSING = frozenset(["", "nan", "na", "n/a", "#n/a", "null", "none", "-", "--", "?", "."])
_DELIMITERS = ("\t", ";", "|", ",")
_LEVEL_VOTES = {
    word: float(index)
    for words in (DISTORTION_LEVELS, QUALITY_LEVELS)
    for index, word in enumerate(words, start=1)
}


@dataclass(slots=True)
class _Collector:
    """Gathers single votes into a table, in order of first appearance."""

    stimuli: dict[str, str] = field(default_factory=dict)
    """Stimulus -> reference."""
    subjects: dict[str, None] = field(default_factory=dict)
    votes: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, stimulus: str, subject: str, vote: float, reference: str = "") -> None:
        self.add_stimulus(stimulus, reference)
        self.subjects.setdefault(subject)
        self.votes.setdefault((stimulus, subject), []).append(vote)

    def add_stimulus(self, stimulus: str, reference: str = "") -> None:
        known = self.stimuli.get(stimulus, "")
        if known and reference and known != reference:
            raise DatasetError(
                f"stimulus {stimulus!r} has two references: {known!r} and {reference!r}"
            )
        self.stimuli[stimulus] = known or reference

    def table(self) -> VoteTable:
        rows = {name: index for index, name in enumerate(self.stimuli)}
        columns = {name: index for index, name in enumerate(self.subjects)}
        num_repetitions = max((len(votes) for votes in self.votes.values()), default=1)
        array = np.full((len(rows), len(columns), num_repetitions), np.nan)
        for (stimulus, subject), votes in self.votes.items():
            array[rows[stimulus], columns[subject], : len(votes)] = votes
        has_references = any(self.stimuli.values())
        return VoteTable(
            stimuli=tuple(self.stimuli),
            subjects=tuple(self.subjects),
            votes=array,
            references=tuple(self.stimuli.values()) if has_references else (),
        )


def read_votes(path: Path) -> dict[str, VoteTable]:
    """Read a file of votes, whatever its form.

    Returns:
        One table for each dimension, in the file's order; a file without dimensions gives one
        table named `SINGLE_DIMENSION`.

    Raises:
        DatasetError: the file is missing, empty, of no known form, or has a vote that is no number.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path} cannot be read as UTF-8 text: {error}") from None
    try:
        if path.suffix.lower() == ".py":
            tables = _from_sureal(_python_literals(text))
        elif text.lstrip()[:1] == "{":
            tables = _from_sureal(json.loads(text))
        else:
            tables = _from_rows(_split(text))
    except DatasetError as error:
        raise DatasetError(f"{path}: {error}") from None
    except (json.JSONDecodeError, SyntaxError, ValueError, csv.Error) as error:
        raise DatasetError(f"{path} is damaged: {error}") from None
    if not any(table.num_votes for table in tables.values()):
        raise DatasetError(f"{path} holds no vote")
    return tables


def _split(text: str) -> list[list[str]]:
    """Cut CSV text into cells, with the separator under which it is a table."""
    readings = [_cells(text, delimiter) for delimiter in _DELIMITERS]
    # The comma last: beside another separator it is a decimal comma.
    even = [rows for rows in readings if len(rows[:1] and rows[0]) > 1 and _is_even(rows)]
    return even[0] if even else max(readings, key=lambda rows: len(rows[:1] and rows[0]))


def _cells(text: str, delimiter: str) -> list[list[str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    rows = [[cell.strip() for cell in row] for row in reader]
    return [row for row in rows if row and row != [""]]


def _is_even(rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether all rows have as many cells, but for those that separate repetitions."""
    return len({len(row) for row in rows if any(row)}) == 1


def _from_rows(rows: list[list[str]]) -> dict[str, VoteTable]:
    if not rows or not any(any(row) for row in rows):
        raise DatasetError("the file is empty")
    if all(_is_number(cell) for cell in rows[0]):
        return {SINGLE_DIMENSION: _from_matrix(rows)}
    header, body = _without_padding(rows[0], [row for row in rows[1:] if any(row)])
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise DatasetError(
                f"row {number} has {len(row)} cells, the header has {len(header)}; "
                "write an empty cell for a missing vote"
            )
    columns = _Columns.find(header)
    if columns.subject is None:
        return _from_wide(header, body, columns)
    if columns.stimulus is None and columns.score is None:
        return {SINGLE_DIMENSION: _from_turned(header, body, columns.subject)}
    return _from_long(header, body, columns)


def _without_padding(
    header: Sequence[str], body: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]]]:
    """Drop what programs add: empty cells at the ends of rows, an unnamed column of row numbers."""
    width = max((i + 1 for row in [header, *body] for i, cell in enumerate(row) if cell), default=0)
    width = max(width, max(i + 1 for i, name in enumerate(header) if name))
    head, rows = list(header[:width]), [list(row[:width]) for row in body]
    numbers = [row[0] for row in rows if row]
    is_numbered = any(numbers == [str(first + i) for i in range(len(rows))] for first in (0, 1))
    if len(head) > 2 and not head[0] and is_numbered and _names_a_column(head[1:]):
        return head[1:], [row[1:] for row in rows]
    return head, rows


def _names_a_column(header: Sequence[str]) -> bool:
    known = _STIMULUS_WORDS | _SUBJECT_WORDS
    return any(_word(name) in known for name in header)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Positions of the columns with a meaning; None where there is none."""

    stimulus: int | None
    reference: int | None
    subject: int | None
    score: int | None
    dimension: int | None

    @classmethod
    def find(cls, header: Sequence[str]) -> "_Columns":
        words = [_word(name) for name in header]

        def position(known: Iterable[str]) -> int | None:
            return next((index for index, word in enumerate(words) if word in known), None)

        return cls(
            stimulus=position(_STIMULUS_WORDS),
            reference=position(_REFERENCE_WORDS),
            subject=position(_SUBJECT_WORDS),
            score=position(_SCORE_WORDS),
            dimension=position(_DIMENSION_WORDS),
        )


def _word(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _from_wide(
    header: Sequence[str], body: Sequence[Sequence[str]], columns: _Columns
) -> dict[str, VoteTable]:
    stimulus_column = columns.stimulus
    if stimulus_column is None:  # the first that means nothing else
        known = {columns.reference, columns.dimension}
        known |= {index for index, name in enumerate(header) if _word(name) in _IGNORED_WORDS}
        stimulus_column = next(i for i in range(len(header) + 1) if i not in known)
    special = {stimulus_column, columns.reference, columns.dimension}
    subjects = {
        index: name or f"column {index + 1}"
        for index, name in enumerate(header)
        if index not in special
        and _word(name) not in _IGNORED_WORDS
        and _holds_votes(name, [row[index] for row in body])
    }
    if not subjects or stimulus_column >= len(header):
        raise DatasetError(
            f"no column of votes among {', '.join(header)}; the wide form has one "
            "column per subject, the long form columns stimulus, subject and score"
        )
    collectors: dict[str, _Collector] = {}
    for number, row in enumerate(body, start=2):
        dimension = SINGLE_DIMENSION if columns.dimension is None else row[columns.dimension]
        collector = collectors.setdefault(dimension, _Collector())
        reference = "" if columns.reference is None else row[columns.reference]
        _require_name(row[stimulus_column], f"row {number}", "stimulus")
        for index, subject in subjects.items():
            vote = _vote(row[index], f"row {number}, column {subject!r}")
            collector.add(row[stimulus_column], subject, vote, reference)
    return {name: collector.table() for name, collector in collectors.items()}


def _holds_votes(name: str, cells: Sequence[str]) -> bool:
    """Tell whether a column is a subject's: some votes, or none at all below a name."""
    if all(cell.lower() in _MISSING for cell in cells):
        return bool(name)
    return any(_is_number(cell) or cell.lower() in _LEVEL_VOTES for cell in cells)


def _from_turned(
    header: Sequence[str], body: Sequence[Sequence[str]], subject_column: int
) -> VoteTable:
    collector = _Collector()
    for index, stimulus in enumerate(header):
        if index == subject_column:
            continue
        _require_name(stimulus, f"column {index + 1}", "stimulus")
        for number, row in enumerate(body, start=2):
            _require_name(row[subject_column], f"row {number}", "subject")
            vote = _vote(row[index], f"row {number}, column {stimulus!r}")
            collector.add(stimulus, row[subject_column], vote)
    return collector.table()


def _from_long(
    header: Sequence[str], body: Sequence[Sequence[str]], columns: _Columns
) -> dict[str, VoteTable]:
    if columns.stimulus is None or columns.subject is None:
        raise DatasetError(
            "the long form needs columns stimulus, subject and score; "
            f"there are {', '.join(header)}"
        )
    special = {columns.stimulus, columns.subject, columns.reference, columns.dimension}
    scores = (
        [columns.score] if columns.score is not None else _numeric_columns(header, body, special)
    )
    if not scores:
        raise DatasetError(f"no column of scores among {', '.join(header)}; name one 'score'")
    collectors: dict[str, _Collector] = {}
    for number, row in enumerate(body, start=2):
        reference = "" if columns.reference is None else row[columns.reference]
        _require_name(row[columns.stimulus], f"row {number}", "stimulus")
        _require_name(row[columns.subject], f"row {number}", "subject")
        for index in scores:
            dimension = SINGLE_DIMENSION if columns.score is not None else header[index]
            if columns.dimension is not None:
                dimension = row[columns.dimension]
            vote = _vote(row[index], f"row {number}, column {header[index]!r}")
            collector = collectors.setdefault(dimension, _Collector())
            collector.add_stimulus(row[columns.stimulus], reference)
            collector.subjects.setdefault(row[columns.subject])
            if not math.isnan(vote):
                collector.add(row[columns.stimulus], row[columns.subject], vote, reference)
    return {name: collector.table() for name, collector in collectors.items()}


def _numeric_columns(
    header: Sequence[str], body: Sequence[Sequence[str]], special: Iterable[int | None]
) -> list[int]:
    return [
        index
        for index, name in enumerate(header)
        if index not in set(special)
        and _word(name) not in _IGNORED_WORDS
        and any(_is_number(row[index]) for row in body)
        and all(_is_number(row[index]) or row[index].lower() in _MISSING for row in body)
    ]


def _from_matrix(rows: Sequence[Sequence[str]]) -> VoteTable:
    blocks: list[list[list[float]]] = [[]]
    for number, row in enumerate(rows, start=1):
        if not any(row):
            blocks.append([])
        else:
            blocks[-1].append([_vote(cell, f"row {number}") for cell in row])
    blocks = [block for block in blocks if block]
    shapes = {(len(block), len(row)) for block in blocks for row in block}
    if len(shapes) != 1:
        raise DatasetError(
            "the rows of a bare matrix must be equally long and its repetitions equally large; "
            f"there are (rows, columns) {sorted(shapes)}"
        )
    votes = np.array(blocks).transpose(1, 2, 0)
    return VoteTable(
        stimuli=tuple(str(index + 1) for index in range(votes.shape[0])),
        subjects=tuple(str(index + 1) for index in range(votes.shape[1])),
        votes=votes,
    )


def _from_sureal(data: Mapping[str, Any]) -> dict[str, VoteTable]:
    videos = data.get("dis_videos")
    if not isinstance(videos, list) or not videos:
        raise DatasetError("no list 'dis_videos', so this is no dataset of sureal")
    names = _sureal_names(videos)
    references = _sureal_references(data, videos, names)
    collector = _Collector()
    for video, name, reference in zip(videos, names, references, strict=True):
        scores = video.get("os")
        if isinstance(scores, Mapping):
            pairs = [(str(subject), score) for subject, score in scores.items()]
        elif isinstance(scores, list | tuple):
            pairs = [(str(index + 1), score) for index, score in enumerate(scores)]
        else:
            raise DatasetError(f"video {name!r} has no opinion scores 'os' (a list or a mapping)")
        collector.add_stimulus(name, reference)
        for subject, score in pairs:
            for vote in score if isinstance(score, list | tuple) else [score]:
                text = "" if vote is None else str(vote)
                collector.add(
                    name, subject, _vote(text, f"video {name!r}, subject {subject!r}"), reference
                )
    return {SINGLE_DIMENSION: collector.table()}


def _sureal_names(videos: Sequence[Mapping[str, Any]]) -> list[str]:
    for key in ("asset_id", "path"):
        names = [str(video[key]) for video in videos if key in video]
        if len(set(names)) == len(videos):
            return names
    return [str(index) for index in range(len(videos))]


def _sureal_references(
    data: Mapping[str, Any], videos: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> list[str]:
    """Name the hidden reference of each video: the one whose path is its content's reference."""
    paths = {ref.get("content_id"): ref.get("path") for ref in data.get("ref_videos", [])}
    hidden = {
        video.get("content_id"): name
        for video, name in zip(videos, names, strict=True)
        if video.get("path") is not None and video.get("path") == paths.get(video.get("content_id"))
    }
    return [
        hidden.get(video.get("content_id"), f"content {video['content_id']}")
        if "content_id" in video
        else ""
        for video in videos
    ]


def _python_literals(text: str) -> dict[str, Any]:
    """Read the assignments of literals at the top level; nothing is executed."""
    values: dict[str, Any] = {}
    for node in ast.parse(text).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        try:
            values[node.targets[0].id] = ast.literal_eval(node.value)
        except ValueError:
            continue
    return values


def _require_name(name: str, place: str, what: str) -> None:
    if not name:
        raise DatasetError(f"{place} does not name its {what}; fill the cell, or remove the votes")


def _number(cell: str) -> float:
    """Return a number with a decimal point or comma; infinity where it is none."""
    try:
        return float(cell.replace(",", ".", 1))
    except ValueError:
        return math.inf


def _is_number(cell: str) -> bool:
    return math.isfinite(_number(cell)) or cell.lower() == "nan"


def _vote(cell: str, place: str) -> float:
    word = cell.strip().lower()
    if word in _MISSING:
        return math.nan
    if word in _LEVEL_VOTES:
        return _LEVEL_VOTES[word]
    vote = _number(word)
    if not abs(vote) <= MAX_VOTE:
        raise DatasetError(
            f"{place}: {cell!r} is no vote; allowed are numbers, level words or nothing"
        )
    return vote
