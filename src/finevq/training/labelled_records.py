"""Labelled videos as instruction records: synthesized clips, any CSV of MOS, data-set adapters."""

import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from finevq.datasets import finevd
from finevq.datasets.catalogue import ADAPTERS, adapter, read_labels
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.datasets.verify import locate
from finevq.errors import DatasetError
from finevq.prompts import questions, templates
from finevq.prompts.questions import Family, Question
from finevq.training.lessons import Lesson, lessons_of
from finevq.training.records import InstructionRecord, group_of, split_of, without_leaks
from finevq.training.samples import TrainingSample
from finevq.training.sources import synthetic_samples
from finevq.vocabulary import FAULT_DIMENSIONS, NO_FAULT, Dimension, level_index, levels_of

_log = logging.getLogger(__name__)

FINEVD_RANGE = (9.8, 77.6)
"""Lowest and highest MOS of FineVD's public labels: levels are five equal bins of it."""


def read_synthetic(
    manifest: Path,
    *,
    mos_range: tuple[float, float] = FINEVD_RANGE,
    questions_per_clip: int = 4,
    seed: int = 0,
) -> list[InstructionRecord]:
    """Read a synthesized data set; its splits are by source, and are kept.

    Each clip gives a rating of each dimension, and further questions drawn once for all: whether
    dimensions and attributes are degraded, which fault exists or matters most, a description.

    Args:
        manifest: Of `finevq data synthesize`, or its folder.
        mos_range: Range of MOS that the five levels divide.
        questions_per_clip: Most further questions a clip; 0: ratings alone.
        seed: Draws the questions.

    Raises:
        DatasetError: the manifest cannot be read.
    """
    records: list[InstructionRecord] = []
    for sample in synthetic_samples(manifest):
        lessons = [
            _rating(dimension, mos, mos_range) for dimension, mos in sorted(sample.mos.items())
        ]
        generator = random.Random(f"{seed}/{Path(sample.path).name}")
        lessons += _further(sample, mos_range, generator, questions_per_clip)
        records += [_record_of(sample, lesson) for lesson in lessons]
    return records


def _further(
    sample: TrainingSample,
    mos_range: tuple[float, float],
    generator: random.Random,
    count: int,
) -> list[Lesson]:
    drawn = [
        lesson
        for lesson in lessons_of(sample, generator, mos_range)
        if lesson.question.family is not Family.RATING
    ]
    # Two attributes may be worded alike by chance of the draw; a record is drawn once.
    unique = list({lesson.question: lesson for lesson in drawn}.values())
    return generator.sample(unique, min(len(unique), count))


def _record_of(sample: TrainingSample, lesson: Lesson) -> InstructionRecord:
    path = Path(sample.path)
    dimension = lesson.question.dimension
    has_score = lesson.score is not None and dimension is not None
    return InstructionRecord(
        id=_id(path.name, lesson.question),
        video=path,
        group=sample.group,
        split=sample.split,
        question=lesson.question,
        answer=lesson.answer,
        scores={dimension: lesson.score} if has_score else {},  # type: ignore[dict-item]  # both known
    )


def read_labelled(
    labels: Path,
    videos: Path,
    *,
    data_set: str | None = None,
    level_range: tuple[float, float] | None = None,
) -> list[InstructionRecord]:
    """Read a CSV of videos and MOS, or any data set that `finevq data` knows.

    Published train and test lists are kept; where there is none, videos are dealt 4:1:1 by a hash
    of their source, or of their content where no source is known.

    Args:
        labels: A label file, or the data set's folder (then `data_set` is needed).
        videos: Folder of the videos.
        data_set: Name of the adapter; found by the columns where None.
        level_range: Range of MOS that the five levels divide; that of the overall MOS where None,
            as the official data does it.

    Raises:
        DatasetError: the labels cannot be read, or no video is found.
    """
    if data_set is None:
        found = read_labels(labels)
        reader = ADAPTERS.get(found.name, ADAPTERS["csv"])
    else:
        reader = adapter(data_set)
        found = reader.read(labels)
    paths = locate(found, reader, videos)
    if not paths:
        raise DatasetError(
            f"{videos} holds none of the {len(found)} videos that {labels} names, "
            f"such as {found.videos[0].name}"
        )
    if missing := [video.name for video in found.videos if video.name not in paths]:
        _log.warning("%d labelled videos have no file, first %s", len(missing), missing[0])
    return without_leaks(records_of_labels(found, paths, level_range=level_range))


def records_of_labels(
    labels: LabelSet,
    paths: Mapping[str, Path],
    *,
    level_range: tuple[float, float] | None = None,
) -> list[InstructionRecord]:
    """Turn labels into records; videos without a file are left out.

    Args:
        labels: What an adapter read.
        paths: File of each video, by name.
        level_range: See `read_labelled`.
    """
    present = [video for video in labels.videos if video.name in paths]
    overall = [video.mos[Dimension.OVERALL] for video in present]
    bins = level_range or (min(overall), max(overall))
    is_finevd = labels.name == finevd.ADAPTER.name
    has_validation = any(split.lower().startswith("val") for split in labels.splits)
    records: list[InstructionRecord] = []
    for video in present:
        path = paths[video.name]
        group = group_of(path, video.source or (finevd.source_of(video.name) if is_finevd else ""))
        split = split_of(group, video.split, has_validation=has_validation)
        records += [
            InstructionRecord(
                id=_id(video.name, lesson.question),
                video=path,
                group=group,
                split=split,
                question=lesson.question,
                answer=lesson.answer,
                scores=_scores(lesson),
                scale=labels.scale,
            )
            for lesson in _lessons(video, bins)
        ]
    return records


def _lessons(video: LabelledVideo, bins: tuple[float, float]) -> Iterator[Lesson]:
    for dimension, mos in video.mos.items():
        yield _rating(dimension, mos, bins)
    for dimension, is_distorted in video.is_distorted.items():
        yield Lesson(
            questions.distorted(dimension), templates.YES if is_distorted else templates.NO
        )
    if video.existing_distortion and len(video.options_shown) > 1:
        yield Lesson(questions.which(video.options_shown), video.existing_distortion)
    if video.most_impactful:
        shown = video.impact_options_shown or (*map(str, FAULT_DIMENSIONS), NO_FAULT)
        most = Question(Family.MOST, templates.MOST_QUESTION, choices=tuple(shown))
        yield Lesson(most, video.most_impactful)


def _rating(dimension: Dimension, mos: float, bins: tuple[float, float]) -> Lesson:
    low, high = bins
    level = level_index(mos, low, high) if high > low else 2  # one value: neither good nor bad
    return Lesson(questions.rating(dimension), levels_of(dimension)[level], mos)


def _scores(lesson: Lesson) -> dict[Dimension, float]:
    dimension = lesson.question.dimension
    if lesson.score is None or dimension is None:
        return {}
    return {dimension: lesson.score}


def _id(video: str, question: Question) -> str:
    subject = question.dimension or question.attribute
    return f"{video}/{question.family}" + (f"/{subject}" if subject else "")


def limit_groups(
    records: Sequence[InstructionRecord], max_videos: int | None
) -> list[InstructionRecord]:
    """Return the records of the first `max_videos` videos of each split, for trials."""
    if max_videos is None:
        return list(records)
    kept: dict[str, dict[Path, None]] = {}
    for record in records:
        seen = kept.setdefault(record.split, {})
        if len(seen) < max_videos:
            seen.setdefault(record.video)
    return [record for record in records if record.video in kept[record.split]]
