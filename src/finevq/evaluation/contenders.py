"""What the tables compare: a scorer, with whatever else it can do."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finevq.datasets.labels import LabelSet
from finevq.evaluation.assessments import Answerer, AssessmentSource, features_from
from finevq.evaluation.predictions import Predictions, Progress, predict
from finevq.records import Clip, Failure
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

    @property
    def title(self) -> str:
        """Name of the data set."""
        return self.labels.name

    def clips(self, labels: LabelSet | None = None) -> list[Clip]:
        """Return what scorers may see."""
        return (labels or self.labels).clips(self.paths)

    def test_labels(self) -> LabelSet:
        """Return the published test part, or everything where no split is published."""
        return self.labels.of_split("test") if "test" in self.labels.splits else self.labels

    @property
    def is_official_finevd(self) -> bool:
        """Whether the test part is FineVD's public held-out list, by its number of videos."""
        return self.labels.name == "finevd" and len(self.test_labels()) == OFFICIAL_TEST_VIDEOS

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
