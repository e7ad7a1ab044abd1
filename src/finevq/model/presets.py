"""Complete configurations by name."""

from finevq.model.config import (
    FaultFallConfig,
    HaloConfig,
    ImageEncoderConfig,
    LanguageModelConfig,
    ModelConfig,
    MotionEncoderConfig,
    ScoreHeadConfig,
)
from finevq.records import VideoInputConfig
from finevq.vocabulary import NAMES


def nano(*, vocabulary_size: int, context_token_id: int, version: str = "0") -> ModelConfig:
    """Return the laptop model: the paper's boxes at about 11 M parameters.

    Args:
        vocabulary_size: Of its tokenizer.
        context_token_id: Id of its placeholder token.
        version: Goes into results.
    """
    width = 192
    return ModelConfig(
        name="nano",
        version=version,
        video=VideoInputConfig(
            num_frames=8,
            views=("whole", "detail"),
            view_sizes=(256, 272),
            motion="bursts",
            motion_size=96,
            num_bursts=4,
            burst_frames=16,
        ),
        image_encoder=ImageEncoderConfig(kind="efficientnet_lite2"),
        motion_encoder=MotionEncoderConfig(
            slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1), pooling="mean", statistics=True
        ),
        language_model=LanguageModelConfig(
            llama={
                "hidden_size": width,
                "intermediate_size": 3 * width,
                "num_hidden_layers": 3,
                "num_attention_heads": 6,
                "num_key_value_heads": 6,
                "vocab_size": vocabulary_size,
                "max_position_embeddings": 512,
                "tie_word_embeddings": True,
            }
        ),
        score_head=ScoreHeadConfig(widths=(128, 32), final_relu=False),
        prompt="nano",
        context_token_id=context_token_id,
        standardized_features=True,
        num_summary_tokens=5,
        num_named_tokens=len(NAMES),
        opinion_share=0.7,
        opinion_familiarity=True,
        fault_share=0.25,
        presence_share=0.5,
        fault_fall=FaultFallConfig(halving=42.0),
        halo=HaloConfig(share=0.12),
    )


def internvl2_8b(*, context_token_id: int = 92546, version: str = "1") -> ModelConfig:
    """Return the paper's model: InternViT-300M-448px, SlowFast-R50, InternLM2.5-7B.

    Source: FineVQ, section 4; sizes as in the official repository's config.json.

    Args:
        context_token_id: Id of <IMG_CONTEXT>; the default is InternVL2-8B's.
        version: Goes into results.
    """
    return ModelConfig(
        name="internvl2-8b",
        version=version,
        video=VideoInputConfig(resize="pil"),
        image_encoder=ImageEncoderConfig(
            kind="intern_vit",
            projector_expansion=1,
            vision={
                "hidden_size": 1024,
                "num_hidden_layers": 24,
                "num_attention_heads": 16,
                "intermediate_size": 4096,
                "image_size": 448,
                "patch_size": 14,
                "attention_bias": True,
                "layer_norm_eps": 1e-6,
            },
        ),
        motion_encoder=MotionEncoderConfig(),
        language_model=LanguageModelConfig(
            llama={
                "hidden_size": 4096,
                "intermediate_size": 14336,
                "num_hidden_layers": 32,
                "num_attention_heads": 32,
                "num_key_value_heads": 8,
                "vocab_size": 92553,
                "max_position_embeddings": 32768,
                "rms_norm_eps": 1e-5,
                "rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e6, "factor": 2.0},
                "tie_word_embeddings": False,
            }
        ),
        score_head=ScoreHeadConfig(),
        prompt="internlm2-chat",
        context_token_id=context_token_id,
    )
