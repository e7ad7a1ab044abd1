"""What an answer that never looks at a video reaches: floors for the numbers of a validation."""

import statistics
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from finevq.training.records import InstructionRecord


def constant_floors(
    train: Sequence[InstructionRecord], validation: Sequence[InstructionRecord]
) -> dict[str, float]:
    """Return what the commonest answer and the median score of training reach on validation.

    Each question (about blur, about moire, which matters most) has its own constant answer, the
    first in alphabetical order among equals; each dimension has its own constant score.

    Args:
        train: What the constants are taken from.
        validation: What they are judged on.

    Returns:
        accuracy and error, as validation measures them; absent where nothing can be measured. A
        constant has no SRCC.
    """
    answers: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
    scores: defaultdict[Hashable, list[float]] = defaultdict(list)
    for record in train:
        if record.answer:
            answers[_subject(record)][record.answer] += 1
        for dimension, score in record.unit_scores.items():
            scores[dimension].append(score)
    constants = {
        subject: min(counts, key=lambda answer: (-counts[answer], answer))
        for subject, counts in answers.items()
    }
    hits = [
        constants.get(_subject(record)) == record.answer for record in validation if record.answer
    ]
    medians = {dimension: statistics.median(values) for dimension, values in scores.items()}
    errors = [
        abs(medians[dimension] - score)
        for record in validation
        for dimension, score in record.unit_scores.items()
        if dimension in medians and dimension == record.question.dimension
    ]
    floors: dict[str, Sequence[float]] = {"accuracy": hits, "error": errors}
    return {name: statistics.fmean(values) for name, values in floors.items() if values}


def _subject(record: InstructionRecord) -> Hashable:
    question = record.question
    return question.family, question.dimension, question.attribute
