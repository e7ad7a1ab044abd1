"""Running any `Scorer` over clips, with a cache on disk: a table is recomputed in seconds.

One cache file a scorer, version and configuration; one line a video, keyed by the video's
fingerprint, so a renamed file is found again and a changed one is scored again.
"""

import csv
import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finevq.datasets.labels import LabelSet
from finevq.errors import DatasetError, InvalidInputError
from finevq.records import Clip, Failure, Score
from finevq.report.text import text_of_cell
from finevq.scorer import Scorer
from finevq.vocabulary import Dimension

_CHUNK_BYTES = 2**20
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Predictions:
    """What a scorer said of a list of clips."""

    scorer: str
    version: str
    higher_is_better: bool
    scores: Mapping[str, Mapping[Dimension, float]]
    """Clip name to scores, on the scorer's scale; clips that failed are not in it."""
    failures: Mapping[str, str]
    """Clip name to the reason."""

    def oriented(self, labels: LabelSet, dimension: Dimension) -> list[float]:
        """Return one score a video, larger is better; NaN where there is none.

        A scorer that gives overall only is used for every dimension with that score.
        """
        sign = 1.0 if self.higher_is_better else -1.0
        return [sign * self._value(video.name, dimension) for video in labels.videos]

    def gives(self, dimension: Dimension) -> bool:
        """Return whether the scorer has a score of its own for the dimension."""
        return any(dimension in values for values in self.scores.values())

    def _value(self, name: str, dimension: Dimension) -> float:
        values = self.scores.get(name, {})
        return values.get(dimension, values.get(Dimension.OVERALL, float("nan")))


def predict(
    scorer: Scorer,
    clips: Sequence[Clip],
    *,
    cache_dir: Path | None = None,
    configuration: str = "",
    progress: Progress | None = None,
) -> Predictions:
    """Score clips, from the cache where it knows them.

    Args:
        scorer: Any scorer.
        clips: What to score; names must be unique.
        cache_dir: Folder of cache files; None: no cache.
        configuration: Sampling and other settings that are not part of `scorer.version`.
        progress: Called with (clips done, clips).

    Raises:
        InvalidInputError: two clips have the same name.
    """
    names = [clip.label for clip in clips]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidInputError(f"clips must have unique names; twice: {', '.join(twice[:5])}")
    cache = PredictionCache(cache_dir, scorer.name, scorer.version, configuration)
    scores: dict[str, Mapping[Dimension, float]] = {}
    failures: dict[str, str] = {}
    keys = {clip.label: cache.key_of(clip) for clip in clips}
    waiting = []
    for clip in clips:
        if (known := cache.get(keys[clip.label])) is not None:
            scores[clip.label] = known
        else:
            waiting.append(clip)
    for index, (clip, outcome) in enumerate(zip(waiting, scorer.score(waiting), strict=True)):
        if isinstance(outcome, Failure):
            failures[clip.label] = f"{outcome.error_type}: {outcome.message}"
        else:
            scores[clip.label] = dict(outcome.values)
            cache.put(keys[clip.label], outcome.values)
        if progress:
            progress(len(clips) - len(waiting) + index + 1, len(clips))
    return Predictions(
        scorer=scorer.name,
        version=scorer.version,
        higher_is_better=scorer.higher_is_better,
        scores=scores,
        failures=failures,
    )


class PredictionCache:
    """Scores by video fingerprint in one JSON-lines file; failures are never cached."""

    def __init__(self, folder: Path | None, name: str, version: str, configuration: str) -> None:
        self._path: Path | None = None
        self._known: dict[str, dict[Dimension, float]] = {}
        if folder is not None:
            identity = json.dumps([name, version, configuration])
            safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{version}")[:60]
            digest = hashlib.sha256(identity.encode()).hexdigest()[:12]
            self._path = folder / "predictions" / f"{safe}-{digest}.jsonl"
            self._known = _read_cache(self._path)

    def key_of(self, clip: Clip) -> str:
        """Return the fingerprint of the clip's file; empty where there is no local file."""
        path = Path(clip.path)
        return fingerprint(path) if self._path and path.is_file() else ""

    def get(self, key: str) -> Mapping[Dimension, float] | None:
        """Return the cached scores, or None."""
        return self._known.get(key) if key else None

    def put(self, key: str, values: Mapping[Dimension, float]) -> None:
        """Append scores to the file at once, so an interrupted run loses nothing."""
        if not key or self._path is None:
            return
        self._known[key] = dict(values)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"video": key, "scores": dict(values)}) + "\n")


