"""What the statistics of a picture's pixels say about known changes of it."""

import pytest
import torch

from finevq.model.picture_statistics import NUM_STATISTICS, PictureStatistics, Unnormalised

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
LIGHT, CLIPPED_LOW, CLIPPED_HIGH, CONTRAST = 23, 25, 24, 26
FIRST_DIFFERENCE = 33


@pytest.fixture(scope="module")
def picture():
    """(3, 128, 128), RGB 0..1: smooth, of middle brightness."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 8, 8, generator=generator) * 0.5 + 0.25
    return torch.nn.functional.interpolate(coarse, size=(128, 128), mode="bicubic")[0]


def measured(rgb):
    normalized = (rgb - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    return PictureStatistics()(Unnormalised(MEAN, STD)(normalized[None]))[0]


def test_length_and_histograms_that_sum_to_one(picture):
    values = measured(picture)
    assert values.shape == (NUM_STATISTICS,)
    assert values[:12].sum() == pytest.approx(1, abs=1e-4)
    assert values[12:20].sum() == pytest.approx(1, abs=1e-4)


def test_they_do_not_depend_on_the_normalization(picture):
    plain = Unnormalised((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
    raw = PictureStatistics()(plain(picture[None]))[0]
    assert torch.allclose(raw, measured(picture), atol=1e-3)


def test_a_dark_picture_is_dark_and_clipped(picture):
    dark = measured(picture * 0.02)
    assert dark[LIGHT] < 0.05
    assert dark[CLIPPED_LOW] > 0.5 > measured(picture)[CLIPPED_LOW]
    assert measured((picture * 4).clamp(0, 1))[CLIPPED_HIGH] > 0.5


def test_contrast_and_colour_follow_what_is_done(picture):
    plain = measured(picture)
    assert measured(0.5 + 0.3 * (picture - 0.5))[CONTRAST] < 0.5 * plain[CONTRAST]
    gray = picture.mean(dim=0, keepdim=True).expand(3, -1, -1)
    assert measured(gray)[12:14].sum() > 0.95  # all chroma in the lowest bins


def test_noise_raises_and_blur_lowers_the_differences_of_neighbours(picture):
    generator = torch.Generator().manual_seed(1)
    noisy = picture + 0.05 * torch.randn(picture.shape, generator=generator)
    blurred = torch.nn.functional.avg_pool2d(noisy[None], 5, stride=1, padding=2)[0]
    assert measured(noisy)[FIRST_DIFFERENCE] > measured(picture)[FIRST_DIFFERENCE] + 1
    assert measured(blurred)[FIRST_DIFFERENCE] < measured(noisy)[FIRST_DIFFERENCE] - 1
