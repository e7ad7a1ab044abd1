"""What instruction tuning learns from: one question on one video, with its answer and its scores.

Data sets of every layout become these records; trainers know nothing else. How a question is
worded is the prompter's business: a record holds the question's meaning.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from finevq.datasets.splits import hashed_part
from finevq.errors import DatasetError
from finevq.prompts.questions import Family, Question
from finevq.training.samples import Split
from finevq.vocabulary import Dimension

_log = logging.getLogger(__name__)

Task = Literal["rating", "scoring", "yes_no", "which_exists", "which_most", "describe"]

SHARES: Mapping[Split, float] = {"train": 4.0, "validation": 1.0, "test": 1.0}
"""Of a data set without published splits. Source: FineVQ, section 5.1 (4:1:1)."""

_TASKS: Mapping[Family, Task] = {
    Family.RATING: "rating",
    Family.SCORING: "scoring",
    Family.DISTORTED: "yes_no",
    Family.ATTRIBUTE: "yes_no",
    Family.WHICH: "which_exists",
    Family.MOST: "which_most",
    Family.DESCRIBE: "describe",
    Family.FREE: "describe",
}
_SAMPLED_BLOCKS = 16
_BLOCK_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class InstructionRecord:
    """One question on one video.

    A prompter turns it into tokens: `suffix_ids(question, question.stem)`, then the answer. For a
    closed question the answer is one of `question.choices` (`continuation_ids` spells it); the
    score belongs to the last token before it.
    """

    id: str
    """Unique in a data set: video, task and what the question is about."""
    video: Path
    """File; it may turn out to be missing or broken."""
    group: str
    """Identity of the source: records of one group stay in one split."""
    split: Split
    question: Question
    answer: str = ""
    """What follows the question's stem; "" where only scores are to be learnt."""
    scores: Mapping[Dimension, float] = field(default_factory=dict)
    """MOS on the data set's own scale; empty where none is known."""
    scale: tuple[float, float] = (0.0, 100.0)
    """Lowest and highest score of the data set's scale."""

    @property
    def task(self) -> Task:
        """Which of the paper's tasks the question belongs to."""
        return _TASKS[self.question.family]

    @property
    def unit_scores(self) -> dict[Dimension, float]:
        """Scores moved to 0..1 of the scale: what a score head regresses."""
        low, high = self.scale
        return {dimension: (mos - low) / (high - low) for dimension, mos in self.scores.items()}


def split_of(group: str, published: str = "", *, has_validation: bool = False) -> Split:
    """Return the split of a group.

    A published test list stays the test list. Where a data set publishes no validation list, a
    fifth of its training groups becomes one; nothing is ever selected on test data.

    Args:
        group: See `InstructionRecord.group`.
        published: What the data set says: train, val, validation, test, test_1080p, or nothing.
        has_validation: Whether it publishes a validation list.

    Raises:
        DatasetError: the word is no split.

    >>> split_of("x", "test_1080p"), split_of("x", "val"), split_of("x", "train")
    ('test', 'validation', 'train')
    """
    word = published.strip().lower()
    if word.startswith("test"):
        return "test"
    if word in {"val", "valid", "validation"}:
        return "validation"
    if word not in {"", "train", "training"}:
        raise DatasetError(f"unknown split {published!r}; known: train, validation (val), test")
    if word and has_validation:
        return "train"
    shares: dict[str, float] = {
        name: share for name, share in SHARES.items() if not word or name != "test"
    }
    part = hashed_part(group, shares)
    return "train" if part == "train" else "validation" if part == "validation" else "test"


def content_key(path: Path) -> str:
    """Return 24 hex digits that follow from a file's content, not from its name or its dates.

    At most 1 MiB is read: size and sixteen blocks spread over the file; small files whole.

    Raises:
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= _SAMPLED_BLOCKS * _BLOCK_BYTES:
            digest.update(file.read())
        else:
            step = (size - _BLOCK_BYTES) / (_SAMPLED_BLOCKS - 1)
            for block in range(_SAMPLED_BLOCKS):
                file.seek(round(block * step))
                digest.update(file.read(_BLOCK_BYTES))
    return digest.hexdigest()[:24]


def group_of(video: Path, source: str = "") -> str:
    """Return the group of a video: its source where known, else its content, else its name.

    Copies of one file under two names are one group, so that they cannot be learnt and tested on.
    """
    if source:
        return source
    try:
        return content_key(video)
    except OSError:
        return video.name


def check_records(records: Sequence[InstructionRecord]) -> None:
    """Make sure that records can be trained on.

    Raises:
        DatasetError: there are none, an id comes twice, or a group is in two splits.
    """
    if not records:
        raise DatasetError("no instruction records: the data set is empty or was filtered out")
    counts = Counter(record.id for record in records)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise DatasetError(f"{len(twice)} record ids come twice, first {twice[0]!r}")
    homes: dict[str, tuple[Split, str]] = {}
    for record in records:
        split, first = homes.setdefault(record.group, (record.split, record.id))
        if split != record.split:
            raise DatasetError(
                f"group {record.group!r} is in {split} ({first}) and in {record.split} "
                f"({record.id}); videos of one source must share a split"
            )


def without_leaks(records: Sequence[InstructionRecord]) -> list[InstructionRecord]:
    """Return the records without those of training and validation whose group is in test too.

    FineVD's published lists hold such a pair: two cuts of one video, one to learn, one to test.
    """
    tested = {record.group for record in records if record.split == "test"}
    kept = [record for record in records if record.split == "test" or record.group not in tested]
    if len(kept) < len(records):
        names = sorted({r.video.name for r in records if r.group in tested and r.split != "test"})
        _log.warning(
            "%d videos are left out of training, since another video of the same source is in "
            "the test list: %s",
            len(names),
            ", ".join(names[:5]),
        )
    return kept


def of_split(records: Iterable[InstructionRecord], split: Split) -> list[InstructionRecord]:
    """Return the records of one split, in order."""
    return [record for record in records if record.split == split]


def of_tasks(
    records: Iterable[InstructionRecord], tasks: Sequence[Task]
) -> list[InstructionRecord]:
    """Return the records of some tasks, in order."""
    return [record for record in records if record.task in tasks]
