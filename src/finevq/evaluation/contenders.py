"""What the tables compare: a scorer, with whatever else it can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.evaluation.assessments import Answerer, AssessmentSource, features_from
from finevq.evaluation.predictions import Predictions, Progress, predict
from finevq.records import Assessment, Clip, Failure
from finevq.scorer import Scorer
from finevq.vocabulary import Dimension

OFFICIAL_TEST_VIDEOS = 1016
"""Length of FineVD's public held-out list."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contender:
    """One row of the tables."""

    scorer: Scorer
    answerer: Answerer | None = None
    """Answers the paper's questions; None: no row in table 2."""
    features: Callable[[Clip], Mapping[str, float] | Failure] | None = None
    """Numbers that a regression head may be trained on; None: the scores themselves."""

    @property
    def name(self) -> str:
        """Name in tables."""
        return self.scorer.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A data set with its files."""

    labels: LabelSet
    paths: Mapping[str, Path]
    """Video name to file; videos without one can only be looked up in prediction files."""

    is_imitation: bool = False
    """Other videos in FineVD's layout."""
    num_left_out: int = 0
    """Labelled videos that are not in `labels`, since they have no file."""

    @property
    def title(self) -> str:
        """Name of the data set, as in column keys."""
        return self.labels.name

    @property
    def caption(self) -> str:
        """Name of the data set as readers see it."""
        return "synthetic clips in FineVD's layout" if self.is_imitation else self.title

    @property
    def notes(self) -> list[str]:
        """What readers of any table on this data set must know."""
        notes = []
        if self.is_imitation:
            notes.append(
                f"{self.title} stands for {self.caption}: other videos, with labels that follow "
                "from known faults, not from people."
            )
        if self.num_left_out:
            total = len(self.labels) + self.num_left_out
            notes.append(
                f"{self.title}: {self.num_left_out} of {total} labelled videos have no file and "
                "are left out, for floors too."
            )
        return notes

    def clips(self, labels: LabelSet | None = None) -> list[Clip]:
        """Return what scorers may see."""
        return (labels or self.labels).clips(self.paths)

    def test_labels(self) -> LabelSet:
        """Return the published test part, or everything where no split is published."""
        return self.labels.of_split("test") if "test" in self.labels.splits else self.labels

    @property
    def is_official_finevd(self) -> bool:
        """Whether the test part is FineVD's public held-out list, by its number of videos."""
        is_complete = len(self.test_labels()) == OFFICIAL_TEST_VIDEOS
        return self.labels.name == "finevd" and is_complete and not self.is_imitation

    def train_labels(self) -> LabelSet | None:
        """Return the published training part, if there is one."""
        return self.labels.of_split("train") if "train" in self.labels.splits else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """Settings that all tables share."""

    num_resamples: int = 1000
    """Bootstrap resamples of each interval; 0: no intervals."""
    seed: int = 0
    repeats: int = 100
    """Random 80:20 splits where a data set publishes none."""
    cache_dir: Path | None = None
    progress: Progress | None = None


class Model(Protocol):
    """What the tables need of a loaded model."""

    @property
    def name(self) -> str:
        """Short name, as in tables."""

    @property
    def version(self) -> str:
        """Changes with the weights, where whoever trained them thought of it."""

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest score."""

    def assess(self, path: str) -> Assessment:
        """Assess one video; raises a FineVQError for a bad one."""


def from_model(model: Model, configuration: str, cache_dir: Path) -> Contender:
    """Return a loaded model as a contender whose assessments are kept on disk.

    Args:
        model: The model.
        configuration: Hash of its files, see `predictions.fingerprint_folder`.
        cache_dir: Folder of cache files.
    """
    return from_assessments(
        AssessmentSource(
            model.assess,
            name=model.name,
            version=model.version,
            scale=model.scale,
            cache_dir=cache_dir,
            configuration=configuration,
        )
    )


def from_assessments(source: AssessmentSource) -> Contender:
    """Return a contender that scores, answers and gives features, from one pass of the model."""

    def features(clip: Clip) -> Mapping[str, float] | Failure:
        report = source.report(clip)
        return report if isinstance(report, Failure) else features_from(report)

    return Contender(scorer=source, answerer=source, features=features)


def run_scorer(
    contender: Contender, bench: Bench, labels: LabelSet, options: Options
) -> Predictions:
    """Score the videos of `labels` with the cache of the run."""
    cache = None if isinstance(contender.scorer, AssessmentSource) else options.cache_dir
    return predict(
        contender.scorer, bench.clips(labels), cache_dir=cache, progress=options.progress
    )


def coverage_note(predictions: Predictions, labels: LabelSet) -> str:
    """Return a sentence on videos without a score; empty where all have one."""
    if not predictions.failures:
        return ""
    first = next(iter(predictions.failures.items()))
    num_missing = sum(video.name in predictions.failures for video in labels.videos)
    return (
        f"no score for {num_missing} of {len(labels)} videos, its numbers rest on the others "
        f"(first: {first[0]}, {first[1]})"
    )


def scored_rows(values: Sequence[float]) -> list[bool]:
    """Return which videos have a score."""
    return [bool(np.isfinite(value)) for value in values]


def oriented_overall(predictions: Predictions, labels: LabelSet) -> np.ndarray:
    """Return overall scores, larger is better, (N,); NaN where there is none."""
    return np.array(predictions.oriented(labels, Dimension.OVERALL))
