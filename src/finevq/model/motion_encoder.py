"""The motion encoder: a SlowFast network in plain torch, at any width.

Parameter names are those of the public SlowFast-R50 checkpoint, as the official FineVQ code wraps
it (`feature_extraction.<block>.multipathway_blocks...`), so those weights load without renaming.
Source: Feichtenhofer et al., SlowFast Networks (ICCV 2019), table 1 and section 3; layout read off
the checkpoint's names and shapes.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional

from finevq.model.config import MotionEncoderConfig

_EXPANSION = 4
_FUSION_KERNEL = 7
_FUSION_STRIDE = 4
_FUSION_RATIO = 2
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
            # Slow kernels look along time only in the last two stages; fast ones always.
            slow_time = 1 if index < len(config.depths) - 2 else 3
            blocks.append(
                _TwoPathways(
                    _res_stage(slow_inputs, slow * factor, slow_out, depth, stride, slow_time),
                    _res_stage(fast_inputs, fast * factor, fast_out, depth, stride, 3),
                    _Fusion(fast_out) if index < len(config.depths) - 1 else None,
                )
            )
            slow_inputs, fast_inputs = slow_out + _FUSION_RATIO * fast_out, fast_out
        self.feature_extraction = nn.ModuleList(blocks)

    def forward(self, frames: Tensor, *, repeat_features: int = 1) -> Tensor:
        """Describe the motion of a stretch of video.

        Args:
            frames: (B, 3, T, H, W), normalised RGB; T at least 4. "centre" pooling needs
                T * repeat_features >= 32 and H, W >= 224.
            repeat_features: Times that features are repeated along time before pooling. The
                official training form feeds 8 frames and repeats by 4; else 1.

        Returns:
            (B, feature_width): slow channels, then fast channels.
        """
        ratio = self.config.time_ratio
        num_slow = frames.shape[2] // ratio
        # Official rule: floor(linspace(0, T - 1, T // ratio)) for slow, the first whole multiple
        # of the ratio for fast.
        positions = torch.linspace(0, frames.shape[2] - 1, num_slow).long()
        slow = frames.index_select(2, positions.to(frames.device))
        fast = frames[:, :, : num_slow * ratio]
        for block in self.feature_extraction:
            slow, fast = block(slow, fast)
        if repeat_features > 1:
            slow = slow.repeat_interleave(repeat_features, dim=2)
            fast = fast.repeat_interleave(repeat_features, dim=2)
        return torch.cat([self._pool(slow, _SLOW_WINDOW), self._pool(fast, _FAST_WINDOW)], dim=1)

    def _pool(self, features: Tensor, window: tuple[int, int, int]) -> Tensor:
        if self.config.pooling == "centre":
            features = functional.avg_pool3d(features, window, stride=1)
        return features.mean(dim=(2, 3, 4))


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

    return _TwoPathways(pathway(slow, 1), pathway(fast, 5), _Fusion(fast))


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
