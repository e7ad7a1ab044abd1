"""Complete configurations by name."""

from finevq.model.config import (
    ImageEncoderConfig,
    LanguageModelConfig,
    ModelConfig,
    MotionEncoderConfig,
    ScoreHeadConfig,
    VideoInputConfig,
)


def nano(*, vocabulary_size: int, context_token_id: int, version: str = "0") -> ModelConfig:
    """Return the laptop model: the paper's boxes at about 6 M parameters.

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
            view_sizes=(256, 320),
            motion="bursts",
            motion_size=96,
            num_bursts=4,
            burst_frames=16,
        ),
        image_encoder=ImageEncoderConfig(kind="efficientnet_lite0"),
        motion_encoder=MotionEncoderConfig(
            slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1), pooling="mean"
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
    )
