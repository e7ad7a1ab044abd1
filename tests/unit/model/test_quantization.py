import importlib.util

import pytest
import torch

from finevq.errors import MissingExtraError
from finevq.model.finevq import FineVQ
from finevq.model.loading import build_empty, fill_model
from finevq.model.presets import nano
from finevq.model.quantization import LanguageModelQuantizer

HAS_BITSANDBYTES = importlib.util.find_spec("bitsandbytes") is not None
CPU = torch.device("cpu")


@pytest.mark.skipif(not HAS_BITSANDBYTES, reason="bitsandbytes is not installed")
@pytest.mark.filterwarnings("ignore")  # bitsandbytes tells about its CPU backend
@pytest.mark.parametrize(("kind", "tolerance"), [("8bit", 0.05), ("4bit", 0.25)])
@torch.inference_mode()
def test_a_quantized_language_model_says_nearly_the_same(kind: str, tolerance: float) -> None:
    torch.manual_seed(0)
    config = nano(vocabulary_size=90, context_token_id=3)
    model = FineVQ(config).eval()
    quantizer = LanguageModelQuantizer(kind, CPU, torch.float32)  # type: ignore[arg-type]
    small = fill_model(build_empty(config), model.state_dict().items(), quantizer=quantizer)
    layer = small.language_model.model.layers[0].self_attn.q_proj
    assert type(layer).__name__ == {"8bit": "Linear8bitLt", "4bit": "Linear4bit"}[kind]
    assert type(small.score_head.fc1) is torch.nn.Linear
    ids = torch.tensor([[1, 5, 9, 20]])
    exact, near = (m(m.embed(ids)).hidden for m in (model, small))
    error = (exact - near).norm() / exact.norm()
    assert 0 < error < tolerance


@pytest.mark.skipif(HAS_BITSANDBYTES, reason="bitsandbytes is installed")
def test_quantization_without_bitsandbytes_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'finevq\[quantization\]'"):
        LanguageModelQuantizer("8bit", CPU, torch.float32)
