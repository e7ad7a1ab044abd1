"""Plain statistics of a picture's pixels: exposure, contrast, colour, and how fast they change."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

_NUM_LUMA_BINS = 12
_NUM_CHROMA_BINS = 8
_LAGS = (1, 2, 4, 8)
"""Pixels. Blur lowers the differences of near neighbours first, noise raises them."""
_COARSE_STEP = 4
"""Every fourth row and column suffice for a histogram, and cost a sixteenth."""
_CLIPPING = 0.04
"""Share of the range at either end that counts as clipped."""
_FLOOR = 1e-3

NUM_STATISTICS = _NUM_LUMA_BINS + _NUM_CHROMA_BINS + 13 + 2 * len(_LAGS) + 4
"""Length of the result."""


class Rgb(NamedTuple):
    """Pictures in two grains."""

    full: Tensor
    """(N, 3, H, W), 0..1."""
    coarse: Tensor
    """(N, 3, H / 4, W / 4): every fourth row and column, enough for what has no scale."""


class Unnormalised(nn.Module):
    """Takes a normalization back.

    Args:
        mean: Of the pictures' normalization, a number a channel.
        std: Of the pictures' normalization, a number a channel.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        # Plain numbers, no buffers: they belong to the configuration, not to the weights.
        self._mean, self._std = tuple(mean), tuple(std)

    def forward(self, images: Tensor) -> Rgb:
        """Return what statistics are made of, from normalised pictures (N, 3, H, W)."""
        std, mean = (images.new_tensor(v).view(1, 3, 1, 1) for v in (self._std, self._mean))
        rgb = images * std + mean
        return Rgb(rgb, rgb[:, :, ::_COARSE_STEP, ::_COARSE_STEP])


class PictureStatistics(nn.Module):
    """Histograms of luma and chroma, moments, clipping, and differences of neighbours.

    Differentiable, without weights.
    """

    def forward(self, rgb: Rgb) -> Tensor:
        """Measure pictures.

        Args:
            rgb: N pictures, height and width above 8.

        Returns:
            (N, NUM_STATISTICS).
        """
        luma, blueness, redness = luma_and_chroma(rgb.full)
        light, coarse_blueness, coarse_redness = luma_and_chroma(rgb.coarse)
        chroma = (coarse_blueness.square() + coarse_redness.square() + 1e-6).sqrt()
        parts = [
            _soft_histogram(light, _NUM_LUMA_BINS),
            # The root spreads the weak colours, where most pixels are.
            _soft_histogram(chroma.sqrt(), _NUM_CHROMA_BINS),
            _moments(light, chroma, coarse_blueness, coarse_redness),
            rgb.coarse.mean(dim=(2, 3)),
            _differences(luma),
            _chroma_differences(blueness, redness),
        ]
        return torch.cat(parts, dim=1)


def luma_and_chroma(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return luma, blueness and redness (N, H, W) of ITU-R BT.601, from (N, 3, H, W) in 0..1."""
    red, green, blue = rgb.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return luma, 0.564 * (blue - luma), 0.713 * (red - luma)


def soft_shares(values: Tensor, low: float, high: float, num_bins: int) -> Tensor:
    """Return (N, pixels, bins): each value (N, pixels) split between its two nearest bins.

    Args:
        values: Those beyond `low` and `high` count as these.
        low: Centre of the first bin.
        high: Centre of the last bin.
        num_bins: At least 2.
    """
    centers = torch.linspace(low, high, num_bins, device=values.device)
    step = (high - low) / (num_bins - 1)
    return torch.relu(1.0 - (values.clamp(low, high).unsqueeze(2) - centers).abs() / step)


def deviation(values: Tensor) -> Tensor:
    """Return the standard deviation over the last dimension."""
    centred = values - values.mean(dim=-1, keepdim=True)
    return centred.square().mean(dim=-1).add(1e-6).sqrt()


def _soft_histogram(plane: Tensor, num_bins: int) -> Tensor:
    """Return (N, bins): shares of the values 0..1."""
    return soft_shares(plane.flatten(1), 0.0, 1.0, num_bins).mean(dim=1)


def _moments(light: Tensor, chroma: Tensor, blueness: Tensor, redness: Tensor) -> Tensor:
    """Return (N, 10): cast, colourfulness, contrast, clipping."""
    clipped_high = torch.relu(light - (1.0 - _CLIPPING)) / _CLIPPING
    clipped_low = torch.relu(_CLIPPING - light) / _CLIPPING
    means = [blueness, redness, chroma, light, clipped_high, clipped_low]
    return torch.stack(
        [plane.mean(dim=(1, 2)) for plane in means]
        + [deviation(plane.flatten(1)) for plane in (light, blueness, redness, chroma)],
        dim=1,
    )


def _differences(luma: Tensor) -> Tensor:
    """Return (N, 2 x lags + 2): log mean differences along rows and columns, and their tails."""
    numbers = []
    for lag in _LAGS:
        across = (luma[:, :, lag:] - luma[:, :, :-lag]).abs()
        down = (luma[:, lag:] - luma[:, :-lag]).abs()
        for step in (across, down):
            mean = step.mean(dim=(1, 2))
            numbers.append((mean + _FLOOR).log())
            if lag == 1:
                # Grain has short tails, clean edges have long ones.
                square = step.square().mean(dim=(1, 2))
                numbers.append((square + _FLOOR**2).log() - 2.0 * (mean + _FLOOR).log())
    return torch.stack(numbers, dim=1)


def _chroma_differences(blueness: Tensor, redness: Tensor) -> Tensor:
    """Return (N, 2): log mean differences of neighbours, high where noise is coloured."""
    return torch.stack(
        [
            ((plane[:, :, 1:] - plane[:, :, :-1]).abs().mean(dim=(1, 2)) + _FLOOR).log()
            for plane in (blueness, redness)
        ],
        dim=1,
    )
