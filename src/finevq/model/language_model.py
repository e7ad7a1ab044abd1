"""The language model: a decoder in Llama layout, from `transformers`."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from finevq.model.config import LanguageModelConfig


def build_language_model(config: LanguageModelConfig) -> LlamaForCausalLM:
    """Build the decoder with fresh weights.

    Attention is PyTorch's scaled dot product, which runs everywhere; keys and values are kept only
    where the caller brings a cache.
    """
    llama = LlamaConfig(**{"attn_implementation": "sdpa", "use_cache": False, **config.llama})
    return LlamaForCausalLM(llama)


def rebuild_rotary(model: LlamaForCausalLM, device: torch.device) -> None:
    """Compute the rotary frequencies anew: they are in no checkpoint, and not on the meta device.

    They stay in float32 whatever the weights are in, as positions of thousands need it.
    """
    model.model.rotary_emb = LlamaRotaryEmbedding(model.config).to(device)
