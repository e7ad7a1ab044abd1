from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from finevq.model.config import MotionEncoderConfig
from finevq.model.motion_encoder import MotionEncoder, slow_positions, window_weights

NARROW = MotionEncoderConfig(slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1), pooling="mean")


def build(config: MotionEncoderConfig) -> MotionEncoder:
    torch.manual_seed(0)
    encoder = MotionEncoder(config).eval()
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm3d):
            # Biases of their own: zero padding at a wrong place then changes what follows.
            nn.init.normal_(module.bias, std=0.3)
    return encoder


def windowed(encoder: MotionEncoder, frames: Tensor, window: int) -> Tensor:
    return encoder.forward_windows(
        lambda positions: frames[:, :, list(positions)], frames.shape[2], window=window
    )


@pytest.mark.parametrize("num_frames", [97, 130])
@torch.inference_mode()
def test_windows_of_time_equal_the_whole(num_frames: int) -> None:
    encoder = build(NARROW)
    frames = torch.randn(1, 3, num_frames, 32, 32)
    torch.testing.assert_close(windowed(encoder, frames, 16), encoder(frames), atol=2e-6, rtol=1e-5)


@torch.inference_mode()
def test_windows_equal_the_whole_under_centre_weighted_pooling() -> None:
    encoder = build(replace(NARROW, pooling="centre"))
    frames = torch.randn(1, 3, 72, 224, 224)
    torch.testing.assert_close(windowed(encoder, frames, 24), encoder(frames), atol=2e-6, rtol=1e-5)


@torch.inference_mode()
def test_a_window_reaches_as_far_as_needed_and_no_further() -> None:
    encoder = build(NARROW).double()
    frames = torch.randn(1, 3, 96, 32, 32, dtype=torch.float64)
    positions = slow_positions(96, 4)
    whole_slow, whole_fast = encoder._extract(frames[:, :, positions], frames)
    start, stop = 10, 12
    errors = []
    for reach in (encoder.reach, encoder.reach - 1):
        first, last = start - reach, stop + reach
        slow, fast = encoder._extract(
            frames[:, :, positions[first:last]], frames[:, :, 4 * first : 4 * last]
        )
        kept_slow, kept_fast = slow[:, :, reach:-reach], fast[:, :, 4 * reach : -4 * reach]
        errors.append(
            max(
                (kept_slow - whole_slow[:, :, start:stop]).abs().max(),
                (kept_fast - whole_fast[:, :, 4 * start : 4 * stop]).abs().max(),
            )
        )
    exact, short = errors
    assert exact < 1e-12  # float64 rounding
    assert short > 1e-9  # small, but far from rounding: the outermost taps are missing


def test_the_paper_network_reaches_48_frames_to_each_side() -> None:
    with torch.device("meta"):
        encoder = MotionEncoder(MotionEncoderConfig())
    assert encoder.reach * encoder.config.time_ratio == 48


@pytest.mark.parametrize(("length", "window"), [(8, 8), (14, 7), (75, 8), (300, 32)])
def test_weights_are_those_of_a_window_average_and_a_mean(length: int, window: int) -> None:
    values = torch.randn(1, 1, length, dtype=torch.float64)
    expected = nn.functional.avg_pool1d(values, window, stride=1).mean()
    torch.testing.assert_close(
        (values[0, 0] * window_weights(length, window).double()).sum(),
        expected,
        atol=1e-6,
        rtol=1e-6,
    )


def test_too_short_a_video_is_refused() -> None:
    with pytest.raises(ValueError, match="window of 8 does not fit into 7"):
        window_weights(7, 8)


def test_slow_frames_follow_the_official_rule() -> None:
    assert slow_positions(60, 4).tolist()[-3:] == [50, 54, 59]
