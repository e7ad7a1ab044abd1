"""Weights that a model folder holds once: graphs refer to where they lie in its safetensors file.

ONNX lets a graph name a file, an offset and a length instead of holding a weight ("external
data"), and a safetensors file is one header and then plain bytes. So torch and ONNX Runtime read
the same halves of the same file, and a folder is half as large. Source: the ONNX specification,
External Data.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from finevq.model.checkpoint import SafetensorsWeights

_SMALLEST_SHARED_BYTES = 1024
"""A reference takes some hundred bytes itself."""
_SHARED_TYPES = (torch.float16, torch.float32)
"""Those that graphs hold weights in."""


class _Place(NamedTuple):
    offset: int
    length: int
    shape: tuple[int, ...]
    is_turned: bool
    """Whether the graph wants it transposed."""


def refer_to(graph: onnx.ModelProto, weights: Path) -> None:
    """Replace a graph's weights by references, where the file holds the same numbers.

    Args:
        graph: Weights are held by it; it will lie in the same folder as `weights`.
        weights: A safetensors file. What it holds otherwise, or not at all, stays in the graph.

    Raises:
        CheckpointError: the file is damaged or no safetensors file.
    """
    places = dict(_places(weights))
    turns = []
    for held in graph.graph.initializer:
        array = onnx.numpy_helper.to_array(held)
        place = places.get(_key(array)) if array.nbytes >= _SMALLEST_SHARED_BYTES else None
        if place is None:
            continue
        if place.is_turned:
            name, held.name = held.name, f"{held.name}.turned"
            turns.append(onnx.helper.make_node("Transpose", [held.name], [name], perm=[1, 0]))
        held.ClearField("raw_data")
        held.dims[:] = place.shape
        held.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (
            ("location", weights.name),
            ("offset", place.offset),
            ("length", place.length),
        ):
            held.external_data.add(key=key, value=str(value))
    for turn in turns:
        graph.graph.node.insert(0, turn)


def _places(weights: Path) -> Iterator[tuple[bytes, _Place]]:
    """Yield where each tensor lies, under its key; matrices under that of their transpose too."""
    stored = SafetensorsWeights([weights])
    for name, shape in sorted(stored.shapes.items()):
        tensor = stored.read(name)
        if tensor.dtype not in _SHARED_TYPES:
            continue
        array = tensor.numpy()
        place = _Place(*stored.place_of(name), shape, is_turned=False)
        if array.ndim == 2:
            yield _key(array.T), place._replace(is_turned=True)
        yield _key(array), place


def _key(array: NDArray[np.generic]) -> bytes:
    """Return what tells apart arrays of other numbers, other shapes or other types."""
    digest = hashlib.sha256(repr((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
