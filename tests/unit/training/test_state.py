from pathlib import Path

import torch
from torch import nn

from finevq.training.state import EpochState


def test_a_new_run_starts_at_epoch_zero(tmp_path: Path):
    assert EpochState(tmp_path / "state.pt", {}).restore() == 0


def test_a_run_goes_on_with_the_same_weights_and_random_numbers(tmp_path: Path):
    torch.manual_seed(3)
    layer = nn.Linear(2, 2)
    state = EpochState(tmp_path / "state.pt", {"layer": layer})
    state.save(4)
    kept, drawn = layer.weight.detach().clone(), torch.rand(3)

    torch.manual_seed(99)
    other = nn.Linear(2, 2)
    assert EpochState(tmp_path / "state.pt", {"layer": other}).restore() == 4
    assert torch.equal(other.weight, kept)
    assert torch.equal(torch.rand(3), drawn)


def test_a_half_written_file_does_not_replace_the_last_one(tmp_path: Path):
    layer = nn.Linear(2, 2)
    state = EpochState(tmp_path / "state.pt", {"layer": layer})
    state.save(1)
    (tmp_path / "state.part").write_bytes(b"killed while saving")
    assert state.restore() == 1
