"""What the statistics of a burst say about pans, freezes, shake and flicker that we make."""

import pytest
import torch

from finevq.model.config import NUM_MOTION_STATISTICS
from finevq.model.motion_statistics import MotionStatistics

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SMALLEST_STEP, STILL_SHARE, TURN_OF_MEAN, SPEED_X, TURN_X = 1, 4, 13, 16, 18


@pytest.fixture(scope="module")
def scene():
    """(3, 160, 160), RGB 0..1."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(1, 3, 20, 20, generator=generator)
    return torch.nn.functional.interpolate(coarse, size=(160, 160), mode="bicubic")[0]


def filmed(scene, lefts):
    """Cut 96 x 96 frames at some columns: (3, T, 96, 96)."""
    return torch.stack([scene[:, 30:126, left : left + 96] for left in lefts], dim=1)


def measured(frames):
    shape = (3, 1, 1, 1)
    normalized = (frames - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)
    return MotionStatistics(MEAN, STD)(normalized[None])[0]


def test_an_even_pan_has_its_speed_and_no_turns(scene):
    values = measured(filmed(scene, range(10, 42, 2)))
    assert values.shape == (NUM_MOTION_STATISTICS,)
    assert values[SPEED_X] == pytest.approx(2.0, abs=0.1)
    still = measured(filmed(scene, [20] * 16))
    assert still[SPEED_X] == pytest.approx(0.0, abs=0.05)


def test_a_freeze_shows_in_the_smallest_step(scene):
    even = measured(filmed(scene, range(10, 42, 2)))
    frozen = measured(filmed(scene, [10, 12, 14, 16, 16, 16, 16, 24, *range(26, 42, 2)]))
    assert frozen[SMALLEST_STEP] < even[SMALLEST_STEP] - 2
    assert frozen[STILL_SHARE] > even[STILL_SHARE] + 0.15


def test_shake_turns_back_and_a_pan_does_not(scene):
    shaken = measured(filmed(scene, [20 + (4 if t % 2 else -4) // 2 for t in range(16)]))
    pan = measured(filmed(scene, range(10, 42, 2)))
    assert shaken[TURN_X] > pan[TURN_X] + 2


def test_flicker_shows_in_the_brightness_alone(scene):
    steady = filmed(scene, [20] * 16)
    gains = torch.tensor([1.0, 0.8] * 8).view(1, 16, 1, 1)
    assert measured(steady * gains)[TURN_OF_MEAN] > measured(steady)[TURN_OF_MEAN] + 3
