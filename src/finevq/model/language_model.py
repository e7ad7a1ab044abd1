"""The language model: a decoder in Llama layout, from `transformers`."""

from transformers import LlamaConfig, LlamaForCausalLM

from finevq.model.config import LanguageModelConfig


def build_language_model(config: LanguageModelConfig) -> LlamaForCausalLM:
    """Build the decoder with fresh weights.

    Attention is PyTorch's scaled dot product, which runs everywhere; keys and values are kept only
    where the caller brings a cache.
    """
    llama = LlamaConfig(**{"attn_implementation": "sdpa", "use_cache": False, **config.llama})
    return LlamaForCausalLM(llama)
