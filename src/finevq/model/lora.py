"""Low-rank adapters, from `peft`, on the layers that the paper adapts.

nano has another image encoder; there the pointwise convolutions, which mix channels as linear
layers do, take the adapters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import nn

LoraLayers = Literal["attention", "mlp"]
"""Kinds of adapted layers; nano's convolutions count as mlp."""
OFFICIAL_SCALE = 2
"""alpha / r, as the official code has it and as stored adapters are read."""

_IMAGE_LAYERS = {
    "attention": (
        r"image_encoder\.tower\.encoder\.layer\.\d+\."
        r"attention\.(q_proj|k_proj|v_proj|projection_layer)"
    ),
    "mlp": (
        r"image_encoder\.(tower\.encoder\.layer\.\d+\.mlp\.(fc1|fc2)"
        r"|stages\.\d+\.\d+\.(expand|project)\.0)"
    ),
}
_LANGUAGE_LAYERS = {
    "attention": r"language_model\.model\.layers\.\d+\.self_attn\.(q_proj|k_proj|v_proj|o_proj)",
    "mlp": r"language_model\.model\.layers\.\d+\.mlp\.(gate_proj|up_proj|down_proj)",
}
_ALL: tuple[LoraLayers, ...] = ("attention", "mlp")


@dataclass(frozen=True, slots=True)
class LoraRanks:
    """How many dimensions an adapter has; 0: none. Official: stage 2 8 and 8, QA 0 and 16."""

    image: int = 0
    language: int = 0

    @property
    def any(self) -> bool:
        """Whether anything is adapted."""
        return bool(self.image or self.language)

    def of(self, module: str) -> int:
        """Return the rank on an official or own module name.

        >>> LoraRanks(image=8).of("vision_model.encoder.layers.0.attn.qkv")
        8
        """
        return self.image if module.startswith(("vision_model", "image_encoder")) else self.language


def add_lora(
    model: nn.Module,
    ranks: LoraRanks,
    *,
    dropout: float = 0.05,
    scale: float = OFFICIAL_SCALE,
    image_layers: Sequence[LoraLayers] = _ALL,
    language_layers: Sequence[LoraLayers] = _ALL,
) -> None:
    """Wrap the adapted layers in place; base weights and names of all other layers stay.

    Adapted layers become `<layer>.base_layer`, `<layer>.lora_A.default`, `<layer>.lora_B.default`.
    Fresh adapters change nothing: B starts at zero. Everything but the adapters is frozen by peft;
    unfreeze projectors and score head afterwards to train them.

    Args:
        model: A FineVQ.
        ranks: Of both parts.
        dropout: On the input of the adapters while training. Official: 0.05.
        scale: alpha / r. Stored adapters are read with 2; see `finevq.training.outcome`.
        image_layers: Which layers of the image encoder.
        language_layers: Which layers of the language model.
    """
    # An optional extra and slow to import.
    from peft import inject_adapter_in_model

    on_meta = any(parameter.is_meta for parameter in model.parameters())
    config = _peft_config(ranks, dropout, scale, image_layers, language_layers)
    inject_adapter_in_model(config, model, adapter_name="default", low_cpu_mem_usage=on_meta)


def share_down_projections(model: nn.Module) -> None:
    """Let the adapters of queries, keys and values share their A, in place.

    The official layers hold the three as one, with one A of rank r and a B for all rows: with A
    shared, the split layers are the same function, learn the same and can be joined again.
    """
    for parent in model.modules():
        group = [getattr(parent, name, None) for name in ("q_proj", "k_proj", "v_proj")]
        adapters = [
            layer.lora_A["default"]
            for layer in group
            if layer is not None and hasattr(layer, "lora_A")
        ]
        for adapter in adapters[1:]:
            adapter.weight = adapters[0].weight


def lora_parameters(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Yield the adapters' parameters by name, shared ones under each of their names."""
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if ".lora_A." in name or ".lora_B." in name:
            yield name, parameter


def merge_lora(model: nn.Module) -> None:
    """Add all adapters into the weights they adapt and take them out, in place.

    The model answers as before, up to rounding, and has the names of one that never had adapters.
    """
    wrapped = [
        (name, module) for name, module in model.named_modules() if hasattr(module, "base_layer")
    ]
    for name, module in wrapped:
        module.merge()
        parent, _, leaf = name.rpartition(".")
        setattr(model.get_submodule(parent), leaf, module.base_layer)


def adapter_config(ranks: LoraRanks) -> dict[str, object]:
    """Return the JSON form of peft's configuration, for an adapter's folder."""
    values: dict[str, object] = _peft_config(ranks, 0.05, OFFICIAL_SCALE, _ALL, _ALL).to_dict()
    return {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in values.items()
        if isinstance(value, str | int | float | bool | list | dict | set | None)
    }


def _peft_config(  # type: ignore[no-untyped-def]  # noqa: ANN202  # a class of an optional extra
    ranks: LoraRanks,
    dropout: float,
    scale: float,
    image_layers: Sequence[LoraLayers],
    language_layers: Sequence[LoraLayers],
):
    from peft import LoraConfig

    image = f"({'|'.join(_IMAGE_LAYERS[kind] for kind in image_layers)})"
    language = f"({'|'.join(_LANGUAGE_LAYERS[kind] for kind in language_layers)})"
    layers = [part for part, rank in ((image, ranks.image), (language, ranks.language)) if rank]
    rank = ranks.language or ranks.image
    differs = ranks.image and ranks.language and ranks.image != ranks.language
    return LoraConfig(
        r=rank,
        lora_alpha=scale * rank,  # type: ignore[arg-type]  # peft divides it by r: any number
        lora_dropout=dropout,
        target_modules="(" + "|".join(layers) + ")",
        rank_pattern={image: ranks.image} if differs else {},
        alpha_pattern={image: scale * ranks.image} if differs else {},
    )
