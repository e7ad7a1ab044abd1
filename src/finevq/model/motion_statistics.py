"""Plain statistics of how a burst of frames moves: steps, shifts and changes of brightness.

Shake, stutter and flicker are simple signals in time: a path that turns back and forth, steps of
no size between large ones, a mean that jumps. They are measured here as such, beside what the
network finds, since few clips can teach a small network to measure.
"""

import torch
from torch import Tensor, nn

_MAX_SHIFT = 8
"""Largest movement between two frames that is measured, pixels of the motion frames."""
_NUM_BANDS = 4
"""Horizontal bands whose brightness is followed: a rolling shutter's flicker runs through them."""
_FLOOR = 1e-3
_STILL_STEPS = (0.0015, 0.005)
"""Mean differences (luma 0..1) around which a step counts as no step."""
_SHARPNESS = 12.0
"""How decidedly the best shift is preferred to the others."""


class MotionStatistics(nn.Module):
    """Statistics of bursts; differentiable, without weights.

    Args:
        mean: Of the frames' normalization, a number a channel.
        std: Of the frames' normalization, a number a channel.
    """

    def __init__(self, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        # Plain numbers, no buffers: they belong to the configuration, not to the weights.
        self._mean, self._std = mean, std

    def forward(self, frames: Tensor) -> Tensor:
        """Measure bursts.

        Args:
            frames: (B, 3, T, H, W), normalised RGB; T at least 4, H and W above 16.

        Returns:
            (B, config.NUM_MOTION_STATISTICS).
        """
        std, mean = (frames.new_tensor(v).view(1, 3, 1, 1, 1) for v in (self._std, self._mean))
        rgb = frames * std + mean  # 0..1
        luma = 0.299 * rgb[:, 0] + 0.587 * rgb[:, 1] + 0.114 * rgb[:, 2]  # (B, T, H, W)
        steps = (luma[:, 1:] - luma[:, :-1]).abs().mean(dim=(2, 3))  # (B, T - 1)
        return torch.cat(
            [
                _step_statistics(steps),
                _brightness_statistics(luma),
                _path_statistics(_shifts(luma.mean(dim=2))),
                _path_statistics(_shifts(luma.mean(dim=3))),
                *(_longer_steps(luma, steps, lag) for lag in (2, 3)),
            ],
            dim=1,
        )


def _step_statistics(steps: Tensor) -> Tensor:
    """Return (B, 9): size and evenness of the differences between neighbouring frames."""
    logs = (steps + _FLOOR).log()
    relative = steps / (steps.mean(dim=1, keepdim=True) + _FLOOR)
    jumps = (steps[:, 1:] - steps[:, :-1]).abs().mean(dim=1)
    return torch.stack(
        [
            logs.mean(dim=1),
            logs.amin(dim=1),
            logs.amax(dim=1),
            _deviation(logs),
            *(torch.exp(-steps / still).mean(dim=1) for still in _STILL_STEPS),
            torch.exp(-4.0 * relative).mean(dim=1),
            relative.amax(dim=1),
            (jumps + _FLOOR).log(),
        ],
        dim=1,
    )


def _brightness_statistics(luma: Tensor) -> Tensor:
    """Return (B, 7): how the mean of the picture, and of bands of it, runs in time."""
    mean = luma.mean(dim=(2, 3))  # (B, T)
    change = mean[:, 1:] - mean[:, :-1]
    turn = (change[:, 1:] - change[:, :-1]).abs()
    height = luma.shape[2] // _NUM_BANDS
    bands = torch.stack(
        [luma[:, :, band * height : (band + 1) * height].mean(dim=(2, 3)) for band in range(4)],
        dim=1,
    )
    of_bands = bands - mean.unsqueeze(1)
    band_turn = (of_bands[:, :, 2:] - 2.0 * of_bands[:, :, 1:-1] + of_bands[:, :, :-2]).abs()
    return torch.stack(
        [
            mean.mean(dim=1),
            _deviation(mean),
            (change.abs().mean(dim=1) + _FLOOR).log(),
            _deviation(change),
            (turn.mean(dim=1) + _FLOOR).log(),
            turn.amax(dim=1),
            (band_turn.mean(dim=(1, 2)) + _FLOOR).log(),
        ],
        dim=1,
    )


def _shifts(profiles: Tensor) -> Tensor:
    """Return (B, T - 1): the movement, in pixels, of a profile (B, T, positions) frame by frame."""
    inner = profiles.shape[2] - 2 * _MAX_SHIFT
    centred = profiles - profiles.mean(dim=2, keepdim=True)
    before = centred[:, :-1, _MAX_SHIFT : _MAX_SHIFT + inner]
    errors = torch.stack(
        [
            (centred[:, 1:, start : start + inner] - before).square().mean(dim=2)
            for start in range(2 * _MAX_SHIFT + 1)
        ],
        dim=2,
    )
    # Relative to the mean error, so that faint and strong contrasts decide alike.
    weights = torch.softmax(-_SHARPNESS * errors / (errors.mean(dim=2, keepdim=True) + 1e-7), dim=2)
    places = torch.arange(2 * _MAX_SHIFT + 1, device=profiles.device) - float(_MAX_SHIFT)
    return (weights * places).sum(dim=2)


def _path_statistics(shifts: Tensor) -> Tensor:
    """Return (B, 5): speed, its spread, jerk, and how often the way turns back."""
    turns = shifts[:, 1:] - shifts[:, :-1]
    reversal = torch.relu(-shifts[:, 1:] * shifts[:, :-1]).mean(dim=1)
    return torch.stack(
        [
            shifts.abs().mean(dim=1),
            _deviation(shifts),
            (turns.abs().mean(dim=1) + 0.02).log(),
            turns.abs().amax(dim=1),
            (reversal + 0.01).log(),
        ],
        dim=1,
    )


def _longer_steps(luma: Tensor, steps: Tensor, lag: int) -> Tensor:
    """Return (B, 3): differences over several frames against those of neighbours.

    Even motion makes them larger; frames out of order make some of them smaller.
    """
    longer = (luma[:, lag:] - luma[:, :-lag]).abs().mean(dim=(2, 3))
    ratio = ((longer + _FLOOR) / (steps[:, lag - 1 :] + _FLOOR)).log()
    return torch.stack([ratio.mean(dim=1), ratio.amin(dim=1), ratio.amax(dim=1)], dim=1)


def _deviation(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=1, keepdim=True)
    return (centred.square().mean(dim=1) + 1e-8).sqrt()
