"""The goldens' rule: every tensor is a function of its name and shape.

Source: the goldens' README, "Fill rule" and "Inputs"; the functions here are written from it.
"""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def _normal(key: str, shape: Sequence[int]) -> NDArray[np.float32]:
    generator = np.random.Generator(np.random.PCG64(zlib.crc32(key.encode())))
    # Drawn in float64: drawing float32 gives other numbers.
    return generator.standard_normal(tuple(shape)).astype(np.float32)


def filled(name: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the value of the parameter or buffer `name`."""
    drawn = _normal(name, shape)
    if len(shape) == 1 and name.endswith("weight"):
        values = 1 + np.float32(0.02) * drawn
    elif name.endswith("running_var"):
        values = 1 + np.float32(0.1) * np.abs(drawn)
    elif name.endswith("running_mean"):
        values = np.float32(0.1) * drawn
    elif name.endswith("bias") or len(shape) < 2:
        values = np.float32(0.02) * drawn
    else:
        values = drawn * np.float32(1 / np.sqrt(np.prod(shape[1:])))
    return values.astype(np.float32)


def network_input(key: str, shape: Sequence[int]) -> NDArray[np.float32]:
    """Return the input that a golden calls `key`."""
    return _normal("input:" + key, shape)
