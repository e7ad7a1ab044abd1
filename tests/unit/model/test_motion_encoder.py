"""The motion branch against numbers that the official code computed (goldens/README.md)."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from finevq.model.config import MotionEncoderConfig
from finevq.model.motion_encoder import MotionEncoder


def _fill(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The goldens' rule: every parameter follows from its name and shape."""
    draw = np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))
    values = draw.standard_normal(shape).astype(np.float32)
    if len(shape) == 1 and name.endswith("weight"):
        return 1 + 0.02 * values
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(values)
    if name.endswith("running_mean"):
        return 0.1 * values
    if name.endswith("bias"):
        return 0.02 * values
    return values / np.float32(np.sqrt(np.prod(shape[1:])))


@pytest.fixture(scope="module")
def slowfast() -> MotionEncoder:
    encoder = MotionEncoder(MotionEncoderConfig(repeat_features=4)).eval()
    state = encoder.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point():
            filled = _fill(f"slowfast_model.{name}", tuple(tensor.shape))
            state[name] = torch.from_numpy(filled.astype(np.float32))
    encoder.load_state_dict(state)
    return encoder


def test_parameter_names_are_those_of_the_public_checkpoint(slowfast: MotionEncoder, shared: Path):
    manifest = json.loads((shared / "goldens/finevq/manifest_slowfast.json").read_text())
    expected = {name: tuple(shape) for name, shape, _ in manifest}
    found = {name: tuple(tensor.shape) for name, tensor in slowfast.state_dict().items()}
    assert found == expected


@pytest.mark.full
@torch.no_grad()
def test_features_equal_the_official_ones(slowfast: MotionEncoder, shared: Path):
    golden = json.loads((shared / "goldens/finevq/golden_slowfast.json").read_text())
    case = golden["cases"]["T8_224_train_variant"]
    seed = zlib.crc32(f"input:{case['input_key']}".encode())
    draw = np.random.Generator(np.random.PCG64(seed)).standard_normal(case["input_shape"])
    features = slowfast(torch.from_numpy(draw.astype(np.float32)))
    at = features.flatten()[case["digest"]["flat_index"]]
    np.testing.assert_allclose(at, case["digest"]["value"], atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_a_narrow_network_takes_short_bursts():
    config = MotionEncoderConfig(slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1), pooling="mean")
    encoder = MotionEncoder(config).eval()
    assert encoder(torch.zeros(2, 3, 16, 32, 32)).shape == (2, config.feature_width)
