from dataclasses import replace
from pathlib import Path

import pytest

from finevq.errors import DatasetError
from finevq.prompts import questions
from finevq.training.records import (
    InstructionRecord,
    check_records,
    content_key,
    group_of,
    of_split,
    of_tasks,
    split_of,
    without_leaks,
)
from finevq.vocabulary import Dimension

RECORD = InstructionRecord(
    id="a/rating",
    video=Path("a.mp4"),
    group="a",
    split="train",
    question=questions.rating(Dimension.BLUR),
    answer="mild",
    scores={Dimension.BLUR: 3.0},
    scale=(1.0, 5.0),
)


def test_a_record_knows_its_task_and_moves_scores_to_the_unit_range():
    assert RECORD.task == "rating"
    assert RECORD.unit_scores == {Dimension.BLUR: 0.5}
    assert replace(RECORD, question=questions.attribute("moire")).task == "yes_no"
    assert replace(RECORD, question=questions.most()).task == "which_most"
    assert of_tasks([RECORD], ["yes_no"]) == []
    assert of_split([RECORD], "train") == [RECORD]


def test_groups_are_dealt_four_to_one_to_one_and_never_move():
    parts = [split_of(f"clip {number}") for number in range(3000)]
    assert 0.64 < parts.count("train") / 3000 < 0.70
    assert 0.14 < parts.count("test") / 3000 < 0.19
    assert parts[:100] == [split_of(f"clip {number}") for number in range(100)]


def test_published_tests_stay_and_training_gives_a_validation_list():
    words = [split_of(f"clip {number}", "train") for number in range(1000)]
    assert set(words) == {"train", "validation"}
    assert 150 < words.count("validation") < 250
    assert {split_of(f"clip {n}", "train", has_validation=True) for n in range(99)} == {"train"}
    with pytest.raises(DatasetError, match="unknown split 'dev'; known: train"):
        split_of("x", "dev")


def test_a_copy_under_another_name_has_the_same_group(tmp_path: Path):
    for size in (10, 5_000_000):
        (tmp_path / "a.mp4").write_bytes(bytes(size))
        (tmp_path / "b.mp4").write_bytes(bytes(size))
        assert group_of(tmp_path / "a.mp4") == group_of(tmp_path / "b.mp4")
        changed = bytearray(size)
        changed[-1] = 1
        (tmp_path / "b.mp4").write_bytes(changed)
        assert content_key(tmp_path / "a.mp4") != content_key(tmp_path / "b.mp4")
    assert group_of(tmp_path / "a.mp4", "film 7") == "film 7"
    assert group_of(tmp_path / "gone.mp4") == "gone.mp4"


def test_records_are_checked_before_anything_is_trained():
    check_records([RECORD, replace(RECORD, id="b")])
    with pytest.raises(DatasetError, match="no instruction records"):
        check_records([])
    with pytest.raises(DatasetError, match="1 record ids come twice, first 'a/rating'"):
        check_records([RECORD, RECORD])
    with pytest.raises(DatasetError, match=r"group 'a' is in train .* and in test"):
        check_records([RECORD, replace(RECORD, id="b", split="test")])


def test_what_is_tested_on_is_never_learnt_from(caplog: pytest.LogCaptureFixture):
    tested = replace(RECORD, id="b", split="test")
    other = replace(RECORD, id="c", group="c")
    assert without_leaks([RECORD, tested, other]) == [tested, other]
    assert "1 videos are left out of training" in caplog.text
