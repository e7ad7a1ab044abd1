"""The image encoder: sparse frames to features, before any projection.

Two kinds of networks fit this box: EfficientNet-Lite, whose five resolutions are summarised as
means and standard deviations over the picture, beside plain statistics of its pixels (nano), and
InternViT with a pixel-shuffled patch grid (the paper's, in intern_vit.py).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from finevq.model.color_statistics import NUM_COLOR_STATISTICS, ColorStatistics
from finevq.model.config import ImageEncoderConfig
from finevq.model.intern_vit import InternViTEncoder
from finevq.model.picture_statistics import NUM_STATISTICS, PictureStatistics, Unnormalised


class _Stage(NamedTuple):
    repeats: int
    kernel: int
    stride: int
    expansion: int
    channels: int


# Source: Tan & Le, EfficientNet (ICML 2019), table 1 (B0), and its scaling: Lite2 is 1.1 times as
# wide (in steps of 8) and 1.2 times as deep. EfficientNet-Lite (TensorFlow TPU models,
# efficientnet/lite) replaces swish by ReLU6, drops squeeze-and-excitation, and scales neither the
# stem nor the depth of the first and the last stage.
_LITE0 = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, 40),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112),
    _Stage(4, 5, 2, 6, 192),
    _Stage(1, 3, 1, 6, 320),
)
_LITE2 = tuple(
    stage._replace(repeats=repeats, channels=channels)
    for stage, repeats, channels in zip(
        _LITE0, (1, 3, 3, 4, 4, 5, 1), (16, 24, 48, 88, 120, 208, 352), strict=True
    )
)
_LAYOUTS: Mapping[str, tuple[_Stage, ...]] = {
    "efficientnet_lite0": _LITE0,
    "efficientnet_lite2": _LITE2,
}

_STEM_CHANNELS = 32
_SUMMARISED = (0, 1, 2, 4, 6)
"""Stages whose statistics make up the feature: the last one of each resolution."""
_NORM_EPSILON = 1e-3


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project; add the input where shapes agree."""

    def __init__(self, inputs: int, stage: _Stage, stride: int) -> None:
        super().__init__()
        width = inputs * stage.expansion
        self.expand = _conv_norm(inputs, width, 1) if stage.expansion != 1 else nn.Identity()
        self.depthwise = _conv_norm(width, width, stage.kernel, stride, groups=width)
        self.project = _conv_norm(width, stage.channels, 1, activation=False)
        self.adds_input = stride == 1 and inputs == stage.channels

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = self.project(self.depthwise(self.expand(features)))
        return features + out if self.adds_input else out


class _ConvNorm(nn.Sequential):
    """A convolution, normalization, ReLU6 or none.

    Training keeps the normalization's statistics, so it is a scale and a shift: taken into the
    convolution's weights it gives the same output and gradients without the passes over every
    pixel that it costs by itself (a third of a training step). In use it stays as it is written
    down; runtimes fold it themselves.
    """

    def forward(self, features: Tensor) -> Tensor:
        """Return (N, outputs, H / stride, W / stride)."""
        conv, norm, *activation = self
        # An adapter (LoRA) in place of the convolution has no weight of its own.
        if type(conv) is nn.Conv2d and isinstance(norm, nn.BatchNorm2d) and _learns(norm):
            out = _folded(conv, norm, features)
        else:
            out = norm(conv(features))
        for layer in activation:
            out = layer(out)
        return out


def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d, features: Tensor) -> Tensor:
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    scale = norm.weight * (variance + norm.eps).rsqrt()
    weight, shift = conv.weight * scale[:, None, None, None], norm.bias - mean * scale
    return nn.functional.conv2d(
        features, weight, shift, conv.stride, conv.padding, groups=conv.groups
    )


def _learns(norm: nn.BatchNorm2d) -> bool:
    """Whether gradients are wanted through statistics that stay as they are."""
    return torch.is_grad_enabled() and not norm.training and not torch.onnx.is_in_onnx_export()


def _conv_norm(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    *,
    groups: int = 1,
    activation: bool = True,
) -> _ConvNorm:
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=_NORM_EPSILON),
    ]
    if activation:
        layers.append(nn.ReLU6(inplace=True))
    return _ConvNorm(*layers)


def blocks_per_stage(kind: str) -> tuple[int, ...]:
    """Return how many blocks each stage has, for whoever renames weights of other layouts."""
    return tuple(stage.repeats for stage in _LAYOUTS[kind])


def feature_width(kind: str) -> int:
    """Return the length of the feature of one view: statistics, the stages, those of colour."""
    channels = sum(_LAYOUTS[kind][index].channels for index in _SUMMARISED)
    return NUM_STATISTICS + 2 * channels + NUM_COLOR_STATISTICS


class EfficientNetEncoder(nn.Module):
    """EfficientNet-Lite as a reader of quality: statistics of five stages, not a class.

    Shallow stages keep what classification throws away (grain, blocking, sharpness); means tell how
    much of it there is, standard deviations how evenly it lies. Statistics of the pixels themselves
    tell of exposure and colour, which a network trained to recognise things learnt to overlook.
    """

    num_colors = NUM_COLOR_STATISTICS
    """So many numbers at its end are statistics of colour."""

    def __init__(self, kind: str, mean: Sequence[float], std: Sequence[float]) -> None:
        """Build with fresh weights.

        Args:
            kind: efficientnet_lite0 or efficientnet_lite2.
            mean: Of the pictures' normalization.
            std: Likewise.
        """
        super().__init__()
        self.kind = kind
        self.width = feature_width(kind)
        self.unnormalised = Unnormalised(mean, std)
        self.statistics = PictureStatistics()
        self.colors = ColorStatistics()
        self.stem = _conv_norm(3, _STEM_CHANNELS, 3, 2)
        channels = _STEM_CHANNELS
        stages = []
        for stage in _LAYOUTS[kind]:
            blocks = []
            for index in range(stage.repeats):
                stride = stage.stride if index == 0 else 1
                blocks.append(_InvertedResidual(channels, stage, stride))
                channels = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def forward(self, images: Tensor) -> Tensor:
        """Summarise normalised pictures.

        Args:
            images: (N, 3, H, W), normalised RGB, H and W at least 32.

        Returns:
            (N, 1, width): one token a picture.
        """
        features = self.stem(images)
        rgb = self.unnormalised(images)
        summaries = [self.statistics(rgb)]
        for index, stage in enumerate(self.stages):
            features = stage(features)  # (N, channels, H / stride, W / stride)
            if index in _SUMMARISED:
                mean = features.mean(dim=(2, 3))
                centred = features - mean[:, :, None, None]
                # Not Tensor.std: it is undefined for a single position, which a 32-pixel view has.
                spread = centred.square().mean(dim=(2, 3)).add(1e-6).sqrt()
                summaries += [mean, spread]
        summaries.append(self.colors(rgb))
        return torch.cat(summaries, dim=1).unsqueeze(1)


def build_image_encoder(config: ImageEncoderConfig) -> EfficientNetEncoder | InternViTEncoder:
    """Build the network that the configuration names, with fresh weights."""
    if config.kind == "intern_vit":
        return InternViTEncoder(config)
    return EfficientNetEncoder(config.kind, config.mean, config.std)
