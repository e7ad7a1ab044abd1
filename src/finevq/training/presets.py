"""The published recipes, and nano's, as complete configurations by name."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Literal, get_args

from finevq.errors import ConfigError
from finevq.training.stages import (
    InputsConfig,
    LoraConfig,
    LossConfig,
    OptimizerConfig,
    PartsConfig,
    StageConfig,
    StageName,
    StartConfig,
    StepsConfig,
    ValidationConfig,
)

PresetName = Literal["paper", "official", "nano"]


def preset(stage: StageName, name: str) -> StageConfig:
    """Return the configuration of a stage.

    Raises:
        ConfigError: no such preset.
    """
    if name not in _PRESETS:
        raise ConfigError(f"preset {name!r}; known: {', '.join(get_args(PresetName))}")
    return _PRESETS[name](stage)


_PROJECTORS = PartsConfig()
_WITH_HEAD = PartsConfig(score_head=True)
_IMAGES_ONLY = PartsConfig(motion_projector=False)
_DROP_PATH = 0.1
"""Of the ViT. Source: IntMeGroup/FineVQ, commit 2dd8bc6a, shell/*.sh."""
_TOKENS = LossConfig(token_weight=1.0)
_SCORES = LossConfig(score_weight=1.0)
_ALL_LOSSES = LossConfig(
    token_weight=0.5, score_weight=1.0, rank_weight=0.5, score_kind="huber", learns_opening=False
)


def _paper(stage: StageName) -> StageConfig:
    """Build the recipe of the paper's text.

    Source: FineVQ, section 5.1: AdamW, 2e-4 falling to 1e-6 as a cosine, 10 epochs, batches of 8,
    LoRA of rank 16, encoders and language model frozen, bf16 not mentioned. What the text leaves
    open (weight decay, clipping, alpha, dropout, drop path, which loss in which stage) is as in the
    official scripts. The head has no closing ReLU, and motion is read in training as in use: both
    are ours.
    """
    optimizer = OptimizerConfig(learning_rate=2e-4, final_learning_rate=1e-6, warmup_share=0.0)
    steps = StepsConfig(
        epochs=10,
        batch_size=8,
        micro_batch_size=1,
        gradient_checkpointing=True,
        precision="bf16",
    )
    return _stage_of_8b(
        stage, "paper", LoraConfig(image_rank=16, language_rank=16), optimizer, steps
    )


def _official(stage: StageName) -> StageConfig:
    """Build what the released scripts do.

    Source: IntMeGroup/FineVQ, commit 2dd8bc6a, shell/*.sh and the Trainer's defaults: one GPU,
    batches of 4, 50 epochs, lr 4e-5, cosine to 0 after a warm-up of 3 %, weight decay 0.01, LoRA 8
    (question answering: 16 on the language model alone), drop path 0.1, motion from the eight
    sparse frames.
    """
    optimizer = OptimizerConfig(learning_rate=4e-5, warmup_share=0.03, weight_decay=0.01)
    steps = StepsConfig(
        epochs=50,
        batch_size=4,
        micro_batch_size=4,
        gradient_checkpointing=True,
        precision="bf16",
    )
    config = _stage_of_8b(
        stage, "official", LoraConfig(image_rank=8, language_rank=8), optimizer, steps
    )
    if stage == "joint":
        raise ConfigError("stage joint is ours: the official code has none; use the preset nano")
    return replace(
        config,
        start=StartConfig(model=config.start.model, initialization="official", final_relu=True),
        inputs=InputsConfig(
            motion="none" if stage == "qa" else "sparse_frames",
            has_score_head=config.inputs.has_score_head,
            image_drop_path=config.inputs.image_drop_path,
        ),
        validation=ValidationConfig(
            every_steps=507 if stage == "qa" else 29, select_by=config.validation.select_by
        ),
    )


def _stage_of_8b(
    stage: StageName,
    name: PresetName,
    lora: LoraConfig,
    optimizer: OptimizerConfig,
    steps: StepsConfig,
) -> StageConfig:
    """Join what the paper's and the official recipe have in common."""
    if stage == "stage1":
        return StageConfig(
            stage=stage,
            preset=name,
            start=StartConfig(model="checkpoints/InternVL2-8B"),
            inputs=InputsConfig(has_score_head=False, image_drop_path=_DROP_PATH),
            parts=_PROJECTORS,
            losses=_TOKENS,
            optimizer=optimizer,
            steps=steps,
            validation=ValidationConfig(select_by="accuracy"),
        )
    if stage == "qa":
        return StageConfig(
            stage=stage,
            preset=name,
            start=StartConfig(model="checkpoints/InternVL2-8B"),
            inputs=InputsConfig(motion="none", has_score_head=False, image_drop_path=_DROP_PATH),
            parts=_IMAGES_ONLY,
            lora=LoraConfig(language_rank=16),
            losses=_TOKENS,
            optimizer=optimizer,
            steps=steps,
            validation=ValidationConfig(select_by="accuracy"),
        )
    return StageConfig(
        stage=stage,
        preset=name,
        start=StartConfig(model="runs/stage1"),
        inputs=InputsConfig(image_drop_path=_DROP_PATH),
        parts=_WITH_HEAD,
        lora=lora,
        losses=_SCORES if stage == "stage2" else _ALL_LOSSES,
        optimizer=optimizer,
        steps=steps,
    )


def _nano(stage: StageName) -> StageConfig:
    """Build what trains the released nano further on two cores."""
    optimizer = OptimizerConfig(learning_rate=1e-3, final_learning_rate=1e-5, warmup_share=0.05)
    steps = StepsConfig(epochs=10, batch_size=16, keeps_features=True)
    config = StageConfig(
        stage=stage,
        preset="nano",
        start=StartConfig(model="nano"),
        optimizer=optimizer,
        steps=steps,
        parts=_PROJECTORS,
        losses=LossConfig(token_weight=1.0, learns_opening=False),
        validation=ValidationConfig(select_by="accuracy"),
    )
    if stage == "stage1":
        return config
    if stage == "qa":
        return replace(config, lora=LoraConfig(language_rank=16))
    if stage == "stage2":
        return replace(
            config,
            parts=_WITH_HEAD,
            lora=LoraConfig(image_rank=8, language_rank=8),
            losses=LossConfig(score_weight=1.0, score_kind="huber"),
            validation=ValidationConfig(),
        )
    return replace(
        config,
        parts=PartsConfig(language_model=True, score_head=True),
        losses=_ALL_LOSSES,
        validation=ValidationConfig(),
    )


_PRESETS: Mapping[str, Callable[[StageName], StageConfig]] = {
    "paper": _paper,
    "official": _official,
    "nano": _nano,
}
