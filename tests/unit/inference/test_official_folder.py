"""From the official on-disk format to answers about one real clip."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.official_checkpoint import OfficialSpec, write_official_folder
from finevq.errors import CheckpointError, ConfigError, ModelError, ModelNotFoundError
from finevq.inference.engine import Reading
from finevq.inference.loading import load
from finevq.inference.official_folder import convert_official, open_official
from finevq.inference.torch_engine import TorchEngine
from finevq.inference.torch_loading import TorchOptions, load_torch_model
from finevq.prompts import questions
from finevq.settings import load_settings
from finevq.video.decode import decode_video
from finevq.video.inputs import Pixels, read_inputs
from finevq.vocabulary import DIMENSIONS

SPEC = OfficialSpec(lora_image=4, lora_language=4, has_unused_norm=True)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "official"
    write_official_folder(folder, SPEC)
    return folder


@pytest.fixture(scope="module")
def read(official: Path, clips: Path) -> Callable[[Path], Reading]:
    """Rate one real clip with the model of a folder."""
    pixels: list[Pixels] = []

    def rate(folder: Path) -> Reading:
        model, prompter = load_torch_model(folder, TorchOptions(device="cpu"))
        if not pixels:
            video = replace(model.config.video, num_frames=2)
            path = str(clips / "skv_carphone_distorted.mp4")
            decode = partial(decode_video, settings=load_settings({}))
            pixels.append(read_inputs(path, video, decode=decode).whole)
        engine = TorchEngine(model, prompter.prefix_ids)
        asked = [questions.rating(dimension) for dimension in DIMENSIONS]
        suffixes = [prompter.suffix_ids(question, question.stem) for question in asked]
        return engine.read_suffixes(engine.read_video(pixels[0]), suffixes)

    return rate


@pytest.mark.full
@pytest.mark.parametrize("adapters", ["merge", "keep"])
def test_a_converted_folder_says_what_the_official_one_says(
    official: Path, tmp_path: Path, read: Callable[[Path], Reading], adapters: str
) -> None:
    target = tmp_path / "ours"
    done = convert_official(official, target, adapters=adapters)  # type: ignore[arg-type]
    assert (target / "adapter" / "adapter_config.json").is_file() is (adapters == "keep")
    assert [name for name, _ in done.report.unused] == [
        "mlpscore.ln1.weight",
        "mlpscore.ln1.bias",
    ]
    ours, theirs = read(target), read(official)
    np.testing.assert_allclose(ours.logits, theirs.logits, atol=1e-4)
    np.testing.assert_allclose(ours.scores, theirs.scores, atol=1e-3)  # on 0..100
    assert np.ptp(ours.scores) > 0


def test_adapters_are_kept_in_the_format_of_peft(official: Path, tmp_path: Path) -> None:
    convert_official(official, tmp_path / "ours", adapters="keep")
    values = json.loads((tmp_path / "ours" / "adapter" / "adapter_config.json").read_text())
    assert values["peft_type"] == "LORA"
    assert (values["r"], values["lora_alpha"]) == (4, 8)


def test_lora_weights_beside_the_checkpoint_are_mentioned_and_can_be_used(
    official: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "official"
    folder.mkdir()
    for path in official.iterdir():
        (folder / path.name).symlink_to(path)
    name = "language_model.base_model.model.model.layers.0.attention.wo.lora_B.default.weight"
    torch.save({name: torch.zeros(64, 4)}, folder / "lora_weights.pth")
    opened = open_official(folder)
    assert "lora_weights.pth lies beside the weights and is not used" in opened.notes[0]
    used = open_official(folder, lora_weights=folder / "lora_weights.pth")
    assert used.notes == ()
    target = "language_model.model.layers.0.self_attn.o_proj.lora_B.default.weight"
    found = dict(used.checkpoint.tensors(merge=False))[target]
    assert not found.any()


def test_a_target_with_files_is_not_overwritten(official: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(ConfigError, match="exists and is not an empty folder"):
        convert_official(official, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_converted_folder_needs_no_conversion(official: Path, tmp_path: Path) -> None:
    convert_official(official, tmp_path / "ours")
    with pytest.raises(CheckpointError, match="already converted needs no conversion"):
        convert_official(tmp_path / "ours", tmp_path / "again")


def test_a_question_answering_model_gives_no_scores(tmp_path: Path, clips: Path) -> None:
    spec = OfficialSpec(lora_language=16, has_score_head=False)
    write_official_folder(tmp_path / "qa", spec, form="bin")
    session = load(str(tmp_path / "qa"), settings=load_settings({}))
    with pytest.raises(ModelError, match="answers questions but gives no scores"):
        session.assess(str(clips / "skv_carphone_distorted.mp4"))


def test_an_unknown_model_lists_what_can_be_given(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match=r"or a hub id, such as IntMeGroup/FineVQ_score"):
        load(str(tmp_path / "absent" / "model"))


def test_an_unknown_quantization_is_refused(official: Path) -> None:
    options = TorchOptions(device="cpu", quantization="2bit")
    with pytest.raises(ConfigError, match="quantization '2bit'; allowed: 8bit, 4bit"):
        load_torch_model(official, options)
