import pytest
import torch

from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer


@pytest.fixture(scope="session")
def prompter() -> NanoPrompter:
    return NanoPrompter(train_tokenizer())


@pytest.fixture(scope="session")
def config(prompter: NanoPrompter) -> ModelConfig:
    return nano(vocabulary_size=prompter.vocabulary_size, context_token_id=prompter.context_id)


@pytest.fixture(scope="session")
def model(config: ModelConfig) -> FineVQ:
    torch.manual_seed(0)
    built = FineVQ(config).eval()
    with torch.no_grad():
        for weight in built.parameters():
            weight.copy_(weight.half().float())  # as released
    return built
