"""What a sample teaches: questions with their right answers and scores."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from finevq.prompts import questions, templates
from finevq.prompts.questions import Question
from finevq.training.samples import TrainingSample
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    NO_FAULT,
    Dimension,
    dimension_of,
    level_index,
    levels_of,
)

PRESENT_SEVERITY = 0.15
"""Severity from which an attribute counts as present; fainter ones are invisible to people."""

_SURELY_ABSENT, _SURELY_PRESENT = 0.05, 0.25
"""Severities up to which nobody, and from which everybody, would say that a fault is there."""
_NUM_DIMENSIONS_RATED = 3
_NUM_OPTIONS = 4


@dataclass(frozen=True, slots=True)
class Lesson:
    """One question and its right answer."""

    question: Question
    answer: str
    """What follows the question's opening."""
    score: float | None = None
    """For ratings: MOS to regress at the end of the opening."""
    belief: float | None = None
    """For yes/no: share of people who would say yes, 0..1; None where only the answer is known."""
    weight: float = 1.0
    """For yes/no: how many questions this one stands for."""


def lessons_of(
    sample: TrainingSample,
    generator: random.Random,
    mos_range: tuple[float, float],
    *,
    num_absent: int | None = None,
) -> list[Lesson]:
    """Draw the lessons of a sample.

    The rating of overall is always among them.

    Args:
        sample: What is known.
        generator: Draws which questions are asked.
        mos_range: Lowest and highest MOS of the scale, for the levels.
        num_absent: How many absent attributes are asked about, beside all that are there, each
            weighted by how many it stands for: so probabilities come out as frequent as faults are.
            None: one that is there and one that is not, one faulty dimension and one good one, so
            that nobody can live on the prior.
    """
    # Some of the questions in each visit are enough: a sample is visited in every epoch.
    others = [dimension for dimension in sample.mos if dimension is not Dimension.OVERALL]
    rated = [Dimension.OVERALL, *_some(others, _NUM_DIMENSIONS_RATED, generator)]
    lessons = [_rating(dimension, sample.mos[dimension], mos_range) for dimension in rated]
    dimensions = list(sample.distorted)
    for dimension in _one_of_each(sample, generator) if num_absent is None else dimensions:
        answer = templates.YES if sample.distorted[dimension] else templates.NO
        belief = _belief((sample.dimension_severities or {}).get(dimension))
        lessons.append(Lesson(questions.distorted(dimension), answer, belief=belief))
    if sample.severities is not None:
        lessons += _attribute_lessons(sample, generator, num_absent)
    if sample.most_impactful is not None:
        lessons.append(_further(sample, generator, mos_range))
    return lessons


def is_present(sample: TrainingSample, attribute: str) -> bool:
    """Whether people would see an attribute."""
    return (sample.severities or {}).get(attribute, 0.0) >= PRESENT_SEVERITY


def present_attributes(sample: TrainingSample) -> list[str]:
    """Return the attributes that people would see, worst first."""
    severities = sample.severities or {}
    found = [name for name, value in severities.items() if value >= PRESENT_SEVERITY]
    return sorted(found, key=lambda name: -severities[name])


def _rating(dimension: Dimension, mos: float, mos_range: tuple[float, float]) -> Lesson:
    level = levels_of(dimension)[level_index(mos, *mos_range)]
    return Lesson(questions.rating(dimension), level, mos)


def _belief(severity: float | None) -> float | None:
    return None if severity is None else share_who_see(severity)


def share_who_see(severity: float) -> float:
    """Return the share of people who would say that a fault of this severity is there, 0..1."""
    share = (severity - _SURELY_ABSENT) / (_SURELY_PRESENT - _SURELY_ABSENT)
    return min(max(share, 0.0), 1.0)


