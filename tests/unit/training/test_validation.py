import math
import random

import pytest

from finevq.errors import TrainingError
from finevq.training.validation import Outcome, check_complete, measure, selection_value


def outcome(item: int, **changes: object) -> Outcome:
    values = {
        "item": item,
        "record_id": f"r{item}",
        "token_loss": 0.5 * item,
        "num_tokens": 2,
        "is_right": item % 2 == 0,
        "dimension": "blur",
        "predicted": 0.1 * item,
        "target": 0.2 * item,
    }
    return Outcome(**{**values, **changes})


def test_numbers_are_means_over_records():
    numbers = measure([outcome(item) for item in range(4)])
    assert numbers["loss"] == pytest.approx(3.0 / 8)
    assert numbers["accuracy"] == 0.5
    assert numbers["error"] == pytest.approx(0.15)
    assert numbers["srcc"] == numbers["srcc_blur"] == pytest.approx(1.0)


def test_the_order_in_which_processes_answer_changes_nothing():
    outcomes = [outcome(item, token_loss=math.sin(item)) for item in range(50)]
    shuffled = random.Random(0).sample(outcomes, 50)
    assert measure(shuffled) == measure(outcomes)


def test_a_constant_prediction_has_no_correlation():
    assert measure([outcome(item, predicted=0.3) for item in range(5)])["srcc"] == 0.0


def test_a_lost_and_a_doubled_record_are_named():
    outcomes = [outcome(item) for item in range(3)]
    names = [f"r{item}" for item in range(3)]
    check_complete(outcomes, [], names)
    check_complete(outcomes[:2], ["r2"], names)
    with pytest.raises(TrainingError, match="first 'r2'"):
        check_complete(outcomes[:2], [], names)
    with pytest.raises(TrainingError, match="first 'r0'"):
        check_complete([*outcomes, outcomes[0]], [], names)


def test_selection_without_its_number_says_what_to_do():
    numbers = measure([outcome(item, dimension="") for item in range(3)])
    assert selection_value(numbers, "accuracy") == pytest.approx(2 / 3)
    assert selection_value(numbers, "loss") == -numbers["loss"]
    with pytest.raises(TrainingError, match="choose another"):
        selection_value(numbers, "srcc")
