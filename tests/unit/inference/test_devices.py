import pytest
import torch

from finevq.errors import ConfigError, ModelError
from finevq.inference.devices import check_memory, choose_device, choose_dtype


def test_auto_takes_what_is_there() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert choose_device("auto").type == expected
    assert choose_dtype("auto", torch.device("cpu")) is torch.float32
    assert choose_dtype("auto", torch.device("cuda")) is torch.bfloat16


@pytest.mark.parametrize("text", ["gpu", "", "mps", "cuda:x"])
def test_unknown_devices_are_named_with_the_allowed_ones(text: str) -> None:
    with pytest.raises(ConfigError, match=f"device '{text}'; allowed: auto, cpu, cuda, cuda:N"):
        choose_device(text)


def test_a_cuda_device_that_is_not_here_is_refused() -> None:
    with pytest.raises(ConfigError, match="'cuda:99' is not here: torch sees"):
        choose_device("cuda:99")


def test_unknown_number_types_are_refused() -> None:
    with pytest.raises(ConfigError, match="dtype 'int8'; allowed: auto, float32, bfloat16"):
        choose_dtype("int8", torch.device("cpu"))


def test_memory_that_cannot_suffice_is_told_before_loading() -> None:
    check_memory(1_000, 2, torch.device("cpu"))
    with pytest.raises(ModelError, match=r"needs about 2300000\.0 GB on cpu and .* GB are free"):
        check_memory(10**15, 2, torch.device("cpu"))
