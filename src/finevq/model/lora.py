"""Low-rank adapters, from `peft`, on the layers that the paper adapts."""

from dataclasses import dataclass

from torch import nn

_IMAGE_LAYERS = (
    r"image_encoder\.tower\.encoder\.layer\.\d+\."
    r"(attention\.(q_proj|k_proj|v_proj|projection_layer)|mlp\.(fc1|fc2))"
)
_LANGUAGE_LAYERS = (
    r"language_model\.model\.layers\.\d+\."
    r"(self_attn\.(q_proj|k_proj|v_proj|o_proj)|mlp\.(gate_proj|up_proj|down_proj))"
)


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


def add_lora(model: nn.Module, ranks: LoraRanks, *, dropout: float = 0.05) -> None:
    """Wrap the adapted layers in place; base weights and names of all other layers stay.

    Adapted layers become `<layer>.base_layer`, `<layer>.lora_A.default`, `<layer>.lora_B.default`.
    Fresh adapters change nothing: B starts at zero. Everything but the adapters is frozen by peft;
    unfreeze projectors and score head afterwards to train them.

    Args:
        model: A FineVQ with InternViT and a Llama-layout language model.
        ranks: Of both parts.
        dropout: On the input of the adapters while training. Official: 0.05.
    """
    # An optional extra and slow to import.
    from peft import inject_adapter_in_model

    on_meta = any(parameter.is_meta for parameter in model.parameters())
    inject_adapter_in_model(
        _peft_config(ranks, dropout), model, adapter_name="default", low_cpu_mem_usage=on_meta
    )


def adapter_config(ranks: LoraRanks) -> dict[str, object]:
    """Return the JSON form of peft's configuration, for an adapter's folder."""
    values: dict[str, object] = _peft_config(ranks, 0.05).to_dict()
    return {
        name: sorted(value) if isinstance(value, set) else value
        for name, value in values.items()
        if isinstance(value, str | int | float | bool | list | dict | set | None)
    }


def _peft_config(ranks: LoraRanks, dropout: float):  # type: ignore[no-untyped-def]  # noqa: ANN202  # a class of an optional extra
    from peft import LoraConfig

    layers = [
        layers
        for layers, rank in ((_IMAGE_LAYERS, ranks.image), (_LANGUAGE_LAYERS, ranks.language))
        if rank
    ]
    rank = ranks.language or ranks.image
    differs = ranks.image and ranks.language and ranks.image != ranks.language
    return LoraConfig(
        r=rank,
        lora_alpha=2 * rank,  # official: alpha = 2 r
        lora_dropout=dropout,
        target_modules="(" + "|".join(layers) + ")",
        rank_pattern={_IMAGE_LAYERS: ranks.image} if differs else {},
        alpha_pattern={_IMAGE_LAYERS: 2 * ranks.image} if differs else {},
    )
