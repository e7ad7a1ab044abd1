"""One pass of a full model over the videos feeds every table: scores and answers alike.

`AssessmentSource` wraps whatever turns a clip into an `Assessment` (the caller brings it; nothing
here knows a model), keeps the result on disk as `finevq assess --json` prints it, and is a `Scorer`
and an answerer of the paper's questions.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from finevq.datasets.questions import NO, YES, AskedQuestion
from finevq.errors import FineVQError
from finevq.evaluation.predictions import fingerprint
from finevq.records import Assessment, Clip, Failure, Score
from finevq.vocabulary import NO_FAULT, Dimension, dimension_of

Assess = Callable[[str], Assessment]
Report = Mapping[str, Any]


class Answerer(Protocol):
    """Answers the paper's questions about a clip."""

    @property
    def name(self) -> str:
        """Short name, as in tables."""

    @property
    def version(self) -> str:
        """Changes whenever the same question may get another answer."""

    def answer(self, clip: Clip, asked: AskedQuestion) -> Mapping[str, float] | Failure:
        """Return a probability for each option (sums to 1), or why there is none."""


class AssessmentSource:
    """A full model behind a cache: a `Scorer` and an `Answerer`.

    Args:
        assess: Turns a path into an `Assessment`; raises a FineVQError for a bad video.
        name: Short name, as in tables.
        version: Changes whenever the same video may get another assessment.
        scale: Lowest and highest score.
        cache_dir: Folder of cache files; None: memory only.
        configuration: Whatever else decides an assessment: a hash of weights and sampling.
    """

    def __init__(
        self,
        assess: Assess,
        *,
        name: str,
        version: str,
        scale: tuple[float, float] = (0.0, 100.0),
        cache_dir: Path | None = None,
        configuration: str = "",
    ) -> None:
        self._assess = assess
        self._name, self._version, self._scale = name, version, scale
        self._known: dict[str, Report] = {}
        self._file: Path | None = None
        if cache_dir is not None:
            digest = hashlib.sha256(
                json.dumps([name, version, configuration]).encode()
            ).hexdigest()[:12]
            safe = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{version}")[:60]
            self._file = cache_dir / "assessments" / f"{safe}-{digest}.jsonl"
            self._known = _read(self._file)
        self._failed: dict[str, Failure] = {}

    @property
    def name(self) -> str:
        """Short name, as in tables."""
        return self._name

    @property
    def version(self) -> str:
        """Changes whenever the same video may get another assessment."""
        return self._version

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest score."""
        return self._scale

    @property
    def higher_is_better(self) -> bool:
        """Scores of an assessment always rise with quality."""
        return True

    def score(self, videos: Sequence[Clip]) -> Iterator[Score | Failure]:
        """Give the six scores of each clip."""
        for clip in videos:
            report = self.report(clip)
            if isinstance(report, Failure):
                yield report
            else:
                parts = report["dimensions"]
                yield Score(clip.label, {d: float(parts[d]["score"]) for d in Dimension})

    def answer(self, clip: Clip, asked: AskedQuestion) -> Mapping[str, float] | Failure:
        """Answer from the probabilities of the assessment, over the options shown."""
        report = self.report(clip)
        return report if isinstance(report, Failure) else answer_from(report, asked)

    def report(self, clip: Clip) -> Report | Failure:
        """Return the assessment as JSON, from the cache where it is known."""
        path = Path(clip.path)
        key = fingerprint(path) if path.is_file() else clip.path
        if key in self._known:
            return self._known[key]
        if clip.path in self._failed:
            return self._failed[clip.path]
        start = time.perf_counter()
        try:
            report = self._assess(clip.path).to_dict()
        except FineVQError as error:
            failure = Failure(clip.label, type(error).__name__, str(error))
            self._failed[clip.path] = failure
            return failure
        report.pop("thumbnails", None)  # pictures are no figures
        report["wall_seconds"] = time.perf_counter() - start
        self._known[key] = report
        self._store(key, report)
        return report

    def _store(self, key: str, report: Report) -> None:
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"video": key, "report": report}) + "\n")


def answer_from(report: Report, asked: AskedQuestion) -> dict[str, float]:
    """Return a probability for each option of a question, from an assessment.

    yes-no: the probability that the dimension is distorted. most: the probabilities of what hurts
    most, over the options shown. exist: each attribute's own probability, and for "none" that of
    nothing hurting most; both normalized over the options shown.

    Raises:
        KeyError: the assessment lacks a dimension.
    """
    parts = report["dimensions"]
    if asked.family == "yes-no":
        distorted = float(parts[str(asked.dimension)]["distorted_probability"])
        return {YES: distorted, NO: 1.0 - distorted}
    most: Mapping[str, float] = report.get("most_impactful_probabilities") or {
        report["most_impactful"]: 1.0
    }
    if asked.family == "most":
        return _normalized({option: most.get(option, 0.0) for option in asked.options})
    weights = {}
    for option in asked.options:
        if option == NO_FAULT:
            weights[option] = most.get(NO_FAULT, 0.0)
        else:
            estimates = parts[str(dimension_of(option))]["attributes"]
            found = {estimate["name"]: estimate["probability"] for estimate in estimates}
            weights[option] = found.get(option, 0.0)
    return _normalized(weights)


def features_from(report: Report) -> dict[str, float]:
    """Return every number of an assessment that says something about quality, by name."""
    values: dict[str, float] = {}
    for name, part in report["dimensions"].items():
        values[f"{name} score"] = float(part["score"])
        values |= {f"{name} {level}": p for level, p in part["level_probabilities"].items()}
        values |= {e["name"]: e["probability"] for e in part.get("attributes", ())}
    most = report.get("most_impactful_probabilities", {})
    return values | {f"most {name}": p for name, p in most.items()}


def _normalized(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    if total <= 0:
        return {option: 1 / len(weights) for option in weights}
    return {option: weight / total for option, weight in weights.items()}


def _read(path: Path) -> dict[str, Report]:
    known: dict[str, Report] = {}
    if not path.is_file():
        return known
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            entry = json.loads(line)
            known[entry["video"]] = entry["report"]
        except (ValueError, KeyError, TypeError):
            continue  # a line cut off by a crash is assessed again
    return known
