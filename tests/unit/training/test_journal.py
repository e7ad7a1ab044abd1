from pathlib import Path

from finevq.training.journal import (
    STEP_COLUMNS,
    STEPS_FILE,
    TENSORBOARD_FOLDER,
    VALIDATION_FILE,
    Journal,
    StepFacts,
    read_rows,
)


def facts(step: int) -> StepFacts:
    return StepFacts(
        step=step,
        epoch=1,
        loss=1 / step,
        token_loss=1 / step,
        score_loss=float("nan"),
        rank_loss=float("nan"),
        learning_rate=1e-3,
        gradient_norm=2.0,
        items=8,
        seconds=0.5,
        waiting_seconds=0.1,
    )


def write(folder: Path, steps: range, after_step: int) -> None:
    journal = Journal(folder, after_step=after_step)
    for step in steps:
        journal.add_step(facts(step))
        journal.add_validation(step, {"srcc": 0.1 * step})
    journal.close()


def test_a_run_that_goes_on_writes_the_journal_of_one_that_never_stopped(tmp_path: Path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    cut.mkdir()
    write(whole, range(1, 7), 0)
    write(cut, range(1, 5), 0)  # the checkpoint is of step 3
    with (cut / STEPS_FILE).open("a") as file:
        file.write("5,1,0.2")  # killed in the middle of a line
    write(cut, range(4, 7), 3)
    for name in (STEPS_FILE, VALIDATION_FILE):
        assert read_rows(cut / name) == read_rows(whole / name)
    assert [row["step"] for row in read_rows(cut / STEPS_FILE)] == list("123456")


def test_a_new_run_drops_what_lay_there(tmp_path: Path):
    write(tmp_path, range(1, 4), 0)
    write(tmp_path, range(1, 2), 0)
    assert len(read_rows(tmp_path / STEPS_FILE)) == 1


def test_every_fact_of_a_step_is_a_column_and_curves_are_written(tmp_path: Path):
    write(tmp_path, range(1, 3), 0)
    assert tuple(read_rows(tmp_path / STEPS_FILE)[0]) == STEP_COLUMNS
    assert list((tmp_path / TENSORBOARD_FOLDER).glob("events.*"))
