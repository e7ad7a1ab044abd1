"""Checkpoint folders: config.json beside safetensors, whole or in shards.

Our own folders hold `ModelConfig` and our tensor names, and may hold a peft adapter in `adapter/`.
Official folders are read through `open_weights` too; `finevq.model.official_import` gives their
names a meaning. Tensors are read one at a time, so that loading never holds a model twice.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from finevq.errors import CheckpointError, ConfigError
from finevq.model.finevq import FineVQ
from finevq.model.folder import WEIGHTS_FILE, read_config, read_json, write_config
from finevq.model.loading import build_empty, fill_model
from finevq.model.lora import LoraRanks, adapter_config
from finevq.model.official_import import require_finite
from finevq.model.quantization import LanguageModelQuantizer

INDEX_FILE = "model.safetensors.index.json"
ADAPTER_FOLDER = "adapter"
ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG_FILE = "adapter_config.json"
SHARD_BYTES = 2 * 2**30

_PEFT_PREFIX = "base_model.model."
_LAYOUTS = (
    INDEX_FILE,
    WEIGHTS_FILE,
    "pytorch_model.bin.index.json",
    "pytorch_model.bin",
)


class SafetensorsWeights:
    """Tensors in safetensors files; see `finevq.model.official_import.WeightSource`.

    Tensors are read into memory of their own, not mapped: a mapped file would count as resident
    beside the copies that are made of it.
    """

    def __init__(self, paths: Iterable[Path]) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        """Of every tensor, file by file."""
        self.num_bytes = 0
        """Of all tensors, as stored."""
        self._entries: dict[str, _Entry] = {}
        for path in paths:
            for name, entry in _read_header(path).items():
                self.shapes[name] = entry.shape
                self._entries[name] = entry
                self.num_bytes += entry.num_bytes

    def place_of(self, name: str) -> tuple[int, int]:
        """Return where the bytes of a tensor begin in its file, and how many they are."""
        entry = self._entries[name]
        return entry.start, entry.num_bytes

    def read(self, name: str) -> Tensor:
        """Read one tensor."""
        entry = self._entries[name]
        buffer = torch.empty(entry.num_bytes, dtype=torch.uint8)
        with entry.path.open("rb") as file:
            file.seek(entry.start)
            target = memoryview(buffer.numpy())  # type: ignore[arg-type]  # an array is a buffer
            if entry.num_bytes and file.readinto(target) != entry.num_bytes:
                raise CheckpointError(f"{entry.path} ends in the middle of {name}")
        return buffer.view(entry.dtype).reshape(entry.shape)


@dataclass(frozen=True, slots=True)
class _Entry:
    path: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    num_bytes: int


_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}


def _read_header(path: Path) -> dict[str, _Entry]:
    """Read where the tensors of a file lie.

    Source: the safetensors format: eight bytes of length, a JSON header, then raw values.
    """
    try:
        # The library checks lengths, offsets and types against the file's size.
        with safe_open(str(path), framework="pt"):
            pass
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length))
    except (OSError, ValueError, SafetensorError) as error:
        raise CheckpointError(
            f"{path} is damaged or no safetensors file: {error}; download it again"
        ) from error
    header.pop("__metadata__", None)
    entries = {}
    for name, values in header.items():
        start, stop = values["data_offsets"]
        if values["dtype"] not in _DTYPES:
            raise CheckpointError(
                f"{path}: {name} is of type {values['dtype']}, which no model uses"
            )
        entries[name] = _Entry(
            path, _DTYPES[values["dtype"]], tuple(values["shape"]), 8 + length + start, stop - start
        )
    return entries


class TorchWeights:
    """Tensors in pickled .bin files, read without running anything that a pickle may hold."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self.shapes: dict[str, tuple[int, ...]] = {}
        """Of every tensor, file by file."""
        self.num_bytes = 0
        """Of all tensors, as stored."""
        self._files: dict[str, Path] = {}
        self._current: tuple[Path, Mapping[str, Tensor]] | None = None
        for path in paths:
            for name, tensor in load_pickle(path).items():
                self.shapes[name] = tuple(tensor.shape)
                self._files[name] = path
            self.num_bytes += path.stat().st_size

    def read(self, name: str) -> Tensor:
        """Read one tensor."""
        path = self._files[name]
        if self._current is None or self._current[0] != path:
            self._current = None  # let the last file go before the next is mapped
            self._current = (path, load_pickle(path))
        return self._current[1][name].clone()  # not a view of the mapped file


def open_weights(folder: Path) -> SafetensorsWeights | TorchWeights:
    """Find the weights of a checkpoint folder, whole or sharded.

    Raises:
        CheckpointError: there are none, a shard is missing or a file is damaged.
    """
    for layout in _LAYOUTS:
        path = folder / layout
        if not path.is_file():
            continue
        paths = _shards(path) if layout.endswith(".json") else [path]
        if ".bin" in layout:
            return TorchWeights(paths)
        return SafetensorsWeights(paths)
    raise CheckpointError(f"{folder} holds no weights: one of {', '.join(_LAYOUTS)} is needed")


def _shards(index: Path) -> list[Path]:
    values = read_json(index)
    try:
        names = list(dict.fromkeys(values["weight_map"].values()))
    except (KeyError, AttributeError, TypeError) as error:
        raise CheckpointError(f"{index} is no index of shards: {error!r}") from error
    paths = [index.parent / Path(name).name for name in names]
    if absent := [path.name for path in paths if not path.is_file()]:
        raise CheckpointError(
            f"{index.parent} lacks {len(absent)} of {len(paths)} shards, first {absent[0]}; "
            "the download is incomplete: run it again"
        )
    return paths


