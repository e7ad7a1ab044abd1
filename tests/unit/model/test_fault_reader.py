"""The fault reader, and how what it reads joins head and decoder."""

import copy

import pytest
import torch

from finevq.model.fault_reader import FaultReader
from finevq.model.finevq import FineVQ
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, FAULT_NAMES, Dimension


@pytest.fixture
def reader() -> FaultReader:
    torch.manual_seed(0)
    return FaultReader(20, 8, colors=6, hidden=12, hidden_colors=4).eval()


def _features(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 20), torch.randn(count, 6), torch.randn(count, 3, 8)


@torch.no_grad()
def test_without_motion_it_reads_what_it_read_but_for_motion(reader: FaultReader):
    images, colors, motion = _features(5)
    silent = copy.deepcopy(reader)
    silent.readings.weight[:, -4:] = 0.0  # a third of twelve units see motion
    scores, log_odds = silent(images, colors, motion)
    reader.forget_motion()
    without = reader(images, colors, None)
    torch.testing.assert_close(without[0], scores)
    torch.testing.assert_close(without[1], log_odds)
    assert scores.shape == (5, len(FAULT_DIMENSIONS))
    assert log_odds.shape == (5, len(FAULT_NAMES))


@torch.no_grad()
def test_a_feature_that_is_far_out_counts_no_more_than_one_at_the_bound(reader: FaultReader):
    images, colors, motion = _features(2)
    images[0, 3], images[1, 3] = 6.0, 6000.0
    images[1, :3], images[1, 4:] = images[0, :3], images[0, 4:]
    colors[1], motion[1] = colors[0], motion[0]
    scores, _ = reader(images, colors, motion)
    torch.testing.assert_close(scores[0], scores[1])


@torch.no_grad()
def test_a_video_has_readings_of_each_dimension_and_each_fault(model: FineVQ):
    torch.manual_seed(2)
    width, config = model.image_encoder.width, model.config
    images = [torch.randn(2, 8, 1, width) for _ in config.video.views]
    motion = torch.randn(2, config.video.num_bursts, config.motion_encoder.feature_width)
    read = model.direct_readings(images, motion)
    assert read is not None
    assert read.values.shape == read.shares.shape == (2, len(DIMENSIONS) + len(FAULT_NAMES))
    overall = DIMENSIONS.index(Dimension.OVERALL)
    assert (read.shares[:, :overall] == config.fault_share).all()
    assert (read.shares[:, overall + 1 :] == config.presence_share).all()
    assert (read.shares[:, overall] <= config.opinion_share).all()
    # A share of what is in use is what was read directly, of the right video and dimension.
    head, share = torch.tensor([10.0, 30.0]), config.fault_share
    joined = read.of(torch.tensor([1, 0])).joined_with(head, 2)
    expected = (1 - share) * head + share * read.values[[1, 0], 2]
    torch.testing.assert_close(joined, expected)
