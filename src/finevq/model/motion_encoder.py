"""The motion encoder: a SlowFast network in plain torch, at any width and for any length.

Parameter names are those of the public SlowFast-R50 checkpoint, as the official FineVQ code wraps
it (`feature_extraction.<block>.multipathway_blocks...`), so those weights load without renaming.
Source: Feichtenhofer et al., SlowFast Networks (ICCV 2019), table 1 and section 3; layout read off
the checkpoint's names and shapes.

A video of any length fits into memory: `forward_windows` runs the network over windows of time.
All its convolutions are local in time, so a window that is wider than what is kept of it by the
network's reach (48 frames on each side for R50) gives the very features of the whole, and the
pooling is a weighted sum that windows can be added up to. Only rounding differs.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.config import MotionEncoderConfig
from finevq.model.motion_statistics import MotionStatistics

_EXPANSION = 4
_FUSION_KERNEL = 7
_FUSION_STRIDE = 4
_FUSION_RATIO = 2
_FAST_STEM_KERNEL = 5
# The official head pools 7x7 windows at stride 1 over the full time extents of 32 input frames.
_SLOW_WINDOW = (8, 7, 7)
_FAST_WINDOW = (32, 7, 7)


class MotionEncoder(nn.Module):
    """Two pathways: few frames with many channels, many frames with few channels.

    Args:
        config: Widths, depths and pooling.
    """

    def __init__(self, config: MotionEncoderConfig) -> None:
        super().__init__()
        self.config = config
        slow, fast = config.slow_width, config.slow_width // config.fast_ratio
        blocks: list[nn.Module] = [_stem(slow, fast)]
        slow_inputs, fast_inputs = slow + _FUSION_RATIO * fast, fast
        for index, depth in enumerate(config.depths):
            factor = 2**index
            slow_out, fast_out = slow * factor * _EXPANSION, fast * factor * _EXPANSION
            stride = 1 if index == 0 else 2
            slow_time = _slow_time_kernel(index, len(config.depths))
            blocks.append(
                _TwoPathways(
                    _res_stage(slow_inputs, slow * factor, slow_out, depth, stride, slow_time),
                    _res_stage(fast_inputs, fast * factor, fast_out, depth, stride, 3),
                    _Fusion(fast_out) if index < len(config.depths) - 1 else None,
                )
            )
            slow_inputs, fast_inputs = slow_out + _FUSION_RATIO * fast_out, fast_out
        self.feature_extraction = nn.ModuleList(blocks)
        self.statistics = MotionStatistics(config.mean, config.std) if config.statistics else None

    @property
    def reach(self) -> int:
        """Slow steps to each side that a feature can depend on.

        The longest way leads through a fusion: along fast time up to it, along slow time after it.
        """
        depths, ratio = self.config.depths, self.config.time_ratio
        slow = [0] + [
            depth * (_slow_time_kernel(index, len(depths)) // 2)
            for index, depth in enumerate(depths)
        ]
        fast = [_FAST_STEM_KERNEL // 2, *depths]
        ways = [sum(fast)] + [
            ratio * sum(slow[index + 1 :]) + _FUSION_KERNEL // 2 + sum(fast[: index + 1])
            for index in range(len(depths))
        ]
        return max(sum(slow), -(-max(ways) // ratio))

    def forward(self, frames: Tensor) -> Tensor:
        """Describe the motion of a stretch of video.

        Args:
            frames: (B, 3, T, H, W), normalised RGB; T at least 4. "centre" pooling needs
                T * repeat_features >= 32 and H, W >= 224.

        Returns:
            (B, feature_width): slow channels, fast channels, statistics where there are any.
        """
        measured = [] if self.statistics is None else [self.statistics(frames)]
        positions = slow_positions(frames.shape[2], self.config.time_ratio)
        slow = frames.index_select(2, positions.to(frames.device))
        fast = frames[:, :, : len(positions) * self.config.time_ratio]
        slow, fast = self._extract(slow, fast)
        if (times := self.config.repeat_features) > 1:
            slow = slow.repeat_interleave(times, dim=2)
            fast = fast.repeat_interleave(times, dim=2)
        pooled = [self._pool(slow, _SLOW_WINDOW), self._pool(fast, _FAST_WINDOW)]
        return torch.cat(pooled + measured, dim=1)

    def forward_windows(
        self,
        read: Callable[[Sequence[int]], Tensor],
        num_frames: int,
        *,
        window: int = 256,
    ) -> Tensor:
        """Describe the motion of a video that is read piece by piece.

        Equal to `forward` on all frames up to rounding; memory follows `window`, not the length.
        The price are the overlaps: with R50, 96 frames more for each window.

        Args:
            read: Gives the frames at some positions, rising and in 0..num_frames - 1, as
                (B, 3, n, H, W).
            num_frames: T, at least 32 with "centre" pooling.
            window: Frames a window gets on with; rounded down to whole slow steps.

        Returns:
            (B, feature_width), as from `forward`.
        """
        if self.statistics is not None:
            raise ValueError("statistics are of whole bursts; windows of long videos have none")
        ratio, reach = self.config.time_ratio, self.reach
        positions = slow_positions(num_frames, ratio).tolist()
        num_steps, step = len(positions), max(1, window // ratio)
        pooled: Tensor | None = None
        for start in range(0, num_steps, step):
            stop = min(start + step, num_steps)
            first, last = max(0, start - reach), min(num_steps, stop + reach)
            slow, fast = self._extract(
                read(positions[first:last]), read(range(first * ratio, last * ratio))
            )
            parts = [
                self._pool_part(slow, _SLOW_WINDOW, start, stop, first, num_steps),
                self._pool_part(
                    fast,
                    _FAST_WINDOW,
                    start * ratio,
                    stop * ratio,
                    first * ratio,
                    num_steps * ratio,
                ),
            ]
            part = torch.cat(parts, dim=1)
            pooled = part if pooled is None else pooled + part
        if pooled is None:
            raise ValueError(f"{num_frames} frames are too few: the motion branch needs {ratio}")
        return pooled.to(slow.dtype)

    def _extract(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.feature_extraction:
            slow, fast = block(slow, fast)
        return slow, fast

    def _pool(self, features: Tensor, window: tuple[int, int, int]) -> Tensor:
        if self.config.pooling == "centre":
            features = functional.avg_pool3d(features, window, stride=1)
        return features.mean(dim=(2, 3, 4))

    def _pool_part(
        self,
        features: Tensor,
        window: tuple[int, int, int],
        start: int,
        stop: int,
        offset: int,
        total: int,
    ) -> Tensor:
        """Sum up what times start..stop of the whole contribute to its pooled feature.

        `features` begin at time `offset` of `total`.
        """
        lengths = (total, features.shape[3], features.shape[4])
        if self.config.pooling == "centre":
            weights = [window_weights(n, w) for n, w in zip(lengths, window, strict=True)]
        else:
            weights = [torch.full((n,), 1 / n) for n in lengths]
        time, height, width = (w.to(features.device) for w in weights)
        kept = features[:, :, start - offset : stop - offset].float()
        return torch.einsum("bcthw,t,h,w->bc", kept, time[start:stop], height, width)


def slow_positions(num_frames: int, time_ratio: int) -> Tensor:
    """Return which frames the slow pathway sees.

    Source: the official code's rule, floor(linspace(0, T - 1, T // ratio)), in float32 as there;
    the fast pathway sees the first ratio * (T // ratio) frames.

    >>> slow_positions(34, 4).tolist()
    [0, 4, 9, 14, 18, 23, 28, 33]
    """
    return torch.linspace(0, num_frames - 1, num_frames // time_ratio).long()


def window_weights(length: int, window: int) -> Tensor:
    """Return the weights (length,) of a stride-1 window average followed by a mean.

    A position counts as often as windows cover it: the centre more than the ends.

    Raises:
        ValueError: the window does not fit.

    >>> window_weights(4, 3).tolist()
    [0.1666666716337204, 0.3333333432674408, 0.3333333432674408, 0.1666666716337204]
    """
    if length < window:
        raise ValueError(f"a pooling window of {window} does not fit into {length} positions")
    covered = torch.ones(1, 1, length - window + 1, dtype=torch.float64)
    # Spreading each window over its positions counts the windows of each position.
    counts = functional.conv_transpose1d(covered, torch.ones(1, 1, window, dtype=torch.float64))
    return (counts[0, 0] / (window * (length - window + 1))).float()


def _slow_time_kernel(stage: int, num_stages: int) -> int:
    """Return how many steps a slow kernel spans: only the last two stages look along time."""
    return 1 if stage < num_stages - 2 else 3


class _TwoPathways(nn.Module):
    """One stage of both pathways, and what the fast one tells the slow one after it."""

    def __init__(self, slow: nn.Module, fast: nn.Module, fusion: "_Fusion | None") -> None:
        super().__init__()
        self.multipathway_blocks = nn.ModuleList([slow, fast])
        self.multipathway_fusion = fusion

    def forward(self, slow: Tensor, fast: Tensor) -> tuple[Tensor, Tensor]:
        slow, fast = self.multipathway_blocks[0](slow), self.multipathway_blocks[1](fast)
        if self.multipathway_fusion is not None:
            slow = torch.cat([slow, self.multipathway_fusion(fast)], dim=1)
        return slow, fast


class _Fusion(nn.Module):
    """Time-strided convolution from the fast pathway into the slow one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_fast_to_slow = nn.Conv3d(
            channels,
            channels * _FUSION_RATIO,
            (_FUSION_KERNEL, 1, 1),
            stride=(_FUSION_STRIDE, 1, 1),
            padding=(_FUSION_KERNEL // 2, 0, 0),
            bias=False,
        )
        self.norm = nn.BatchNorm3d(channels * _FUSION_RATIO)

    def forward(self, fast: Tensor) -> Tensor:
        fused: Tensor = functional.relu(self.norm(self.conv_fast_to_slow(fast)))
        return fused


def _stem(slow: int, fast: int) -> _TwoPathways:
    def pathway(channels: int, time_kernel: int) -> nn.Module:
        conv = nn.Conv3d(
            3,
            channels,
            (time_kernel, 7, 7),
            stride=(1, 2, 2),
            padding=(time_kernel // 2, 3, 3),
            bias=False,
        )
        pool = nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1))
        parts = {
            "conv": conv,
            "norm": nn.BatchNorm3d(channels),
            "activation": nn.ReLU(),
            "pool": pool,
        }
        return nn.Sequential(OrderedDict(parts))

    return _TwoPathways(pathway(slow, 1), pathway(fast, _FAST_STEM_KERNEL), _Fusion(fast))


def _res_stage(
    inputs: int, inner: int, outputs: int, depth: int, stride: int, time_kernel: int
) -> nn.Module:
    blocks = [
        _ResBlock(
            inputs if index == 0 else outputs,
            inner,
            outputs,
            stride if index == 0 else 1,
            time_kernel,
        )
        for index in range(depth)
    ]
    return nn.Sequential(OrderedDict({"res_blocks": nn.Sequential(*blocks)}))


class _ResBlock(nn.Module):
    """Bottleneck: time, space, widen; the shortcut is projected where shapes change."""

    def __init__(
        self, inputs: int, inner: int, outputs: int, stride: int, time_kernel: int
    ) -> None:
        super().__init__()
        if inputs != outputs or stride != 1:
            self.branch1_conv: nn.Module | None = nn.Conv3d(
                inputs, outputs, 1, stride=(1, stride, stride), bias=False
            )
            self.branch1_norm: nn.Module | None = nn.BatchNorm3d(outputs)
        else:
            self.branch1_conv = self.branch1_norm = None
        time_padding = (time_kernel // 2, 0, 0)
        parts = {
            "conv_a": nn.Conv3d(
                inputs, inner, (time_kernel, 1, 1), padding=time_padding, bias=False
            ),
            "norm_a": nn.BatchNorm3d(inner),
            "act_a": nn.ReLU(),
            "conv_b": nn.Conv3d(
                inner,
                inner,
                (1, 3, 3),
                stride=(1, stride, stride),
                padding=(0, 1, 1),
                bias=False,
            ),
            "norm_b": nn.BatchNorm3d(inner),
            "act_b": nn.ReLU(),
            "conv_c": nn.Conv3d(inner, outputs, 1, bias=False),
            "norm_c": nn.BatchNorm3d(outputs),
        }
        self.branch2 = nn.Sequential(OrderedDict(parts))

    def forward(self, features: Tensor) -> Tensor:
        shortcut = features
        if self.branch1_conv is not None and self.branch1_norm is not None:
            shortcut = self.branch1_norm(self.branch1_conv(features))
        out: Tensor = functional.relu(shortcut + self.branch2(features))
        return out
