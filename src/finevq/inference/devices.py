"""Where a model runs and in which numbers, and whether it fits there, before anything is loaded."""

from typing import Literal, get_args

import psutil
import torch

from finevq.errors import ConfigError, ModelError

Quantization = Literal["8bit", "4bit"]

_DTYPES = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
_GIGABYTE = 1e9
_WORKING_SHARE = 0.15
"""Of the weights: keys and values, activations and one tensor on its way."""


def choose_device(text: str = "auto") -> torch.device:
    """Turn auto, cpu, cuda or cuda:N into a device that is there.

    Raises:
        ConfigError: no such device.
    """
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(text)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"device {text!r}; allowed: auto, cpu, cuda, cuda:N")
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            raise ConfigError(
                f"device {text!r} is not here: torch sees {count} CUDA devices; "
                "use --device cpu, or install a torch built for CUDA"
            )
    return device


def choose_dtype(text: str, device: torch.device) -> torch.dtype:
    """Turn auto or a type's name into a type; auto is bfloat16 on CUDA and float32 elsewhere.

    Raises:
        ConfigError: no such type.
    """
    if text == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if text not in _DTYPES:
        raise ConfigError(f"dtype {text!r}; allowed: auto, {', '.join(_DTYPES)}")
    return _DTYPES[text]


def choose_quantization(text: str) -> Quantization | None:
    """Turn 8bit, 4bit or nothing into a kind of quantization.

    Raises:
        ConfigError: no such kind.
    """
    if not text:
        return None
    for kind in get_args(Quantization):
        if text == kind:
            found: Quantization = kind
            return found
    raise ConfigError(f"quantization {text!r}; allowed: {', '.join(get_args(Quantization))}")


def check_memory(num_parameters: int, bytes_each: float, device: torch.device) -> None:
    """Raise before loading what cannot fit.

    Args:
        num_parameters: Of the model.
        bytes_each: As loaded: 4 for float32, 2 for bfloat16, 1 or 0.5 where quantized.
        device: Where to.

    Raises:
        ModelError: says how much is needed, how much is free, and what to do.
    """
    needed = num_parameters * bytes_each * (1 + _WORKING_SHARE)
    free = (
        torch.cuda.mem_get_info(device)[0]
        if device.type == "cuda"
        else psutil.virtual_memory().available  # type: ignore[no-untyped-call]  # psutil
    )
    if needed > free:
        raise ModelError(
            f"the model needs about {needed / _GIGABYTE:.1f} GB on {device} and "
            f"{free / _GIGABYTE:.1f} GB are free; use --dtype bfloat16, --quantization 8bit or "
            "4bit (CUDA), another --device, or the model 'nano'"
        )
