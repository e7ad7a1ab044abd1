"""Names of the official FineVQ checkpoints, and where each tensor goes in ours.

The official state dict is InternVL2's remote code plus three modules: `vision_model` (fused qkv),
`language_model` (InternLM2, wqkv grouped by key-value head), `mlp1`, `motion_mlp`,
`slowfast_model`, `mlpscore`. With LoRA, peft 0.10 wraps the first two: `base_model.model` enters
the name, base weights move under `base_layer`, and `lora_A.default` / `lora_B.default` join them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from finevq.model.config import ModelConfig

Role = Literal["base", "lora_A", "lora_B"]


@dataclass(frozen=True, slots=True)
class OfficialKey:
    """An official name taken apart."""

    module: str
    """Without peft's additions: language_model.model.layers.0.attention.wqkv."""
    leaf: str
    """weight, bias, running_mean, ...; empty for a bare parameter."""
    role: Role
    """Which part of an adapted layer."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One of our tensors inside an official one."""

    name: str
    """Our name; for LoRA the module's name, without a leaf."""
    take: Callable[[Tensor], Tensor]
    """Cuts it out."""


_PEFT = re.compile(r"^(vision_model|language_model)\.base_model\.model\.")
_LORA = re.compile(r"^(?P<module>.+)\.(?P<role>lora_A|lora_B)\.default\.weight$")
_LEAF = re.compile(
    r"^(?P<module>.+)\.(?P<leaf>weight|bias|running_mean|running_var|num_batches_tracked)$"
)


def parse_key(key: str) -> OfficialKey:
    """Take an official name apart.

    >>> parse_key("vision_model.base_model.model.encoder.layers.0.attn.qkv.base_layer.bias")
    OfficialKey(module='vision_model.encoder.layers.0.attn.qkv', leaf='bias', role='base')
    >>> parse_key("language_model.base_model.model.output.lora_A.default.weight")
    OfficialKey(module='language_model.output', leaf='weight', role='lora_A')
    """
    plain = _PEFT.sub(r"\1.", key)
    if found := _LORA.match(plain):
        role: Role = "lora_A" if found["role"] == "lora_A" else "lora_B"
        return OfficialKey(found["module"], "weight", role)
    if found := _LEAF.match(plain):
        module = found["module"].removesuffix(".base_layer") if plain != key else found["module"]
        return OfficialKey(module, found["leaf"], "base")
    return OfficialKey(plain, "", "base")


# Official module -> ours; {} is a layer's number. Fused projections are in _FUSED.
_MODULES = {
    "vision_model.embeddings.class_embedding": "image_encoder.tower.embeddings.cls_token",
    "vision_model.embeddings.position_embedding": (
        "image_encoder.tower.embeddings.position_embeddings"
    ),
    "vision_model.embeddings.patch_embedding": (
        "image_encoder.tower.embeddings.patch_embeddings.projection"
    ),
    "vision_model.encoder.layers.{}.ls1": "image_encoder.tower.encoder.layer.{}.lambda_1",
    "vision_model.encoder.layers.{}.ls2": "image_encoder.tower.encoder.layer.{}.lambda_2",
    "vision_model.encoder.layers.{}.attn.proj": (
        "image_encoder.tower.encoder.layer.{}.attention.projection_layer"
    ),
    "vision_model.encoder.layers.{}.mlp.fc1": "image_encoder.tower.encoder.layer.{}.mlp.fc1",
    "vision_model.encoder.layers.{}.mlp.fc2": "image_encoder.tower.encoder.layer.{}.mlp.fc2",
    "vision_model.encoder.layers.{}.norm1": (
        "image_encoder.tower.encoder.layer.{}.layernorm_before"
    ),
    "vision_model.encoder.layers.{}.norm2": (
        "image_encoder.tower.encoder.layer.{}.layernorm_after"
    ),
    "language_model.model.tok_embeddings": "language_model.model.embed_tokens",
    "language_model.model.layers.{}.attention.wo": (
        "language_model.model.layers.{}.self_attn.o_proj"
    ),
    "language_model.model.layers.{}.feed_forward.w1": (
        "language_model.model.layers.{}.mlp.gate_proj"
    ),
    "language_model.model.layers.{}.feed_forward.w3": "language_model.model.layers.{}.mlp.up_proj",
    "language_model.model.layers.{}.feed_forward.w2": (
        "language_model.model.layers.{}.mlp.down_proj"
    ),
    "language_model.model.layers.{}.attention_norm": (
        "language_model.model.layers.{}.input_layernorm"
    ),
    "language_model.model.layers.{}.ffn_norm": (
        "language_model.model.layers.{}.post_attention_layernorm"
    ),
    "language_model.model.norm": "language_model.model.norm",
    "language_model.output": "language_model.lm_head",
}
_PREFIXES = {
    "mlp1.": "image_projectors.0.",
    "motion_mlp.": "motion_projector.",
    "slowfast_model.": "motion_encoder.",
    "mlpscore.": "score_head.",
}
_VISION_QKV = "vision_model.encoder.layers.{}.attn.qkv"
_LANGUAGE_QKV = "language_model.model.layers.{}.attention.wqkv"
_NUMBER = re.compile(r"(?<=\.layers\.)\d+")


