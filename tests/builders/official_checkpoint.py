"""Writes a tiny random checkpoint in the official on-disk format.

Same files, names and layouts as the released ones (config.json of InternVL2, sharded safetensors or
pickled shards, a sentencepiece tokenizer with added tokens); only widths and layers are small.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import sentencepiece
import torch
from safetensors.torch import save_file
from torch import Tensor

from finevq.model.config import MotionEncoderConfig
from finevq.model.motion_encoder import MotionEncoder
from finevq.prompts import internlm2, questions
from finevq.vocabulary import DIMENSIONS, levels_of

ADDED = (
    "<img>",
    "</img>",
    "<IMG_CONTEXT>",
    "<quad>",
    "</quad>",
    "<ref>",
    "</ref>",
    "<box>",
    "</box>",
)
"""What InternVL2 appends to InternLM2's vocabulary, in order."""
NUM_UNUSED = 8


@dataclass(frozen=True, kw_only=True)
class OfficialSpec:
    """Sizes and parts of a tiny official checkpoint."""

    width: int = 64
    heads: int = 4
    kv_heads: int = 2
    layers: int = 2
    mlp: int = 96
    vision_width: int = 32
    vision_heads: int = 2
    vision_layers: int = 1
    image_size: int = 224
    lora_image: int = 0
    lora_language: int = 0
    has_score_head: bool = True
    has_motion: bool = True
    """False: as InternVL2-8B is published."""
    has_unused_norm: bool = False
    """mlpscore.ln1, as stage 2 saves it."""
    dtype: torch.dtype = torch.float32


def train_sentencepiece(*, add_dummy_prefix: bool = False, vocabulary_size: int = 420) -> bytes:
    """Train a small BPE model with InternLM2's settings: byte fallback, no normalisation."""
    corpus = list(_sentences()) * 3
    written = BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(corpus),
        model_writer=written,
        model_type="bpe",
        vocab_size=vocabulary_size,
        byte_fallback=True,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        add_dummy_prefix=add_dummy_prefix,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        unk_id=0,
        bos_id=1,
        eos_id=2,
        user_defined_symbols=[f"[UNUSED_TOKEN_{number}]" for number in range(NUM_UNUSED)],
        hard_vocab_limit=False,
        minloglevel=2,
    )
    return written.getvalue()


def _sentences() -> Iterator[str]:
    yield internlm2.SYSTEM
    yield "system\n user\n assistant\nFrame1: Frame2: Frame8: Motion Feature: <|video|> "
    for dimension in DIMENSIONS:
        yield internlm2.rating_question(dimension)
        for level in (*levels_of(dimension), *levels_of(DIMENSIONS[-1])):
            yield f"{internlm2.rating_stem(dimension)} {level}."
            yield f"{level} {level} {level}"
    yield internlm2.yes_no_question("blur")
    yield questions.describe().text
    yield "Yes No A B C D"
    yield "The shaky camera at night shows strong noise, 1080p at 30 fps; colours look dull."


