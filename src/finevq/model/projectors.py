"""The projectors: visual features to tokens of the language model's width."""

from torch import nn


def build_projector(inputs: int, width: int, *, hidden: int | None = None) -> nn.Sequential:
    """Build normalisation and a two-layer perceptron.

    Source: FineVQ, section 4.2; the official code's mlp1 and motion_mlp (exact GELU).

    Args:
        inputs: Width of a feature.
        width: Width of a token.
        hidden: Width between the two layers; `width` where None.
    """
    hidden = hidden or width
    return nn.Sequential(
        nn.LayerNorm(inputs), nn.Linear(inputs, hidden), nn.GELU(), nn.Linear(hidden, width)
    )