def fingerprint(path: Path) -> str:
    """Return 32 hex digits over size and the first, middle and last MiB of a file.

    Whole gigabytes need not be read: another encode differs in its header and index already.
    """
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for start in sorted({0, max(0, size // 2), max(0, size - _CHUNK_BYTES)}):
            file.seek(start)
            digest.update(file.read(_CHUNK_BYTES))
    return digest.hexdigest()[:32]


def fingerprint_folder(folder: Path) -> str:
    """Return 16 hex digits over the files of a model folder; texts about it do not count.

    A model that was trained again, or samples a video differently, never meets the scores that its
    predecessor left in a cache, even under the same version.
    """
    files = sorted(f for f in folder.rglob("*") if f.is_file() and f.suffix not in {".md", ".txt"})
    parts = [[file.relative_to(folder).as_posix(), fingerprint(file)] for file in files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _read_cache(path: Path) -> dict[str, dict[Dimension, float]]:
    known: dict[str, dict[Dimension, float]] = {}
    if not path.is_file():
        return known
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            known[entry["video"]] = {Dimension(d): float(s) for d, s in entry["scores"].items()}
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # a line cut off by a crash is scored again
    return known


class PredictionFile:
    """A CSV of predictions as a `Scorer`: a name column and overall, score or dimension columns.

    Names match the data set's with or without folder and suffix.
    """

    def __init__(self, path: Path, *, name: str = "", higher_is_better: bool = True) -> None:
        self._rows = read_predictions(path)
        self._name = name or path.stem
        self._higher_is_better = higher_is_better
        self._version = hashlib.sha256(path.read_bytes()).hexdigest()[:12]

    @property
    def name(self) -> str:
        """The file's name without suffix, or the one given."""
        return self._name

    @property
    def version(self) -> str:
        """Hash of the file."""
        return self._version

    @property
    def scale(self) -> tuple[float, float]:
        """Extremes of the file."""
        values = [value for row in self._rows.values() for value in row.values()]
        return min(values), max(values)

    @property
    def higher_is_better(self) -> bool:
        """As the caller said."""
        return self._higher_is_better

    def score(self, videos: Sequence[Clip]) -> Iterator[Score | Failure]:
        """Look each clip up in the file."""
        for clip in videos:
            row = self._rows.get(clip.label) or self._rows.get(_stem(clip.label))
            if row is None:
                yield Failure(clip.label, "DatasetError", "the prediction file does not name it")
            else:
                yield Score(clip.label, row)


def read_predictions(path: Path) -> dict[str, dict[Dimension, float]]:
    """Read a CSV of predictions; each video is found under its name and its stem.

    Raises:
        DatasetError: the file is missing, lacks a column or names a video twice.
    """
    try:
        rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: not a prediction CSV ({error})") from None
    if not rows:
        raise DatasetError(f"{path}: holds no predictions")
    lowered = {(name or "").strip().lower(): name for name in rows[0]}
    name_column = _find(lowered, ("video", "name", "video_name", "file", "filename", "path"))
    found = {d: _find(lowered, (str(d), f"{d}_score")) for d in Dimension}
    columns = {dimension: column for dimension, column in found.items() if column}
    if Dimension.OVERALL not in columns:
        other = _find(lowered, ("score", "prediction", "pred", "mos", "y_pred"))
        if other:
            columns[Dimension.OVERALL] = other
    if name_column is None or not columns:
        raise DatasetError(
            f"{path}: needs a column video and one of score, {', '.join(Dimension)}; "
            f"it has {', '.join(rows[0])}"
        )
    return _by_name(rows, name_column, columns, path)


def _by_name(
    rows: Sequence[Mapping[str, str]],
    name_column: str,
    columns: Mapping[Dimension, str],
    path: Path,
) -> dict[str, dict[Dimension, float]]:
    found: dict[str, dict[Dimension, float]] = {}
    for line, row in enumerate(rows, start=2):
        try:
            values = {d: float(row[column]) for d, column in columns.items() if row[column]}
        except (TypeError, ValueError):
            raise DatasetError(f"{path}, row {line}: a score is not a number") from None
        name = text_of_cell(row[name_column])
        if name in found:
            raise DatasetError(f"{path}, row {line}: {name} comes twice")
        found[name] = values
        found.setdefault(_stem(name), values)
    return found


def _find(lowered: Mapping[str, str], candidates: Sequence[str]) -> str | None:
    return next((lowered[name] for name in candidates if name in lowered), None)


def _stem(name: str) -> str:
    return Path(name).stem