def _attribute_lessons(
    sample: TrainingSample, generator: random.Random, num_absent: int | None
) -> list[Lesson]:
    severities = sample.severities or {}
    present = present_attributes(sample)
    if num_absent is None:
        # Between invisible and visible nobody can tell: such attributes are not asked about.
        asked = generator.sample(present, min(len(present), 1))
        others = _draw(_absent_attributes(sample), 1, generator, near=present)
        weight = 1.0
    else:
        asked = [name for name in ALL_ATTRIBUTES if severities.get(name, 0.0) > _SURELY_ABSENT]
        rest = [name for name in ALL_ATTRIBUTES if name not in asked]
        others = generator.sample(rest, min(num_absent, len(rest)))
        weight = len(rest) / max(len(others), 1)
    return [
        *(_attribute(name, severities.get(name, 0.0), 1.0) for name in asked),
        *(_attribute(name, severities.get(name, 0.0), weight) for name in others),
    ]


def _absent_attributes(sample: TrainingSample) -> list[str]:
    severities = sample.severities or {}
    return [name for name in ALL_ATTRIBUTES if severities.get(name, 0.0) < _SURELY_ABSENT]


def _attribute(name: str, severity: float, weight: float) -> Lesson:
    answer = templates.YES if severity >= PRESENT_SEVERITY else templates.NO
    return Lesson(questions.attribute(name), answer, belief=share_who_see(severity), weight=weight)


def _further(
    sample: TrainingSample, generator: random.Random, mos_range: tuple[float, float]
) -> Lesson:
    """Draw one of the questions whose answers are words."""
    present = present_attributes(sample)
    lessons = [
        Lesson(questions.most(), str(sample.most_impactful)),
        _description(sample, present, mos_range),
        _which(present, _absent_attributes(sample), generator),
    ]
    return generator.choice(lessons)


def _which(present: Sequence[str], absent: Sequence[str], generator: random.Random) -> Lesson:
    correct = generator.choice(present) if present else NO_FAULT
    others = _draw(absent, _NUM_OPTIONS - 1, generator, near=present)
    # Every list has the same length and holds "none", so that its form gives nothing away.
    options = [*others, correct] if correct == NO_FAULT else [*others[:-1], correct, NO_FAULT]
    generator.shuffle(options)
    return Lesson(questions.which(options), correct)


def _one_of_each(sample: TrainingSample, generator: random.Random) -> list[Dimension]:
    """Draw a faulty dimension and a good one, where there are such: as often yes as no."""
    distorted = sample.distorted
    faulty = [dimension for dimension, is_distorted in distorted.items() if is_distorted]
    good = [dimension for dimension, is_distorted in distorted.items() if not is_distorted]
    return [*_some(faulty, 1, generator), *_some(good, 1, generator)]


def _some(items: Sequence[Dimension], count: int, generator: random.Random) -> list[Dimension]:
    return generator.sample(items, min(len(items), count))


def _draw(
    absent: Sequence[str], count: int, generator: random.Random, *, near: Sequence[str]
) -> list[str]:
    """Draw absent attributes, half of them from the dimensions that are faulty: the hard ones."""
    faulty = {dimension_of(name) for name in near}
    hard = [name for name in absent if dimension_of(name) in faulty]
    drawn = generator.sample(hard, min(len(hard), (count + 1) // 2))
    rest = [name for name in absent if name not in drawn]
    return drawn + generator.sample(rest, min(len(rest), count - len(drawn)))


def _description(
    sample: TrainingSample, present: Sequence[str], mos_range: tuple[float, float]
) -> Lesson:
    level = levels_of(Dimension.OVERALL)[level_index(sample.mos[Dimension.OVERALL], *mos_range)]
    most = sample.most_impactful
    main = next((name for name in present if dimension_of(name) == most), NO_FAULT)
    others = [name for name in present if name != main]
    return Lesson(questions.describe(), templates.description(level, main, others))


def all_questions() -> list[Question]:
    """Return every closed question that an assessment asks, for evaluation."""
    return [
        *(questions.rating(dimension) for dimension in DIMENSIONS),
        *(questions.distorted(d) for d in DIMENSIONS if d is not Dimension.OVERALL),
        *(questions.attribute(name) for name in ALL_ATTRIBUTES),
        questions.most(),
    ]
