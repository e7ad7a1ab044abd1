"""Six dimensions against one: language-model tokens and time, on one shared prefix.

    python benchmarks/prefix.py [--width 512] [--layers 4] [--repeats 5]

Random weights in the paper's layout; the video tokens (8 frames of 256 and motion) and the prompts
have the official lengths. Encoders are left out: both ways need them once. "separate" is what the
official scripts do, the whole text again for each dimension. Prints medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import torch
from transformers import DynamicCache

from finevq.inference.engine import Prefix
from finevq.inference.torch_engine import TorchEngine
from finevq.model.config import ModelConfig, MotionEncoderConfig
from finevq.model.finevq import FineVQ
from finevq.model.presets import internvl2_8b

NUM_VISUAL = 8 * 256 + 1
PREFIX_TOKENS = NUM_VISUAL + 80
"""With the system message and the frame lines; close to InternLM2's own count."""
SUFFIX_TOKENS = 33


def small_config(width: int, layers: int) -> ModelConfig:
    """Return the paper's layout with a smaller language model and small encoders."""
    base = internvl2_8b()
    llama = {
        **base.language_model.llama,
        "hidden_size": width,
        "intermediate_size": 3 * width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 64,
        "num_key_value_heads": max(1, width // 256),
        "vocab_size": 4096,
    }
    return replace(
        base,
        context_token_id=3,
        language_model=replace(base.language_model, llama=llama),
        image_encoder=replace(
            base.image_encoder,
            vision={**base.image_encoder.vision, "hidden_size": 64, "num_hidden_layers": 1},
        ),
        motion_encoder=MotionEncoderConfig(slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1)),
    )


class TokenCount:
    """Counts what the language model reads."""

    def __init__(self, model: FineVQ) -> None:
        self.tokens = 0
        model.language_model.model.register_forward_pre_hook(self._count, with_kwargs=True)

    def _count(self, module: object, args: object, kwargs: dict[str, torch.Tensor]) -> None:
        self.tokens += kwargs["inputs_embeds"][..., 0].numel()


def read_prefix(model: FineVQ, visual: torch.Tensor) -> Prefix:
    """Read the video's tokens into a cache."""
    ids = torch.tensor([[1] * (PREFIX_TOKENS - NUM_VISUAL) + [3] * NUM_VISUAL])
    cache = DynamicCache(config=model.language_model.config)
    model(model.embed(ids, visual), cache=cache, with_logits=False)
    return Prefix(cache, PREFIX_TOKENS)


def measure(count: TokenCount, repeats: int, work: Callable[[], object]) -> tuple[int, float]:
    """Return tokens of one run and the median time."""
    seconds = []
    for _ in range(repeats):
        count.tokens = 0
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return count.tokens, statistics.median(seconds)


@torch.inference_mode()
def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.manual_seed(0)
    model = FineVQ(small_config(options.width, options.layers)).eval()
    engine = TorchEngine(model, lambda num: [3] * num)
    count = TokenCount(model)
    visual = torch.randn(1, NUM_VISUAL, options.width)
    questions = [torch.randint(10, 4000, (SUFFIX_TOKENS,)).tolist() for _ in range(6)]

    def shared(number: int) -> None:
        engine.read_suffixes(read_prefix(model, visual), questions[:number])

    def separate() -> None:
        for question in questions:
            engine.read_suffixes(read_prefix(model, visual), [question])

    ways = {
        "one dimension": lambda: shared(1),
        "six, shared prefix": lambda: shared(6),
        "six, separate": separate,
    }
    found = {name: measure(count, options.repeats, work) for name, work in ways.items()}
    one_tokens, one_seconds = found["one dimension"]
    print(f"language model of width {options.width}, {options.layers} layers, float32, CPU")
    for name, (tokens, seconds) in found.items():
        print(
            f"{name:20} {tokens:6} tokens ({tokens / one_tokens:.3f} x)   "
            f"{seconds:7.3f} s ({seconds / one_seconds:.2f} x)"
        )


if __name__ == "__main__":
    main()
