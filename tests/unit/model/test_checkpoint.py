import json
import pickle
from pathlib import Path

import pytest
import torch

from builders.official_checkpoint import write_shards
from finevq.errors import CheckpointError
from finevq.model.checkpoint import (
    INDEX_FILE,
    load_model,
    load_pickle,
    open_weights,
    save_model,
    save_tensors,
)
from finevq.model.finevq import FineVQ
from finevq.model.lora import LoraRanks, add_lora
from finevq.model.presets import nano


@pytest.fixture(scope="module")
def model() -> FineVQ:
    torch.manual_seed(0)
    return FineVQ(nano(vocabulary_size=90, context_token_id=3)).eval()


def test_a_model_comes_back_as_it_was_saved(model: FineVQ, tmp_path: Path) -> None:
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.config == model.config
    state, before = loaded.state_dict(), model.state_dict()
    assert list(state) == list(before)
    assert all(torch.equal(state[name], before[name]) for name in before)
    ids = torch.tensor([[1, 5, 9]])
    with torch.inference_mode():
        assert torch.equal(loaded(loaded.embed(ids)).logits, model(model.embed(ids)).logits)


def test_long_streams_are_written_in_shards(tmp_path: Path) -> None:
    tensors = {f"part{number}": torch.full((100,), float(number)) for number in range(5)}
    total = save_tensors(tmp_path, tensors.items(), shard_bytes=900)
    assert total == 5 * 400
    assert len(list(tmp_path.glob("model-*-of-00003.safetensors"))) == 3
    weights = open_weights(tmp_path)
    assert weights.shapes == {name: (100,) for name in tensors}
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in tensors.items())


@pytest.mark.parametrize("form", ["safetensors", "bin"])
def test_shards_of_both_official_forms_are_read(form: str, tmp_path: Path) -> None:
    tensors = {f"part{number}": torch.randn(3, 2).bfloat16() for number in range(5)}
    write_shards(tmp_path, tensors, form=form)  # type: ignore[arg-type]  # a literal
    weights = open_weights(tmp_path)
    assert all(torch.equal(weights.read(name), tensor) for name, tensor in tensors.items())


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path, {"a": torch.ones(1), "b": torch.ones(1)}, num_shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks 1 of 2 shards, first model-00002"):
        open_weights(tmp_path)


def test_an_index_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret.safetensors").write_bytes(b"")
    index = {"weight_map": {"a": "../secret.safetensors"}}
    (folder / INDEX_FILE).write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match=r"lacks 1 of 1 shards, first secret"):
        open_weights(folder)


def test_a_truncated_file_is_called_damaged(tmp_path: Path) -> None:
    save_tensors(tmp_path, [("a", torch.ones(1000))])
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged or no safetensors file"):
        open_weights(tmp_path)


class _Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('ran')",))


def test_a_pickle_that_runs_code_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "lora_weights.pth"
    path.write_bytes(pickle.dumps({"a": _Evil()}))
    with pytest.raises(CheckpointError, match="could run code"):
        load_pickle(path)


def test_a_folder_without_weights_says_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no weights: one of .*model\.safetensors"):
        open_weights(tmp_path)


def test_weights_of_another_model_are_refused(model: FineVQ, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    save_tensors(tmp_path, [("elsewhere.weight", torch.ones(1))])
    with pytest.raises(CheckpointError, match=r"elsewhere\.weight has no place in model 'nano'"):
        load_model(tmp_path)


def test_missing_weights_are_refused(model: FineVQ, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    state = dict(model.state_dict())
    del state["score_head.fc1.weight"]
    del state["language_model.lm_head.weight"]  # tied: one parameter, stored once
    save_tensors(tmp_path, state.items())
    with pytest.raises(CheckpointError, match=r"lacks 1 tensors, first score_head\.fc1\.weight"):
        load_model(tmp_path)


def test_fresh_adapters_change_nothing_and_train_alone(model: FineVQ) -> None:
    torch.manual_seed(0)
    other = FineVQ(model.config).eval()
    other.load_state_dict(model.state_dict())
    add_lora(other, LoraRanks(language=4))
    ids = torch.tensor([[1, 5, 9]])
    torch.testing.assert_close(other(other.embed(ids)).logits, model(model.embed(ids)).logits)
    trained = {name for name, value in other.named_parameters() if value.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
