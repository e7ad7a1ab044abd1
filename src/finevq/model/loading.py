"""Weights into a model without holding them twice."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from finevq.errors import CheckpointError
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.language_model import rebuild_rotary
from finevq.model.lora import LoraRanks, add_lora
from finevq.model.quantization import LanguageModelQuantizer


def build_empty(config: ModelConfig, ranks: LoraRanks | None = None) -> FineVQ:
    """Build a model on the meta device: names and shapes, no memory."""
    with torch.device("meta"):
        model = FineVQ(config)
        if ranks is not None and ranks.any:
            add_lora(model, ranks)
    return model


def fill_model(
    model: FineVQ,
    tensors: Iterable[tuple[str, Tensor]],
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantizer: LanguageModelQuantizer | None = None,
) -> FineVQ:
    """Put tensors into a model from `build_empty`, one after another.

    A tensor that owns its memory and has the right type and device is taken over, not copied, so
    the peak is hardly more than the weights.

    Args:
        model: On the meta device.
        tensors: Our names (plain also where peft has moved a layer to `base_layer`).
        device: Where the model shall live.
        dtype: Of floating-point weights; as stored where None.
        quantizer: For linear layers of the language model; adapters must be merged then.

    Returns:
        `model`, in evaluation mode.

    Raises:
        CheckpointError: a tensor has no place, or a place stays empty.
    """
    if quantizer is not None:
        quantizer.prepare(model)
    places = dict(_places(model))
    for name, tensor in tensors:
        if name.endswith("inv_freq"):
            continue  # follows from the configuration; the released nano holds it all the same
        place = name if name in places else _wrapped(name)
        if place not in places:
            raise CheckpointError(f"{name} has no place in model {model.config.name!r}")
        owner, leaf = places.pop(place)
        if quantizer is not None and quantizer.wants(model, place):
            owner._parameters[leaf] = quantizer.parameter(model, place, tensor)
            continue
        _assign(owner, leaf, _settled(tensor, device, dtype))
    for name, (owner, leaf) in list(places.items()):
        if leaf == "num_batches_tracked":  # counts training steps; some checkpoints leave it out
            owner._buffers[leaf] = torch.zeros((), dtype=torch.long, device=device)
            del places[name]
    # Tied weights (nano) are one parameter under two names.
    model.language_model.tie_weights()
    if left := [name for name, (owner, leaf) in places.items() if getattr(owner, leaf).is_meta]:
        raise CheckpointError(f"the checkpoint lacks {len(left)} tensors, first {left[0]}")
    rebuild_rotary(model.language_model, torch.device(device))
    return model.eval()


def _wrapped(name: str) -> str:
    module, _, leaf = name.rpartition(".")
    return f"{module}.base_layer.{leaf}"


def _places(model: nn.Module) -> Iterator[tuple[str, tuple[nn.Module, str]]]:
    for prefix, module in model.named_modules():
        for leaf in [*module._parameters, *module._buffers]:
            if getattr(module, leaf) is not None and leaf not in module._non_persistent_buffers_set:
                yield (f"{prefix}.{leaf}" if prefix else leaf), (module, leaf)


def _assign(owner: nn.Module, leaf: str, tensor: Tensor) -> None:
    if leaf in owner._buffers:
        owner._buffers[leaf] = tensor
        return
    old = owner._parameters[leaf]
    if old is not None and old.shape != tensor.shape:
        raise CheckpointError(
            f"{leaf} of {type(owner).__name__}: {tuple(tensor.shape)} found, "
            f"{tuple(old.shape)} needed"
        )
    owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)


def _settled(tensor: Tensor, device: torch.device | str, dtype: torch.dtype | None) -> Tensor:
    """Return a tensor that owns its memory: a view would keep the whole source alive."""
    wanted = dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype
    owns = tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes
    return tensor.to(device=device, dtype=wanted, copy=not owns).contiguous()
