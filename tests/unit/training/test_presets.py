import re
from dataclasses import replace
from pathlib import Path

import pytest

from conftest import ROOT
from finevq.config import build_config, read_values
from finevq.errors import ConfigError
from finevq.training.presets import preset
from finevq.training.stages import DistributedConfig, StageConfig, StageName
from finevq.training.stepping import learning_rate_at

RECIPES = sorted(
    path for path in (ROOT / "recipes").glob("*-*.toml") if "ablation" not in path.name
)


@pytest.fixture(scope="module")
def paper(shared: Path) -> str:
    text = (shared / "paper" / "finevq.txt").read_text()
    section = text.partition("5.1. Implementation Details")[2].partition("5.2. Evaluation")[0]
    return " ".join(section.split())


@pytest.mark.parametrize("stage", ["stage1", "stage2", "qa"])
def test_the_paper_s_preset_says_what_the_paper_says(paper: str, stage: StageName):
    config = preset(stage, "paper")
    epochs, batch = re.findall(r"for (\d+) epochs with a batch size of (\d+)", paper)[0]
    assert (config.steps.epochs, config.steps.batch_size) == (int(epochs), int(batch))
    rates = re.findall(r"learning rate is (\d)e−(\d) and gradually reduces to (\d)e−(\d)", paper)
    first, last = (float(f"{a}e-{b}") for a, b in (rates[0][:2], rates[0][2:]))
    optimizer = config.optimizer

    def rate(step: int) -> float:
        return learning_rate_at(
            step,
            1000,
            peak=optimizer.learning_rate,
            final=optimizer.final_learning_rate,
            warmup_share=optimizer.warmup_share,
        )

    assert rate(0) == pytest.approx(first)
    assert rate(999) == pytest.approx(last)
    assert "AdamW Optimizer" in paper
    assert "with cosine annealing" in paper
    (rank,) = re.findall(r"rank parameter of LoRA \[19\] in FineVQ is set to (\d+)", paper)
    ranks = {config.lora.image_rank, config.lora.language_rank} - {0}
    assert ranks == (set() if stage == "stage1" else {int(rank)})
    assert "image encoder, motion encoder, and LLM are all frozen" in paper
    parts = config.parts
    assert not (parts.image_encoder)
    assert not (parts.motion_encoder)
    assert not (parts.language_model)


@pytest.fixture(scope="module")
def scripts(shared: Path) -> str:
    return (shared / "goldens" / "finevq" / "README.md").read_text()


@pytest.mark.parametrize("stage", ["stage1", "stage2", "qa"])
def test_the_official_preset_says_what_the_scripts_do(scripts: str, stage: StageName):
    config = preset(stage, "official")
    (common,) = re.findall(r"^Common: (.*?)\n\|", scripts, re.DOTALL | re.MULTILINE)
    words = " ".join(common.split())
    steps, optimizer = config.steps, config.optimizer
    assert f"batch {steps.batch_size}, no accumulation, {steps.epochs} epochs" in words
    assert f"lr {optimizer.learning_rate:.0e}".replace("e-0", "e-") in words
    assert f"weight decay {optimizer.weight_decay}" in words
    assert f"warm-up {optimizer.warmup_share:.0%}".replace("%", " %") in words
    assert f"clipping {optimizer.max_gradient_norm}" in words
    assert (
        f"({optimizer.beta1}, {optimizer.beta2}, eps {optimizer.epsilon:.0e})".replace("e-0", "e-")
        in words
    )
    every = config.validation.every_steps
    assert ("(507 for QA)" if stage == "qa" else f"every {every} steps") in words
    assert f"ViT drop path {config.inputs.image_drop_path}" in words
    assert steps.precision == "bf16"
    assert steps.gradient_checkpointing
    row = next(
        line
        for line in scripts.splitlines()
        if line.startswith({"stage1": "| 1 |", "stage2": "| 2 |", "qa": "| QA |"}[stage])
    )
    trained, loss = (cell.strip() for cell in row.split("|")[4:6])
    parts = config.parts
    assert parts.image_projectors == ("mlp1" in trained)
    assert parts.motion_projector == ("motion_mlp" in trained)
    assert parts.score_head == ("mlpscore" in trained)
    assert (config.lora.image_rank > 0) == ("ViT" in trained)
    assert (config.lora.language_rank > 0) == ("LLM" in trained)
    for rank in {config.lora.image_rank, config.lora.language_rank} - {0}:
        assert f"r {rank}" in trained
    assert bool(config.losses.token_weight) == loss.startswith("token cross-entropy")
    assert bool(config.losses.score_weight) == loss.startswith("L1(score1")


def test_recipes_change_nothing_but_places_data_and_machines():
    assert len(RECIPES) >= 10
    for path in RECIPES:
        values = read_values(path)
        base = preset(values["stage"], values["preset"])
        config = build_config(StageConfig, values, base=base)
        assert path.stem == f"{config.preset}-{config.stage}"
        same = replace(config, start=base.start, data=base.data, distributed=DistributedConfig())
        assert same == base, path.name
        assert replace(config.start, model="", motion_encoder=None) == replace(
            base.start, model="", motion_encoder=None
        )


def test_an_unknown_preset_and_an_unknown_key_are_named():
    with pytest.raises(ConfigError, match="preset 'papers'; known: paper, official, nano"):
        preset("stage1", "papers")
    with pytest.raises(ConfigError, match="ours"):
        preset("joint", "official")
    base = preset("stage1", "nano")
    with pytest.raises(
        ConfigError, match=r"'optimizer\.learning_rat'; did you mean 'learning_rate'"
    ):
        build_config(StageConfig, {}, ["optimizer.learning_rat=1"], base=base)
    with pytest.raises(ConfigError, match=r"steps\.precision = 'fp16': expected one of 'fp32'"):
        build_config(StageConfig, {}, ["steps.precision=fp16"], base=base)
    with pytest.raises(ConfigError, match=r"data\.tasks = 5"):
        build_config(StageConfig, {}, ["data.tasks=5"], base=base)


def test_overrides_go_before_files_and_files_before_presets():
    base = preset("stage2", "nano")
    values = {"steps": {"epochs": 3, "seed": 5}, "lora": {"language_layers": ["mlp"]}}
    config = build_config(StageConfig, values, ["steps.epochs=4"], base=base)
    assert config.steps == replace(base.steps, epochs=4, seed=5)
    assert config.lora.language_layers == ("mlp",)
    assert config.optimizer == base.optimizer
