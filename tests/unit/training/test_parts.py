import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from builders.training import DrawnClips, rating_records, tiny_model
from finevq.errors import ConfigError
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.loading import build_empty
from finevq.model.official_keys import OfficialKey, parse_key, pieces_of
from finevq.model.presets import internvl2_8b
from finevq.training.parts import (
    count_parameters,
    frozen_state,
    prepare_parts,
    set_modes,
    trainable_parameters,
)
from finevq.training.presets import preset
from finevq.training.stages import InputsConfig, LoraConfig, PartsConfig, StageConfig


def our_names(key: OfficialKey, config: ModelConfig) -> list[str]:
    """What an official tensor is called in ours; a shared A once, as named_parameters says it."""
    pieces = pieces_of(key.module, config)
    if key.role == "lora_A":
        pieces = pieces[:1]
    end = f"{key.role}.default.weight" if key.role != "base" else key.leaf
    return [f"{piece.name}.{end}" for piece in pieces]


def learning_8b(stage: str, config: ModelConfig | None = None) -> FineVQ:
    model = build_empty(config or internvl2_8b())
    prepare_parts(model, preset(stage, "official"))
    return model


def test_adapters_of_stage_2_are_those_of_the_official_lora_file(shared: Path):
    listed = json.loads((shared / "goldens/finevq/lora_weights_keys.json").read_text())
    config = internvl2_8b()
    vision = {**config.image_encoder.vision, "hidden_size": 64, "num_hidden_layers": 2}
    vision |= {"num_attention_heads": 4, "intermediate_size": 256}
    llama = {**config.language_model.llama, "num_hidden_layers": 1, "intermediate_size": 256}
    small = replace(
        config,
        image_encoder=replace(config.image_encoder, vision=vision),
        language_model=replace(config.language_model, llama=llama),
    )
    learning = trainable_parameters(learning_8b("stage2", small))
    ours = {name: tuple(value.shape) for name, value in learning.items() if ".lora_" in name}
    official = {name: tuple(shape) for name, shape in listed}
    assert set(ours) == {name for key in official for name in our_names(parse_key(key), small)}
    # A of queries, keys and values is one, and together the split layers are as large as the fused.
    assert sum(torch.Size(shape).numel() for shape in ours.values()) == sum(
        torch.Size(shape).numel() for shape in official.values()
    )


@pytest.mark.parametrize(
    ("stage", "manifest", "parts"),
    [
        ("stage1", "stage1", ("mlp1", "motion_mlp")),
        ("stage2", "stage2_lora8", ("mlp1", "motion_mlp", "mlpscore")),
        ("qa", "qa_llm_lora16", ("mlp1",)),
    ],
)
def test_what_learns_in_the_8b_is_what_learns_in_the_official_code(
    shared: Path, stage: str, manifest: str, parts: tuple[str, ...]
):
    models = json.loads((shared / "goldens/finevq/manifest_official_full.json").read_text())
    model = learning_8b(stage)
    expected: set[str] = set()
    for name, _, *span in models["models"][manifest]["keys_without_slowfast"]:
        numbers = range(span[0][0], span[0][1] + 1) if span else [None]
        for number in numbers:
            key = parse_key(name if number is None else name.format(number))
            learns = key.role != "base" or key.module.split(".")[0] in parts
            if learns and not key.module.startswith("mlpscore.ln1"):
                expected.update(our_names(key, model.config))
    assert set(trainable_parameters(model)) == expected


def test_the_8b_has_as_many_adapter_parameters_as_the_official_one(shared: Path):
    models = json.loads((shared / "goldens/finevq/manifest_official_full.json").read_text())
    counts = {name: model["n_params"] for name, model in models["models"].items()}
    learning = trainable_parameters(learning_8b("stage2"))
    adapters = sum(value.numel() for name, value in learning.items() if ".lora_" in name)
    assert adapters == counts["infer_lora8"] - counts["infer_plain"]


def tiny_stage(**changes: object) -> StageConfig:
    return replace(preset("stage2", "nano"), **changes)


