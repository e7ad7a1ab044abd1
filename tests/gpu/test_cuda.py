"""What only a CUDA device can show; FINEVQ_REQUIRE_GPU=1 makes its absence a failure."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.official_checkpoint import OfficialSpec, write_official_folder
from finevq.inference.torch_engine import TorchEngine
from finevq.inference.torch_loading import TorchOptions, load_torch_model
from finevq.prompts import questions
from finevq.video.inputs import Pixels
from finevq.vocabulary import DIMENSIONS

pytestmark = pytest.mark.gpu


@pytest.fixture(autouse=True)
def _cuda() -> None:
    if not torch.cuda.is_available():
        if os.environ.get("FINEVQ_REQUIRE_GPU") == "1":
            pytest.fail("no CUDA device, and FINEVQ_REQUIRE_GPU is 1")
        pytest.skip("no CUDA device")


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-3), ("auto", 0.1)])
def test_cuda_says_what_the_cpu_says(tmp_path: Path, dtype: str, tolerance: float) -> None:
    write_official_folder(tmp_path, OfficialSpec())
    generator = np.random.default_rng(0)
    pixels = Pixels(
        views=(generator.integers(0, 256, (2, 224, 224, 3), dtype=np.uint8),),
        motion=generator.integers(0, 256, (48, 224, 224, 3), dtype=np.uint8),
        start_seconds=0.0,
        end_seconds=1.0,
    )
    logits = {}
    for device, kind in (("cpu", "float32"), ("cuda", dtype)):
        model, prompter = load_torch_model(tmp_path, TorchOptions(device=device, dtype=kind))
        engine = TorchEngine(model, prompter.prefix_ids)
        asked = [questions.rating(dimension) for dimension in DIMENSIONS]
        suffixes = [prompter.suffix_ids(question, question.stem) for question in asked]
        logits[device] = engine.read_suffixes(engine.read_video(pixels), suffixes).logits
    scale = np.abs(logits["cpu"]).max()
    assert np.abs(logits["cuda"] - logits["cpu"]).max() < tolerance * scale
