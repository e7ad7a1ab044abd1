from pathlib import Path

import pytest
import torch

from finevq.errors import TrainingError
from finevq.training.checkpoints import (
    BEST_FILE,
    LAST_FILE,
    Checkpoint,
    Progress,
    load_last,
    random_state,
    restore_random_state,
    save_best,
    save_last,
)
from finevq.training.start import read_trained


def checkpoint(step: int) -> Checkpoint:
    return Checkpoint(
        progress=Progress(step=step, epoch=1, history=[{"srcc": 0.5}], best_value=0.5),
        trained={"layer.weight": torch.full((2, 3), float(step))},
        optimizer={"layer.weight": {"exp_avg": torch.ones(2, 3), "step": torch.tensor(4.0)}},
        random=[random_state()],
    )


def test_a_checkpoint_comes_back_whole(tmp_path: Path):
    save_last(tmp_path, checkpoint(7))
    found = load_last(tmp_path)
    assert found.progress == checkpoint(7).progress
    assert torch.equal(found.trained["layer.weight"], torch.full((2, 3), 7.0))
    assert found.optimizer["layer.weight"]["step"] == 4.0


def test_a_save_that_was_cut_off_leaves_the_one_before(tmp_path: Path):
    save_last(tmp_path, checkpoint(7))
    (tmp_path / f"{LAST_FILE}.part").write_bytes(b"killed while saving")
    assert load_last(tmp_path).progress.step == 7
    save_last(tmp_path, checkpoint(8))
    assert load_last(tmp_path).progress.step == 8
    assert [path.name for path in tmp_path.iterdir()] == [LAST_FILE]


def test_random_numbers_go_on_where_they_were():
    saved = random_state()
    drawn = torch.rand(4)
    restore_random_state(saved)
    assert torch.equal(torch.rand(4), drawn)


def test_a_missing_or_damaged_checkpoint_is_said(tmp_path: Path):
    with pytest.raises(TrainingError, match=r"holds no last\.pt"):
        load_last(tmp_path)
    (tmp_path / LAST_FILE).write_bytes(b"nothing of the kind")
    with pytest.raises(TrainingError, match="cannot be read"):
        load_last(tmp_path)


def test_the_best_weights_are_plain_safetensors(tmp_path: Path):
    save_best(tmp_path, {"a.weight": torch.arange(6.0).reshape(2, 3).T}, Progress(best_value=0.25))
    ((name, tensor),) = read_trained(tmp_path / BEST_FILE)
    assert name == "a.weight"
    assert torch.equal(tensor, torch.arange(6.0).reshape(2, 3).T)
