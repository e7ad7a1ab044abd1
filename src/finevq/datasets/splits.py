"""Splits as files with a hash: which video trains, which selects, which tests.

A split that cannot be named cannot be checked: every table prints the hash of the split it used.
"""

import hashlib
import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.errors import DatasetError

_FORMAT = "finevq-split-1"


def fold_of(name: str, num_folds: int) -> int:
    """Return the fold of a name: the same on every machine, whatever else is in the set."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % num_folds


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """A partition of a data set's videos into named parts."""

    data_set: str
    method: str
    """How it came about: published, or the rule and seed of a random one."""
    parts: Mapping[str, tuple[str, ...]]
    """Part (train, val, test, ...) to video names, in label-file order."""

    def __post_init__(self) -> None:
        seen: dict[str, str] = {}
        for part, names in self.parts.items():
            for name in names:
                if name in seen:
                    raise DatasetError(
                        f"split of {self.data_set}: {name} is in {seen[name]} and {part}"
                    )
                seen[name] = part

    @property
    def hash(self) -> str:
        """Sixteen hex digits that change with any video that changes its part."""
        content = {part: sorted(names) for part, names in sorted(self.parts.items())}
        text = json.dumps([self.data_set, content], ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def part(self, name: str) -> tuple[str, ...]:
        """Return the videos of a part.

        Raises:
            DatasetError: there is no such part.
        """
        if name not in self.parts:
            raise DatasetError(
                f"split of {self.data_set} has no part {name!r}; it has {', '.join(self.parts)}"
            )
        return self.parts[name]

    def save(self, path: Path) -> None:
        """Write the split as JSON with its hash."""
        content = {
            "format": _FORMAT,
            "data_set": self.data_set,
            "method": self.method,
            "hash": self.hash,
            "parts": {part: list(names) for part, names in self.parts.items()},
        }
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load_split(path: Path) -> Split:
    """Read a split file and check its hash.

    Raises:
        DatasetError: it is no split file, or it was changed after it was hashed.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        split = Split(
            data_set=content["data_set"],
            method=content["method"],
            parts={part: tuple(names) for part, names in content["parts"].items()},
        )
        stored = content["hash"]
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such split file") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path}: not a split file of finevq ({error!r})") from None
    if stored != split.hash:
        raise DatasetError(
            f"{path}: its hash is {stored}, its content hashes to {split.hash}; it was edited "
            "after it was made. Make a new split instead."
        )
    return split


def apply_split(labels: LabelSet, split: Split) -> LabelSet:
    """Return the videos of a split, each with its part as its split; the others are left out.

    Raises:
        DatasetError: the split is of another data set, or names videos that it does not have.
    """
    if split.data_set != labels.name:
        raise DatasetError(f"the split is of {split.data_set}, the labels are of {labels.name}")
    part_of = {name: part for part, names in split.parts.items() for name in names}
    if unknown := sorted(set(part_of) - {video.name for video in labels.videos}):
        raise DatasetError(
            f"the split names {len(unknown)} videos that {labels.name} lacks: "
            f"{', '.join(unknown[:5])}"
        )
    videos = tuple(
        replace(video, split=part_of[video.name])
        for video in labels.videos
        if video.name in part_of
    )
    return LabelSet(name=labels.name, scale=labels.scale, videos=videos, source=labels.source)


def published_split(labels: LabelSet) -> Split:
    """Return the split that the data set publishes.

    Raises:
        DatasetError: it publishes none.
    """
    if not labels.splits:
        raise DatasetError(f"{labels.name} publishes no split; use random-80-20 or a split file")
    parts = {
        part: tuple(video.name for video in labels.videos if video.split == part)
        for part in labels.splits
    }
    return Split(data_set=labels.name, method="published", parts=parts)


def parse_ratio(text: str) -> dict[str, float]:
    """Return part names and shares of a ratio such as 80:20 or 4:1:1.

    Raises:
        DatasetError: not two or three positive numbers.

    >>> parse_ratio("4:1:1")
    {'train': 4.0, 'val': 1.0, 'test': 1.0}
    """
    names = {2: ("train", "test"), 3: ("train", "val", "test")}
    try:
        shares = [float(word) for word in text.split(":")]
    except ValueError:
        shares = []
    if len(shares) not in names or min(shares) <= 0:
        raise DatasetError(f"ratio {text!r}: write train:test or train:val:test, such as 4:1:1")
    return dict(zip(names[len(shares)], shares, strict=True))


def random_split(
    labels: LabelSet, shares: Mapping[str, float], *, seed: int, repeat: int = 0
) -> Split:
    """Return a random partition that never parts videos of one source.

    Args:
        labels: The data set.
        shares: Part to its share; 4:1:1 is {"train": 4, "val": 1, "test": 1}.
        seed: Seed of the series.
        repeat: Number of the split in the series.
    """
    rng = np.random.default_rng([seed, repeat])
    groups: dict[Hashable, list[int]] = {}
    for index, video in enumerate(labels.videos):
        groups.setdefault(video.cluster, []).append(index)
    order = [list(groups.values())[i] for i in rng.permutation(len(groups))]
    part_of = _deal(order, shares, len(labels))
    parts = {
        part: tuple(v.name for i, v in enumerate(labels.videos) if part_of[i] == part)
        for part in shares
    }
    ratio = ":".join(f"{share:g}" for share in shares.values())
    return Split(
        data_set=labels.name, method=f"random {ratio}, seed {seed}, repeat {repeat}", parts=parts
    )


def repeated_splits(labels: LabelSet, *, repeats: int, seed: int) -> Iterator[Split]:
    """Yield `repeats` independent 80:20 splits into train and test."""
    for repeat in range(repeats):
        yield random_split(labels, {"train": 0.8, "test": 0.2}, seed=seed, repeat=repeat)


def _deal(order: Sequence[list[int]], shares: Mapping[str, float], total: int) -> dict[int, str]:
    """Fill one part after the other, in the order given, until each has its share."""
    names, sizes = list(shares), np.cumsum(list(shares.values())) / sum(shares.values())
    borders = [round(total * share) for share in sizes]
    part_of, dealt, place = {}, 0, 0
    for group in order:
        while dealt >= borders[place] and place < len(names) - 1:
            place += 1
        for index in group:
            part_of[index] = names[place]
        dealt += len(group)
    return part_of


def hashed_part(group: str, shares: Mapping[str, float], *, salt: str = "") -> str:
    """Return the part that a group belongs to, whatever else the data set holds.

    Unlike a random split, it stays as it is when videos are added or taken away, and it is the same
    on every machine.

    Args:
        group: Identity of what must not be parted: a source, or a video's content.
        shares: Part to its share, in order.
        salt: Another one gives another split.

    >>> hashed_part("a.mp4", {"train": 4, "validation": 1, "test": 1})
    'validation'
    """
    digest = hashlib.sha256(f"{salt}/{group}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64 * sum(shares.values())
    for part, share in shares.items():
        if place < share:
            return part
        place -= share
    return part