def write_tokenizer(folder: Path, *, add_dummy_prefix: bool = False) -> int:
    """Write tokenizer.model, tokenizer_config.json and added_tokens.json.

    Returns:
        The whole vocabulary's size.
    """
    data = train_sentencepiece(add_dummy_prefix=add_dummy_prefix)
    (folder / "tokenizer.model").write_bytes(data)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    size = processor.get_piece_size()
    # Two of the unused pieces carry the chat template, as in InternLM2.
    starts = [processor.piece_to_id(f"[UNUSED_TOKEN_{number}]") for number in (0, 1)]
    added = {0: "<unk>", 1: "<s>", 2: "</s>", starts[0]: "<|im_end|>", starts[1]: "<|im_start|>"}
    added.update({size + number: token for number, token in enumerate(ADDED)})
    entry = {"lstrip": False, "normalized": False, "rstrip": False, "special": True}
    decoder = {str(index): {"content": token, **entry} for index, token in added.items()}
    config = {"added_tokens_decoder": decoder, "tokenizer_class": "InternLM2Tokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ids = {token: index for index, token in added.items()}
    (folder / "added_tokens.json").write_text(json.dumps(ids))
    return size + len(ADDED)


def official_shapes(spec: OfficialSpec, vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Return plain official names and shapes."""
    vision, width = spec.vision_width, spec.width
    side = spec.image_size // 14
    shapes: dict[str, tuple[int, ...]] = {
        "vision_model.embeddings.class_embedding": (1, 1, vision),
        "vision_model.embeddings.position_embedding": (1, side * side + 1, vision),
        "vision_model.embeddings.patch_embedding.weight": (vision, 3, 14, 14),
        "vision_model.embeddings.patch_embedding.bias": (vision,),
        "language_model.model.tok_embeddings.weight": (vocabulary, width),
        "language_model.model.norm.weight": (width,),
        "language_model.output.weight": (vocabulary, width),
    }
    for layer in range(spec.vision_layers):
        base = f"vision_model.encoder.layers.{layer}"
        shapes |= {f"{base}.ls1": (vision,), f"{base}.ls2": (vision,)}
        linear = {"attn.qkv": (3, 1), "attn.proj": (1, 1), "mlp.fc1": (4, 1), "mlp.fc2": (1, 4)}
        for name, (outputs, inputs) in linear.items():
            shapes[f"{base}.{name}.weight"] = (outputs * vision, inputs * vision)
            shapes[f"{base}.{name}.bias"] = (outputs * vision,)
        for name in ("norm1", "norm2"):
            shapes |= {f"{base}.{name}.weight": (vision,), f"{base}.{name}.bias": (vision,)}
    head = width // spec.heads
    for layer in range(spec.layers):
        base = f"language_model.model.layers.{layer}"
        shapes |= {
            f"{base}.attention.wqkv.weight": ((spec.heads + 2 * spec.kv_heads) * head, width),
            f"{base}.attention.wo.weight": (width, width),
            f"{base}.feed_forward.w1.weight": (spec.mlp, width),
            f"{base}.feed_forward.w3.weight": (spec.mlp, width),
            f"{base}.feed_forward.w2.weight": (width, spec.mlp),
            f"{base}.attention_norm.weight": (width,),
            f"{base}.ffn_norm.weight": (width,),
        }
    projectors = (
        {"mlp1": 4 * vision, "motion_mlp": 2304} if spec.has_motion else {"mlp1": 4 * vision}
    )
    for name, inputs in projectors.items():
        shapes |= {f"{name}.0.weight": (inputs,), f"{name}.0.bias": (inputs,)}
        shapes |= {f"{name}.1.weight": (width, inputs), f"{name}.1.bias": (width,)}
        shapes |= {f"{name}.3.weight": (width, width), f"{name}.3.bias": (width,)}
    with torch.device("meta"):
        motion = MotionEncoder(MotionEncoderConfig()).state_dict()
    if spec.has_motion:
        shapes |= {f"slowfast_model.{name}": tuple(value.shape) for name, value in motion.items()}
    if spec.has_score_head:
        widths = (width, 1024, 256, 64, 16, 1)
        for number in range(1, len(widths)):
            shapes[f"mlpscore.fc{number}.weight"] = (widths[number], widths[number - 1])
            shapes[f"mlpscore.fc{number}.bias"] = (widths[number],)
    if spec.has_unused_norm:
        shapes |= {"mlpscore.ln1.weight": (1024,), "mlpscore.ln1.bias": (1024,)}
    return shapes


_ADAPTED = re.compile(r"\.(qkv|proj|fc1|fc2|wqkv|wo|w1|w2|w3)\.weight$")


def with_lora(
    shapes: Mapping[str, tuple[int, ...]], spec: OfficialSpec
) -> dict[str, tuple[int, ...]]:
    """Rename and add keys as peft does."""
    ranks = {"vision_model": spec.lora_image, "language_model": spec.lora_language}
    found: dict[str, tuple[int, ...]] = {}
    for name, shape in shapes.items():
        part, _, rest = name.partition(".")
        rank = ranks.get(part, 0)
        if not rank:
            found[name] = shape
            continue
        inside = f"{part}.base_model.model.{rest}"
        module, _, leaf = inside.rpartition(".")
        if not _ADAPTED.search(f"{module}.weight"):
            found[inside] = shape
            continue
        found[f"{module}.base_layer.{leaf}"] = shape
        if leaf == "weight":
            found[f"{module}.lora_A.default.weight"] = (rank, shape[1])
            found[f"{module}.lora_B.default.weight"] = (shape[0], rank)
    return found


def random_tensors(
    shapes: Mapping[str, tuple[int, ...]], dtype: torch.dtype, seed: int = 0
) -> dict[str, Tensor]:
    """Draw weights that keep activations in range."""
    generator = torch.Generator().manual_seed(seed)
    return {name: _random(name, shape, dtype, generator) for name, shape in shapes.items()}


def _random(
    name: str, shape: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.long)
    drawn = torch.randn(shape, generator=generator)
    if name.endswith("running_var") or (len(shape) == 1 and name.endswith("weight")):
        values = 1 + 0.02 * drawn.abs()
    elif len(shape) <= 1:
        # The last ReLU of the official head is dead for a negative sum.
        values = 0.02 * drawn + (0.5 if name == "mlpscore.fc5.bias" else 0)
    else:
        values = drawn / torch.tensor(shape[1:]).prod().sqrt()
    return values.to(dtype)


def official_config(spec: OfficialSpec, vocabulary: int) -> dict[str, Any]:
    """Return config.json."""
    return {
        "architectures": ["InternVLChatModel"],
        "downsample_ratio": 0.5,
        "force_image_size": spec.image_size,
        "llm_config": {
            "architectures": ["InternLM2ForCausalLM"],
            "bias": False,
            "hidden_act": "silu",
            "hidden_size": spec.width,
            "intermediate_size": spec.mlp,
            "max_position_embeddings": 32768,
            "num_attention_heads": spec.heads,
            "num_hidden_layers": spec.layers,
            "num_key_value_heads": spec.kv_heads,
            "rms_norm_eps": 1e-5,
            "rope_scaling": {"factor": 2.0, "type": "dynamic"},
            "rope_theta": 1000000,
            "vocab_size": vocabulary,
        },
        "ps_version": "v2",
        "select_layer": -1,
        "template": "internlm2-chat",
        "use_backbone_lora": spec.lora_image,
        "use_llm_lora": spec.lora_language,
        "vision_config": {
            "hidden_act": "gelu",
            "hidden_size": spec.vision_width,
            "image_size": spec.image_size,
            "intermediate_size": 4 * spec.vision_width,
            "layer_norm_eps": 1e-6,
            "norm_type": "layer_norm",
            "num_attention_heads": spec.vision_heads,
            "num_hidden_layers": spec.vision_layers,
            "patch_size": 14,
            "qk_normalization": False,
            "qkv_bias": True,
        },
    }


def write_official_folder(
    folder: Path,
    spec: OfficialSpec,
    *,
    form: Literal["safetensors", "bin"] = "safetensors",
    num_shards: int = 3,
) -> dict[str, Tensor]:
    """Write a whole checkpoint folder and return its tensors by official name."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = write_tokenizer(folder)
    (folder / "config.json").write_text(json.dumps(official_config(spec, vocabulary)))
    tensors = random_tensors(with_lora(official_shapes(spec, vocabulary), spec), spec.dtype)
    write_shards(folder, tensors, form=form, num_shards=num_shards)
    return tensors


def write_shards(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    form: Literal["safetensors", "bin"] = "safetensors",
    num_shards: int = 3,
) -> None:
    """Write tensors as shards with an index, as save_pretrained does."""
    stem, suffix = ("model", "safetensors") if form == "safetensors" else ("pytorch_model", "bin")
    weight_map = {}
    for number in range(num_shards):
        name = f"{stem}-{number + 1:05}-of-{num_shards:05}.{suffix}"
        part = dict(list(tensors.items())[number::num_shards])
        if form == "safetensors":
            save_file(part, str(folder / name), metadata={"format": "pt"})
        else:
            torch.save(part, folder / name)
        weight_map.update(dict.fromkeys(part, name))
    index = {"metadata": {}, "weight_map": weight_map}
    (folder / f"{stem}.{suffix}.index.json").write_text(json.dumps(index))
