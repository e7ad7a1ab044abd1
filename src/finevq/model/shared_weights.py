"""Weights that a model folder holds once: graphs refer to where they lie in its safetensors file.

ONNX lets a graph name a file, an offset and a length instead of holding a weight ("external
data"), and a safetensors file is one header and then plain bytes. So torch and ONNX Runtime read
the same halves of the same file, and a folder is half as large. Source of both layouts: the ONNX
specification (External Data) and the documentation of safetensors.
"""

import hashlib
import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray

_SMALLEST_SHARED_BYTES = 1024
"""A reference takes some hundred bytes itself."""
_NUMPY_TYPES = {"F16": np.float16, "F32": np.float32}


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
        OSError: the file cannot be read.
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
    content = memoryview(weights.read_bytes())
    (header_length,) = struct.unpack("<Q", content[:8])
    start = 8 + header_length
    header: Mapping[str, Mapping[str, list[int]]] = json.loads(bytes(content[8:start]))
    for name, entry in sorted(header.items()):
        numbers = _NUMPY_TYPES.get(str(entry.get("dtype")))
        if name == "__metadata__" or numbers is None:
            continue
        first, last = entry["data_offsets"]
        shape = tuple(entry["shape"])
        tensor = np.frombuffer(content[start + first : start + last], numbers).reshape(shape)
        place = _Place(start + first, last - first, shape, is_turned=False)
        if tensor.ndim == 2:
            yield _key(tensor.T), place._replace(is_turned=True)
        yield _key(tensor), place


def _key(array: NDArray[np.generic]) -> bytes:
    """Return what tells apart arrays of other numbers, other shapes or other types."""
    digest = hashlib.sha256(repr((array.shape, array.dtype.str)).encode())
    digest.update(np.ascontiguousarray(array).tobytes())
    return digest.digest()
