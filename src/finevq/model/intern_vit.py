"""InternViT: a square picture to a grid of patch tokens, neighbours joined by pixel shuffle."""

from torch import Tensor, nn
from transformers import InternVLVisionConfig, InternVLVisionModel

from finevq.model.config import ImageEncoderConfig


class InternViTEncoder(nn.Module):
    """transformers' InternVL vision tower as the paper uses it.

    The last hidden state is taken without a final normalisation, and the class token is dropped.

    Args:
        config: Sizes of the tower and the shuffle factor.
    """

    def __init__(self, config: ImageEncoderConfig) -> None:
        super().__init__()
        tower = InternVLVisionConfig(
            **{"attn_implementation": "sdpa", "use_mean_pooling": True, **config.vision}
        )
        self.block = round(1 / config.downsample_ratio)
        self.width = tower.hidden_size * self.block**2
        """Length of one token."""
        self.num_colors = 0
        """None of its numbers are statistics of colour."""
        self.tower: nn.Module = InternVLVisionModel(tower)

    def forward(self, images: Tensor) -> Tensor:
        """Read normalised pictures.

        Args:
            images: (N, 3, S, S), normalised RGB, S as configured.

        Returns:
            (N, tokens, width): row by row; 256 tokens at 448 pixels.
        """
        hidden: Tensor = self.tower(pixel_values=images).last_hidden_state[:, 1:]  # (N, S' * S', C)
        side = int(hidden.shape[1] ** 0.5)
        grid = hidden.reshape(len(hidden), side, side, -1)
        return shuffle_pixels(grid, self.block).flatten(1, 2)


def shuffle_pixels(grid: Tensor, block: int) -> Tensor:
    """Join square blocks of neighbouring tokens into one wider token each.

    Source: InternVL's pixel shuffle, version "v2": a block's rows come first, then its columns.

    Args:
        grid: (N, H, W, C), H and W multiples of `block`.
        block: Side of a block.

    Returns:
        (N, H / block, W / block, C * block**2).
    """
    num, height, width, channels = grid.shape
    blocks = grid.reshape(num, height // block, block, width // block, block, channels)
    return blocks.transpose(2, 3).flatten(3)
