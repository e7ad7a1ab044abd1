import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from builders.official_checkpoint import (
    OfficialSpec,
    official_config,
    official_shapes,
    random_tensors,
    with_lora,
)
from finevq.errors import CheckpointError
from finevq.model.config import ModelConfig
from finevq.model.loading import build_empty, fill_model
from finevq.model.official_config import read_official_config
from finevq.model.official_import import OfficialCheckpoint, describe
from finevq.model.presets import internvl2_8b

VOCABULARY = 50
Shapes = dict[str, tuple[int, ...]]


class Tensors:
    """A weight source in memory."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        self._tensors = dict(tensors)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}

    def read(self, name: str) -> Tensor:
        return self._tensors[name].clone()


class ShapesOnly:
    def __init__(self, shapes: Shapes) -> None:
        self.shapes = shapes

    def read(self, name: str) -> Tensor:
        raise AssertionError(f"{name} was read")


def config_of(spec: OfficialSpec, shapes: Shapes) -> ModelConfig:
    values = official_config(spec, VOCABULARY)
    return describe(read_official_config(values, name="tiny", context_token_id=7), shapes)


def tiny(spec: OfficialSpec) -> tuple[dict[str, Tensor], ModelConfig]:
    shapes = with_lora(official_shapes(spec, VOCABULARY), spec)
    # The motion branch is large and goes by names alone; scalars of it keep this quick.
    return random_tensors(shapes, torch.float32), config_of(spec, shapes)


def manifest(shared: Path, name: str) -> tuple[Shapes, dict[str, Any]]:
    folder = shared / "goldens" / "finevq"
    model = json.loads((folder / "manifest_official_full.json").read_text())["models"][name]
    slowfast = json.loads((folder / "manifest_slowfast.json").read_text())
    shapes: Shapes = {}
    for key, shape, *span in model["keys_without_slowfast"]:
        numbers = range(span[0][0], span[0][1] + 1) if span else [None]
        for number in numbers:
            shapes[key if number is None else key.format(number)] = tuple(shape)
    for key, shape, _ in slowfast:
        shapes[f"slowfast_model.{key}"] = tuple(shape)
    return shapes, model


@pytest.mark.parametrize(
    ("name", "num_unused"),
    [
        ("infer_plain", 0),
        ("infer_lora8", 0),
        ("stage1", 0),
        ("stage2_lora8", 2),
        ("qa_llm_lora16", 666),
    ],
)
def test_every_key_of_the_real_8b_finds_its_place(shared: Path, name: str, num_unused: int) -> None:
    shapes, model = manifest(shared, name)
    assert len(shapes) == model["n_keys"]
    config = describe(internvl2_8b(), shapes)
    checkpoint = OfficialCheckpoint(ShapesOnly(shapes), config)
    report = checkpoint.report
    assert report.is_complete, report.summary()
    assert len(report.unused) == num_unused
    assert len(report.loaded) + num_unused == model["n_keys"]
    assert (checkpoint.ranks.image, checkpoint.ranks.language) == (
        model["lora_vit"],
        model["lora_llm"],
    )


def test_the_8b_has_as_many_parameters_as_the_official_class(shared: Path) -> None:
    _, model = manifest(shared, "infer_plain")
    empty = build_empty(internvl2_8b())
    assert sum(parameter.numel() for parameter in empty.parameters()) == model["n_params"]


def test_unused_keys_are_named_with_the_reason(shared: Path) -> None:
    shapes, _ = manifest(shared, "stage2_lora8")
    report = OfficialCheckpoint(ShapesOnly(shapes), internvl2_8b()).report
    assert [name for name, _ in report.unused] == ["mlpscore.ln1.weight", "mlpscore.ln1.bias"]
    assert "never called" in report.summary()


def test_a_missing_an_unknown_and_a_misshapen_key_are_named() -> None:
    spec = OfficialSpec()
    shapes = official_shapes(spec, VOCABULARY)
    config = config_of(spec, shapes)
    del shapes["mlp1.3.weight"]
    shapes["language_model.model.surprise.weight"] = (3,)
    shapes["language_model.model.layers.0.attention.wqkv.weight"] = (100, 64)
    checkpoint = OfficialCheckpoint(ShapesOnly(shapes), config)
    with pytest.raises(CheckpointError) as caught:
        checkpoint.check()
    message = str(caught.value)
    assert "image_projectors.0.3.weight" in message
    assert "1 unexpected: language_model.model.surprise.weight" in message
    assert "1 mismatched: language_model.model.layers.0.attention.wqkv.weight: (100, 64)" in message


def test_half_an_adapter_is_missing_its_other_half() -> None:
    spec = OfficialSpec(lora_language=4)
    shapes = with_lora(official_shapes(spec, VOCABULARY), spec)
    config = config_of(spec, shapes)
    del shapes["language_model.base_model.model.model.layers.0.attention.wo.lora_B.default.weight"]
    report = OfficialCheckpoint(ShapesOnly(shapes), config).report
    assert report.missing == ("language_model.model.layers.0.attention.wo.lora_B",)


def test_nan_is_refused_by_name() -> None:
    tensors, config = tiny(OfficialSpec())
    tensors["mlpscore.fc2.weight"][3, 4] = torch.nan
    with pytest.raises(CheckpointError, match=r"mlpscore.fc2.weight holds 1 values that are NaN"):
        list(OfficialCheckpoint(Tensors(tensors), config).tensors(merge=True))


def test_grouped_rows_of_wqkv_are_queries_then_key_then_value_of_each_group() -> None:
    spec = OfficialSpec(heads=4, kv_heads=2, width=64)
    tensors, config = tiny(spec)
    ours = dict(OfficialCheckpoint(Tensors(tensors), config).tensors(merge=True))
    fused = tensors["language_model.model.layers.1.attention.wqkv.weight"]
    head, base = 16, "language_model.model.layers.1.self_attn"
    rows = [fused[start : start + head] for start in range(0, len(fused), head)]
    # Two groups of [query, query, key, value].
    expected = {"q": (0, 1, 4, 5), "k": (2, 6), "v": (3, 7)}
    for letter, numbers in expected.items():
        wanted = torch.cat([rows[number] for number in numbers])
        assert torch.equal(ours[f"{base}.{letter}_proj.weight"], wanted)


@torch.inference_mode()
def test_adapters_give_the_same_kept_and_merged() -> None:
    spec = OfficialSpec(lora_image=3, lora_language=5)
    tensors, config = tiny(spec)
    checkpoint = OfficialCheckpoint(Tensors(tensors), config)
    merged = fill_model(build_empty(config), checkpoint.tensors(merge=True))
    kept = fill_model(build_empty(config, checkpoint.ranks), checkpoint.tensors(merge=False))
    plain_tensors = {
        name: tensor * (0 if ".lora_B." in name else 1) for name, tensor in tensors.items()
    }
    plain_checkpoint = OfficialCheckpoint(Tensors(plain_tensors), config)
    plain = fill_model(build_empty(config), plain_checkpoint.tensors(merge=True))
    images = torch.randn(1, 1, 3, 224, 224)
    ids = torch.arange(8, 20)[None]
    for read in (
        lambda model: model.encode_images([images])[0],
        lambda model: model(model.embed(ids)).hidden,
    ):
        torch.testing.assert_close(read(kept), read(merged), atol=1e-5, rtol=1e-5)
        assert (read(plain) - read(merged)).abs().max() > 1e-3


def test_lora_weights_replace_those_of_the_checkpoint() -> None:
    spec = OfficialSpec(lora_language=2)
    tensors, config = tiny(spec)
    name = "language_model.base_model.model.model.layers.0.attention.wo.lora_B.default.weight"
    better = torch.full_like(tensors[name], 0.5)
    checkpoint = OfficialCheckpoint(Tensors(tensors), config, {name: better})
    ours = dict(checkpoint.tensors(merge=False))
    target = "language_model.model.layers.0.self_attn.o_proj.lora_B.default.weight"
    assert torch.equal(ours[target], better)


def test_a_question_answering_checkpoint_has_no_motion_and_no_score() -> None:
    spec = OfficialSpec(lora_language=16, has_score_head=False)
    shapes = with_lora(official_shapes(spec, VOCABULARY), spec)
    config = config_of(spec, shapes)
    assert config.video.motion == "none"
    assert not config.has_score_head
    assert config.num_motion_tokens == 0


@pytest.mark.parametrize(
    ("section", "field", "value"),
    [("", "ps_version", "v1"), ("", "select_layer", -2), ("vision_config", "norm_type", "rms")],
)
def test_what_the_official_models_never_use_is_refused(
    section: str, field: str, value: object
) -> None:
    values = official_config(OfficialSpec(), VOCABULARY)
    (values[section] if section else values)[field] = value
    with pytest.raises(CheckpointError, match=f"{field} is {value!r}"):
        read_official_config(values, name="x", context_token_id=7)


def test_configuration_survives_json() -> None:
    config = replace(internvl2_8b(), compat="official")
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config
