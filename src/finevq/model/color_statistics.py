"""Statistics of a picture's colours: what a wrong white balance, exposure or saturation changes.

A network that was trained to recognise things overlooks a cast, and mean chroma alone does not tell
it from a green meadow. Estimators of the light's colour do: gray world, white patch and gray edge
disagree about a meadow and agree about a cast.
"""

import torch
from torch import Tensor, nn

from finevq.model.picture_statistics import Rgb, deviation, luma_and_chroma, soft_shares

_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_DARK, _BRIGHT, _BRIGHTEST = 1, 5, 6
_NUM_LIGHTS = 7
_NUM_LUMA_BINS = 6
_NUM_CHROMA_BINS = 8
_LARGEST_CHROMA = 0.25
"""Of a full range of 0.5; what is stronger counts as this strong."""
_CLIPPING = 0.02
"""Share of the range next to a channel's end in which its pixels crowd where it clips."""
_FLOOR = 0.02
"""Added before a logarithm: ratios of channels that are nearly black say nothing."""

NUM_COLOR_STATISTICS = (
    3 * len(_QUANTILES) + 5 * _NUM_LIGHTS + 7 * _NUM_LUMA_BINS + _NUM_CHROMA_BINS**2 + 9
)
"""Length of the result."""


class ColorStatistics(nn.Module):
    """Quantiles of the channels, colours of the light, chroma by luma, clipped channels.

    Without weights. Sources: gray world, Buchsbaum (1980); white patch, Land (1977); gray edge, van
    de Weijer et al., Edge-Based Color Constancy (IEEE TIP 2007).
    """

    def forward(self, rgb: Rgb) -> Tensor:
        """Measure pictures.

        Args:
            rgb: N pictures.

        Returns:
            (N, NUM_COLOR_STATISTICS).
        """
        channels = rgb.coarse.flatten(2)  # (N, 3, pixels)
        ordered = channels.sort(dim=2).values
        # A tensor of places: an exported graph takes pictures of any size.
        shares = torch.tensor(_QUANTILES, device=rgb.coarse.device)
        places = (shares * (ordered.shape[2] - 1)).round().long()
        quantiles = ordered.index_select(2, places)  # (N, 3, quantiles)
        luma, *chroma = (plane.flatten(1) for plane in luma_and_chroma(rgb.coarse))
        lights = [
            channels.mean(dim=2),
            channels.square().mean(dim=2).sqrt(),
            deviation(channels),
            _edges(rgb.full),
            *(quantiles[:, :, place] for place in (_DARK, _BRIGHT, _BRIGHTEST)),
        ]
        parts = [
            quantiles.flatten(1),
            *map(_casts, lights),
            _chroma_by_luma(luma, chroma),
            _chroma_histogram(chroma),
            _clipping(channels, quantiles[:, :, 0], quantiles[:, :, -1]),
        ]
        return torch.cat(parts, dim=1)


def _edges(rgb: Tensor) -> Tensor:
    """Return (N, 3): mean difference of neighbours, along rows and columns."""
    across = (rgb[..., 1:] - rgb[..., :-1]).abs().mean(dim=(2, 3))
    down = (rgb[:, :, 1:] - rgb[:, :, :-1]).abs().mean(dim=(2, 3))
    return across + down


def _casts(light: Tensor) -> Tensor:
    """Return (N, 5): log ratios red:green, blue:green, how large they are, and red:blue."""
    red, green, blue = torch.log(light.clamp(min=0.0) + _FLOOR).unbind(1)
    warm, cold = red - green, blue - green
    return torch.stack([warm, cold, warm.abs(), cold.abs(), red - blue], dim=1)


def _chroma_by_luma(luma: Tensor, chroma: list[Tensor]) -> Tensor:
    """Return (N, 7 x bins): mean chroma, how large, how varied, and the bin's share."""
    shares = soft_shares(luma, 0.0, 1.0, _NUM_LUMA_BINS)
    weights = shares.sum(dim=1)  # (N, bins)
    # A bin with a few pixels says little: its mean is drawn towards gray.
    enough = weights + 0.005 * luma.shape[1]
    numbers = []
    for plane in chroma:
        mean = (plane.unsqueeze(2) * shares).sum(dim=1) / enough
        square = (plane.square().unsqueeze(2) * shares).sum(dim=1) / enough
        spread = (square - mean.square()).clamp(min=0.0).add(1e-6).sqrt()
        numbers += [mean, mean.abs(), spread]
    return torch.cat([*numbers, weights / luma.shape[1]], dim=1)


def _chroma_histogram(chroma: list[Tensor]) -> Tensor:
    """Return (N, bins x bins): roots of the shares of blueness and redness together."""
    blueness, redness = (
        soft_shares(plane, -_LARGEST_CHROMA, _LARGEST_CHROMA, _NUM_CHROMA_BINS) for plane in chroma
    )
    shares = blueness.transpose(1, 2) @ redness / blueness.shape[1]
    return shares.add(1e-4).sqrt().flatten(1)


def _clipping(channels: Tensor, lowest: Tensor, highest: Tensor) -> Tensor:
    """Return (N, 9): what crowds at either end of each channel, and the channels' ranges."""
    above = 1.0 - (highest.unsqueeze(2) - channels) / _CLIPPING
    below = 1.0 - (channels - lowest.unsqueeze(2)) / _CLIPPING
    crowds = [end.clamp(0.0, 1.0).mean(dim=2) for end in (above, below)]
    return torch.cat([*crowds, highest - lowest], dim=1)