@pytest.mark.parametrize(
    "parts",
    [
        PartsConfig(score_head=True),
        PartsConfig(motion_encoder=True, image_encoder=True, language_model=True),
        PartsConfig(image_projectors=False, motion_projector=False, score_head=True),
    ],
)
def test_frozen_weights_and_every_buffer_stay_as_they_are(parts: PartsConfig):
    # Imported here: the loop needs the whole extra.
    from finevq.training.dataset import InstructionDataset, collate
    from finevq.training.network import TrainingNetwork
    from finevq.training.rows import make_rows

    model, prompter = tiny_model()
    config = tiny_stage(parts=parts)
    prepare_parts(model, config)
    before = {name: value.clone() for name, value in frozen_state(model)}
    assert any("running_mean" in name for name in before)
    learning = {n: v.detach().clone() for n, v in trainable_parameters(model).items()}
    data = InstructionDataset(rating_records(4), DrawnClips())
    batch = collate([data[index] for index in range(4)])
    rows = make_rows(prompter, model.config.num_visual_tokens, batch.records, learns_opening=True)
    network = TrainingNetwork(model)
    optimizer = torch.optim.AdamW(trainable_parameters(model).values(), lr=1e-2)
    for _ in range(2):
        set_modes(model, config)
        answers = network(batch, rows)
        (answers.token_losses.mean() + answers.scores.mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    for name, value in frozen_state(model):
        assert torch.equal(value, before[name]), name
    moved = [n for n, v in trainable_parameters(model).items() if not torch.equal(v, learning[n])]
    assert moved


def test_dropout_of_adapters_is_on_and_the_rest_of_a_frozen_part_is_not():
    model, _ = tiny_model()
    config = tiny_stage()
    prepare_parts(model, config)
    set_modes(model, config)
    layer = model.language_model.model.layers[0]
    assert layer.self_attn.q_proj.lora_dropout["default"].training
    assert not layer.training
    assert not any(
        module.training for module in model.modules() if "BatchNorm" in type(module).__name__
    )


def test_queries_keys_and_values_share_the_down_projection_unless_told_otherwise():
    model, _ = tiny_model()
    prepare_parts(model, tiny_stage())
    attention = model.language_model.model.layers[0].self_attn
    shared = {id(getattr(attention, f"{name}_proj").lora_A["default"].weight) for name in "qkv"}
    assert len(shared) == 1
    model, _ = tiny_model()
    prepare_parts(model, tiny_stage(lora=LoraConfig(language_rank=4, shares_down=False)))
    attention = model.language_model.model.layers[0].self_attn
    apart = {id(getattr(attention, f"{name}_proj").lora_A["default"].weight) for name in "qkv"}
    assert len(apart) == 3


def test_adapters_sit_where_they_are_asked_for():
    model, _ = tiny_model()
    lora = LoraConfig(image_rank=2, language_rank=4, language_layers=("attention",))
    prepare_parts(model, tiny_stage(lora=lora))
    names = [name for name in trainable_parameters(model) if ".lora_A." in name]
    assert any(name.startswith("image_encoder.stages.") for name in names)
    assert not any(".mlp." in name for name in names if name.startswith("language_model"))


def test_a_stage_without_head_or_motion_drops_them():
    model, _ = tiny_model()
    config = replace(
        preset("qa", "nano"),
        inputs=InputsConfig(motion="none", has_score_head=False),
        parts=PartsConfig(motion_projector=False),
    )
    prepare_parts(model, config)
    assert set(count_parameters(model)) == {"image_encoder", "image_projectors", "language_model"}
    assert model.config.num_motion_tokens == 0


def test_a_new_head_starts_alive_and_the_official_one_as_published():
    model, _ = tiny_model()
    del model.score_head
    model.config = replace(model.config, has_score_head=False)
    prepare_parts(model, tiny_stage())
    assert float(model.score_head.fc2.bias.detach()) == 0.5


def test_what_cannot_be_is_said():
    model, _ = tiny_model()
    with pytest.raises(ConfigError, match="nothing learns"):
        prepare_parts(
            model,
            tiny_stage(
                parts=PartsConfig(image_projectors=False, motion_projector=False),
                lora=LoraConfig(),
            ),
        )
    model, _ = tiny_model()
    with pytest.raises(ConfigError, match=r"parts\.motion_projector = true.*no motion_projector"):
        prepare_parts(model, tiny_stage(inputs=InputsConfig(motion="none")))
    model, _ = tiny_model()
    prepare_parts(model, tiny_stage())
    with pytest.raises(ConfigError, match=r"ranks 8 .* the stage wants 4"):
        prepare_parts(model, tiny_stage(lora=LoraConfig(image_rank=4, language_rank=4)))
