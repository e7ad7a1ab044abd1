import numpy as np
import pytest
import torch

from finevq.training.opinions import OpinionReader, with_probable_opinions
from finevq.training.samples import TrainingSample
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension


def _sample(temporal: float) -> TrainingSample:
    return TrainingSample(
        path="x",
        group="x",
        split="train",
        mos={Dimension.OVERALL: 40.0, Dimension.BLUR: 33.0},
        severities={},
        dimension_severities={**dict.fromkeys(FAULT_DIMENSIONS, 0.0), Dimension.TEMPORAL: temporal},
    )


def _judged(temporal: float, views: torch.Tensor, reader: OpinionReader) -> TrainingSample:
    (sample,) = with_probable_opinions([_sample(temporal)], views, reader, (9.8, 77.6))
    return sample


@pytest.fixture(scope="module")
def reader() -> OpinionReader:
    # Opinions lie along one direction of features that hold much else besides.
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2000, 1, 2, 3, 10, generator=generator).half()
    opinions = 50 + 40 * views[:, 0, 0, :, 0].float().mean(1)
    return OpinionReader(views, opinions.tolist())


def test_opinions_of_unseen_pictures_are_in_order(reader: OpinionReader):
    views = torch.randn(200, 1, 2, 3, 10, generator=torch.Generator().manual_seed(1)).half()
    opinions = 50 + 40 * views[:, 0, 0, :, 0].float().mean(1)
    read = reader(views)
    assert np.corrcoef(read, opinions.numpy())[0, 1] > 0.98


def test_overall_moves_half_way_and_the_other_dimensions_stay(reader: OpinionReader):
    views = torch.zeros(1, 1, 2, 3, 10).half()  # an average picture
    opinion = float(reader(views)[0])
    sample = _judged(0.0, views, reader)
    assert sample.mos[Dimension.OVERALL] == pytest.approx((40.0 + opinion) / 2)
    assert sample.mos[Dimension.BLUR] == 33.0


def test_a_fault_of_time_lowers_what_pictures_cannot_show(reader: OpinionReader):
    views = torch.zeros(1, 1, 2, 3, 10).half()
    still, shaken = (_judged(severity, views, reader) for severity in (0.0, 1.0))
    assert shaken.mos[Dimension.OVERALL] < still.mos[Dimension.OVERALL] - 10
