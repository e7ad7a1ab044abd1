"""The language model in 8 or 4 bits, through transformers' quantization of bitsandbytes.

Only its linear layers are quantized, each while it is loaded, so the peak stays that of one layer.
Encoders, projectors and the score head keep their type: they are small and the score depends on
them most.
"""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from finevq.errors import ConfigError, MissingExtraError
from finevq.model.finevq import FineVQ

_PREFIX = "language_model."


class LanguageModelQuantizer:
    """Turns linear layers of the language model into quantized ones.

    Args:
        kind: 8bit (LLM.int8) or 4bit (NF4).
        device: Where the model shall live.
        dtype: In which the quantized layers compute.

    Raises:
        MissingExtraError: bitsandbytes is not installed.
        ConfigError: bitsandbytes does not run on the device.
    """

    def __init__(
        self, kind: Literal["8bit", "4bit"], device: torch.device, dtype: torch.dtype
    ) -> None:
        # Slow to import, and of an optional extra.
        from transformers import BitsAndBytesConfig
        from transformers.quantizers.auto import AutoHfQuantizer

        self._device, self._dtype = device, dtype
        settings = BitsAndBytesConfig(
            load_in_8bit=kind == "8bit",
            load_in_4bit=kind == "4bit",
            bnb_4bit_compute_dtype=dtype,
            bnb_4bit_quant_type="nf4",
        )
        try:
            self._quantizer: Any = AutoHfQuantizer.from_config(settings, pre_quantized=False)
            self._quantizer.validate_environment(device_map={"": str(device)})
        except ImportError:
            raise MissingExtraError(
                f"quantization {kind!r} (bitsandbytes)", "quantization"
            ) from None
        except (RuntimeError, ValueError) as error:
            raise ConfigError(
                f"quantization {kind!r} does not run on {device}: {error}; leave it out, or use "
                "--dtype bfloat16"
            ) from error

    def prepare(self, model: FineVQ) -> None:
        """Replace linear layers of a model on the meta device."""
        self._quantizer.preprocess_model(
            model.language_model, dtype=self._dtype, device_map={"": str(self._device)}
        )

    def wants(self, model: FineVQ, name: str) -> bool:
        """Say whether a tensor belongs to a quantized layer."""
        if not name.startswith(_PREFIX):
            return False
        inner = name.removeprefix(_PREFIX)
        wanted: bool = self._quantizer.param_needs_quantization(model.language_model, inner)
        return wanted

    def parameter(self, model: FineVQ, name: str, tensor: Tensor) -> nn.Parameter:
        """Quantize one weight on the device."""
        inner = name.removeprefix(_PREFIX)
        value = tensor.to(device=self._device, dtype=self._dtype)
        made = self._quantizer.get_quantize_ops().convert(
            {inner: value}, model=model.language_model, full_layer_name=inner
        )
        parameter: nn.Parameter = made[inner]
        return parameter
