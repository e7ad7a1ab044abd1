from dataclasses import replace

import pytest

from builders.training import rating_records
from finevq.training.floors import constant_floors
from finevq.training.records import InstructionRecord
from finevq.vocabulary import Dimension


def rated(answers: list[str], scores: list[float]) -> list[InstructionRecord]:
    records = rating_records(len(answers), [Dimension.BLUR])
    return [
        replace(record, answer=answer, scores={Dimension.BLUR: score}, scale=(0.0, 100.0))
        for record, answer, score in zip(records, answers, scores, strict=True)
    ]


def test_constants_are_taken_from_training_and_judged_on_validation():
    train = rated(["mild", "mild", "strong"], [40.0, 50.0, 90.0])
    validation = rated(["mild", "strong", "strong", "strong"], [50.0, 50.0, 60.0, 30.0])
    floors = constant_floors(train, validation)
    assert floors["accuracy"] == 0.25  # always "mild"
    assert floors["error"] == pytest.approx((0.0 + 0.0 + 0.1 + 0.2) / 4)  # always 50


def test_each_question_has_its_own_constant():
    blur = rated(["mild"], [40.0])
    noise = [
        replace(record, answer="strong", scores={Dimension.NOISE: 10.0})
        for record in rating_records(1, [Dimension.NOISE])
    ]
    assert constant_floors([*blur, *noise], [*blur, *noise]) == {"accuracy": 1.0, "error": 0.0}


def test_what_cannot_be_measured_is_absent():
    silent = [replace(record, answer="", scores={}) for record in rated(["mild"], [1.0])]
    assert constant_floors(silent, silent) == {}
