"""What statistics of colour say about known changes of a picture."""

import pytest
import torch

from finevq.model.color_statistics import NUM_COLOR_STATISTICS, ColorStatistics
from finevq.model.picture_statistics import Unnormalised

MEDIAN_RED = 3
GRAY_WORLD = 21  # log ratios red:green, blue:green, how large they are, red:blue
HISTOGRAM = slice(98, 162)
CROWDS_ABOVE = slice(162, 165)
RANGES = slice(168, 171)


@pytest.fixture(scope="module")
def picture() -> torch.Tensor:
    """(3, 128, 128), RGB 0..1: smooth, of middle brightness, its colours even."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) * 0.5 + 0.25
    large = torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic")[0]
    return large.clamp(0.0, 1.0)


def measured(rgb: torch.Tensor) -> torch.Tensor:
    plain = Unnormalised((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    return ColorStatistics()(plain(rgb[None]))[0]


def test_length_and_a_histogram_of_shares(picture):
    values = measured(picture)
    assert values.shape == (NUM_COLOR_STATISTICS,)
    assert torch.isfinite(values).all()
    assert values[HISTOGRAM].square().sum() == pytest.approx(1, abs=0.02)


def test_quantiles_are_those_of_the_channel(picture):
    values = measured(picture)
    assert values[MEDIAN_RED] == pytest.approx(picture[0, ::4, ::4].median().item(), abs=0.01)


def test_a_cast_moves_every_estimate_of_the_light_alike(picture):
    warm = picture * torch.tensor([1.25, 1.0, 0.8]).view(3, 1, 1)
    moved = measured(warm) - measured(picture)
    for light in range(7):
        ratios = moved[GRAY_WORLD + 5 * light :][:2]
        assert ratios[0] > 0.1, light
        assert ratios[1] < -0.1, light


def test_a_channel_that_loses_its_upper_codes_crowds_there(picture):
    clipped = picture.clone()
    clipped[1] = clipped[1].clamp(max=0.4)
    before, after = measured(picture), measured(clipped)
    assert after[CROWDS_ABOVE][1] > before[CROWDS_ABOVE][1] + 0.2
    assert after[RANGES][1] < before[RANGES][1] - 0.1
    assert torch.allclose(after[RANGES][[0, 2]], before[RANGES][[0, 2]])


def test_a_gray_or_black_picture_has_finite_numbers():
    for level in (0.0, 0.5, 1.0):
        assert torch.isfinite(measured(torch.full((3, 64, 64), level))).all()