def load_pickle(path: Path) -> Mapping[str, Tensor]:
    """Read a .bin or .pth file of named tensors; whatever else it holds is refused.

    Raises:
        CheckpointError: the file is damaged, or holds more than tensors.
    """
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch raises RuntimeError, UnpicklingError, OSError, EOFError...
        raise CheckpointError(
            f"{path} cannot be read as plain tensors: {error}. A pickle with anything else in it "
            "is not opened, as it could run code"
        ) from error
    if not isinstance(loaded, Mapping) or not all(
        isinstance(value, Tensor) for value in loaded.values()
    ):
        raise CheckpointError(f"{path} does not hold a mapping of names to tensors")
    return loaded


def save_tensors(
    folder: Path, tensors: Iterable[tuple[str, Tensor]], *, shard_bytes: int = SHARD_BYTES
) -> int:
    """Write a stream of tensors as safetensors, sharded where it is long.

    Args:
        folder: Exists.
        tensors: Names and tensors; each is let go once its shard is written.
        shard_bytes: Size at which a shard is closed.

    Returns:
        Bytes of all tensors.
    """
    parts: list[tuple[Path, list[str]]] = []
    shard: dict[str, Tensor] = {}
    size = total = 0

    def flush() -> None:
        path = folder / f"model-{len(parts) + 1:05}.safetensors"
        save_file(shard, str(path), metadata={"format": "pt"})
        parts.append((path, list(shard)))
        shard.clear()

    for name, tensor in tensors:
        num_bytes = tensor.numel() * tensor.element_size()
        if shard and size + num_bytes > shard_bytes:
            flush()
            size = 0
        # A view would drag its whole storage into the file.
        shard[name] = tensor.detach().cpu().contiguous().clone()
        size += num_bytes
        total += num_bytes
    if shard:
        flush()
    if len(parts) == 1:
        parts[0][0].rename(folder / WEIGHTS_FILE)
        return total
    weight_map = {}
    for number, (path, names) in enumerate(parts, start=1):
        final = folder / f"model-{number:05}-of-{len(parts):05}.safetensors"
        path.rename(final)
        weight_map.update(dict.fromkeys(names, final.name))
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / INDEX_FILE).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
    return total


def save_model(model: FineVQ, folder: Path) -> None:
    """Write a model as a folder of ours.

    Args:
        model: Without adapters; merge them or save them with `save_adapter`.
        folder: Made where it does not exist.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_config(model.config, folder)
    save_tensors(folder, _without_ties(model.state_dict()))


def _without_ties(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    seen: set[int] = set()
    for name, tensor in state.items():
        if tensor.numel() and tensor.data_ptr() in seen:
            continue
        seen.add(tensor.data_ptr())
        yield name, tensor


def load_model(
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    quantizer: LanguageModelQuantizer | None = None,
) -> FineVQ:
    """Load a folder of ours, adapters included.

    Args:
        folder: From `save_model` or `finevq models convert`.
        device: Where the model shall live.
        dtype: Of floating-point weights; as stored where None.
        quantizer: For linear layers of the language model.

    Raises:
        CheckpointError: files are missing or damaged, do not fit, or hold NaN.
        ConfigError: quantization is wanted with adapters that are not merged.
    """
    weights = open_weights(folder)
    adapter, ranks = load_adapter(folder / ADAPTER_FOLDER)
    if quantizer is not None and ranks.any:
        raise ConfigError(
            f"{folder} keeps its adapters apart, which quantized layers cannot take; convert the "
            "checkpoint with --lora merge"
        )

    def tensors() -> Iterator[tuple[str, Tensor]]:
        for name in weights.shapes:
            tensor = weights.read(name)
            require_finite(name, tensor)
            yield name, tensor
        yield from adapter.items()

    return fill_model(
        build_empty(read_config(folder), ranks),
        tensors(),
        device=device,
        dtype=dtype,
        quantizer=quantizer,
    )


def save_adapter(folder: Path, tensors: Mapping[str, Tensor], ranks: LoraRanks) -> None:
    """Write LoRA tensors in peft's format.

    Args:
        folder: Of the adapter; made where it does not exist.
        tensors: Names inside our model, `...lora_A.default.weight`.
        ranks: Of both parts.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stored = {
        _PEFT_PREFIX + name.replace(".default.", "."): tensor.detach().cpu().contiguous().clone()
        for name, tensor in tensors.items()
    }
    save_file(stored, str(folder / ADAPTER_FILE), metadata={"format": "pt"})
    text = json.dumps(adapter_config(ranks), indent=2) + "\n"
    (folder / ADAPTER_CONFIG_FILE).write_text(text, encoding="utf-8")


def load_adapter(folder: Path) -> tuple[dict[str, Tensor], LoraRanks]:
    """Read an adapter in peft's format; empty where there is none.

    Raises:
        CheckpointError: a file is damaged, or a tensor is none of LoRA's.
    """
    path = folder / ADAPTER_FILE
    if not path.is_file():
        return {}, LoraRanks()
    weights = SafetensorsWeights([path])
    tensors, image, language = {}, 0, 0
    for name in weights.shapes:
        ours = name.removeprefix(_PEFT_PREFIX)
        module, found, rest = ours.partition(".lora_")
        if not found:
            raise CheckpointError(f"{path}: {name} is no tensor of a LoRA adapter")
        tensor = weights.read(name)
        require_finite(name, tensor)
        tensors[f"{module}.lora_{rest.partition('.')[0]}.default.weight"] = tensor
        if rest.startswith("A"):
            is_image = module.startswith("image_encoder")
            image = tensor.shape[0] if is_image else image
            language = language if is_image else tensor.shape[0]
    return tensors, LoraRanks(image=image, language=language)
