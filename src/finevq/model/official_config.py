"""The official config.json as our configuration; what we cannot honour is refused, not ignored."""

from collections.abc import Mapping
from typing import Any

from finevq.errors import CheckpointError
from finevq.model.config import (
    ImageEncoderConfig,
    LanguageModelConfig,
    ModelConfig,
    MotionEncoderConfig,
    ScoreHeadConfig,
)
from finevq.records import VideoInputConfig

# What the official model's function assumes: (section, field) -> the one value that we implement.
_ASSUMED: tuple[tuple[str, str, Any], ...] = (
    ("", "ps_version", "v2"),
    ("", "select_layer", -1),
    ("", "template", "internlm2-chat"),
    ("vision_config", "qk_normalization", False),
    ("vision_config", "norm_type", "layer_norm"),
    ("vision_config", "hidden_act", "gelu"),
    ("llm_config", "bias", False),
    ("llm_config", "hidden_act", "silu"),
)
_VISION_FIELDS = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "image_size",
    "patch_size",
    "layer_norm_eps",
)
_LLAMA_FIELDS = (
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
    "rms_norm_eps",
)


def is_official(values: Mapping[str, Any]) -> bool:
    """Say whether a config.json is of the official layout rather than ours."""
    return "llm_config" in values and "vision_config" in values


def read_official_config(
    values: Mapping[str, Any], *, name: str, context_token_id: int
) -> ModelConfig:
    """Turn an official config.json into ours.

    Args:
        values: The parsed file.
        name: For results.
        context_token_id: Id of <IMG_CONTEXT>; the file does not say, the tokenizer does.

    Raises:
        CheckpointError: a field is missing, or has a value that the official FineVQ never uses.
    """
    for section, field, needed in _ASSUMED:
        part = values.get(section, {}) if section else values
        found = part.get(field, needed)
        if found != needed:
            raise CheckpointError(
                f"config.json: {section + '.' if section else ''}{field} is {found!r}; FineVQ's "
                f"official models have {needed!r}, and only that is implemented"
            )
    vision, llm = values["vision_config"], values["llm_config"]
    return ModelConfig(
        name=name,
        version="1",
        video=VideoInputConfig(
            view_sizes=(_field(vision, "vision_config", "image_size"),),
            motion_size=_field(vision, "vision_config", "image_size"),
            resize="pil",
        ),
        image_encoder=ImageEncoderConfig(
            kind="intern_vit",
            image_size=vision["image_size"],
            vision={
                **{key: _field(vision, "vision_config", key) for key in _VISION_FIELDS},
                "attention_bias": bool(vision.get("qkv_bias", True)),
            },
            downsample_ratio=float(values.get("downsample_ratio", 0.5)),
            projector_expansion=1,
        ),
        motion_encoder=MotionEncoderConfig(),
        language_model=LanguageModelConfig(
            llama={
                **{key: _field(llm, "llm_config", key) for key in _LLAMA_FIELDS},
                "rope_parameters": _rope(llm),
                "tie_word_embeddings": bool(llm.get("tie_word_embeddings", False)),
            }
        ),
        score_head=ScoreHeadConfig(),
        prompt="internlm2-chat",
        context_token_id=context_token_id,
    )


def _field(section: Mapping[str, Any], name: str, field: str) -> Any:  # noqa: ANN401  # JSON
    if field not in section:
        raise CheckpointError(f"config.json: {name} lacks {field!r}")
    return section[field]


def _rope(llm: Mapping[str, Any]) -> dict[str, Any]:
    theta = float(llm.get("rope_theta", 1e6))
    scaling = llm.get("rope_scaling")
    if not scaling:
        return {"rope_type": "default", "rope_theta": theta}
    kind = scaling.get("type") or scaling.get("rope_type")
    if kind not in ("dynamic", "linear"):
        raise CheckpointError(
            f"config.json: llm_config.rope_scaling type {kind!r}; allowed: dynamic, linear, or none"
        )
    return {"rope_type": kind, "rope_theta": theta, "factor": float(scaling["factor"])}