def pieces_of(module: str, config: ModelConfig) -> tuple[Piece, ...]:
    """Return which of our modules an official module holds; empty for an unknown one.

    Args:
        module: As in `OfficialKey.module`.
        config: Of the model that is filled; its head counts tell how fused rows lie.
    """
    found = _NUMBER.search(module)
    number = found[0] if found else ""
    pattern = _NUMBER.sub("{}", module, count=1)
    if pattern == _VISION_QKV:
        base = f"image_encoder.tower.encoder.layer.{number}.attention"
        return tuple(
            Piece(f"{base}.{letter}_proj", _third(index)) for index, letter in enumerate("qkv")
        )
    if pattern == _LANGUAGE_QKV:
        base = f"language_model.model.layers.{number}.self_attn"
        return tuple(
            Piece(f"{base}.{letter}_proj", _grouped(index, config))
            for index, letter in enumerate("qkv")
        )
    if ours := _MODULES.get(pattern):
        return (Piece(ours.format(number), _whole),)
    for prefix, replacement in _PREFIXES.items():
        if module.startswith(prefix):
            return (Piece(replacement + module.removeprefix(prefix), _whole),)
    return ()


def _whole(tensor: Tensor) -> Tensor:
    return tensor


def _third(index: int) -> Callable[[Tensor], Tensor]:
    return lambda tensor: tensor.chunk(3)[index]


def _grouped(index: int, config: ModelConfig) -> Callable[[Tensor], Tensor]:
    """Cut queries (0), keys (1) or values (2) out of wqkv.

    Source: InternLM2's layout: rows are (kv heads, queries a group + key + value, head width).
    """
    llama = config.language_model.llama
    heads = int(llama["num_attention_heads"])
    kv_heads = int(llama.get("num_key_value_heads") or heads)
    groups = heads // kv_heads
    first, last = ((0, groups), (groups, groups + 1), (groups + 1, groups + 2))[index]

    def take(tensor: Tensor) -> Tensor:
        # (kv heads, groups + 2, head width, ...)
        rows = tensor.reshape(kv_heads, groups + 2, -1, *tensor.shape[1:])
        return rows[:, first:last].flatten(0, 2)

    return take


def reason_unused(module: str, config: ModelConfig) -> str | None:
    """Say why the function does not need an official tensor; None where it does."""
    if module.startswith("mlpscore.ln1"):
        return "built by the stage-2 class, never called"
    if module.endswith("rotary_emb.inv_freq"):
        return "computed from the configuration"
    if config.video.motion == "none" and module.startswith(("motion_mlp.", "slowfast_model.")):
        return "the question-answering class builds a motion branch and never calls it"
    if not config.has_score_head and module.startswith("mlpscore."):
        return "the model is configured without a score head"
    return None
