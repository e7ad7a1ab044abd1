import numpy as np
import pytest
import torch

from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.opinion_reader import OpinionReader as ReaderModule
from finevq.training.opinions import (
    OpinionReader,
    OrderedViews,
    RatedViews,
    cross_fitted,
    with_probable_opinions,
)
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


NUM_COLORS = EfficientNetEncoder.num_colors  # the reader leaves them out


def _drawn(count: int, seed: int) -> tuple[torch.Tensor, np.ndarray]:
    """Views (N, 1, 2, 3, 10 and colours), and opinions along one direction of their features."""
    generator = torch.Generator().manual_seed(seed)
    views = torch.randn(count, 1, 2, 3, 10 + NUM_COLORS, generator=generator).half()
    opinions = 50 + 40 * views[:, 0, 0, :, 0].float().mean(1)
    return views, opinions.numpy()


@pytest.fixture(scope="module")
def reader() -> OpinionReader:
    views, opinions = _drawn(2000, seed=0)
    return OpinionReader([RatedViews(views, opinions.tolist())])


def test_opinions_of_unseen_pictures_are_in_order(reader: OpinionReader):
    views, opinions = _drawn(200, seed=1)
    assert np.corrcoef(reader(views), opinions)[0, 1] > 0.98


def test_a_models_reader_says_the_same(reader: OpinionReader):
    module = ReaderModule(20)
    reader.write_to(module, low=0.0, high=100.0)
    views, _ = _drawn(50, seed=1)
    views[0, ..., 0] = 900.0  # beyond what counts
    means = views[:, 0, ..., :10].float().mean(dim=2).flatten(1)
    with torch.no_grad():
        np.testing.assert_allclose(100.0 * module(means), reader(views), atol=0.1)


def test_what_weighs_more_is_followed(reader: OpinionReader):
    views, opinions = _drawn(2000, seed=2)
    contrary = RatedViews(views, (100 - opinions).tolist(), weight=5.0)
    read = OpinionReader([RatedViews(views, opinions.tolist()), contrary])(views)
    assert np.corrcoef(read, opinions)[0, 1] < -0.9


def test_pairs_out_of_order_are_put_in_order():
    views, opinions = _drawn(400, seed=3)
    # Opinions do not depend on a direction along which pairs are known to fall.
    pairs, _ = _drawn(100, seed=4)
    pairs[50:] = pairs[:50]
    pairs[50:, ..., 5] += 1.0
    ordered = OrderedViews(pairs, list(range(50)), list(range(50, 100)), weight=30.0, margin=3.0)
    rated = [RatedViews(views, opinions.tolist())]
    plain, taught = OpinionReader(rated)(pairs), OpinionReader(rated, ordered)(pairs)
    assert (taught[:50] - taught[50:]).mean() > (plain[:50] - plain[50:]).mean() + 1.0
    assert (taught[:50] > taught[50:]).all()


def test_cross_fitted_opinions_are_of_readers_that_never_saw_the_picture():
    views, opinions = _drawn(300, seed=5)
    noise = np.random.default_rng(0).normal(0, 100, 300)  # nothing in the pictures tells of it
    rated = RatedViews(views, (opinions + noise).tolist())
    fitted = np.corrcoef(OpinionReader([rated])(views), noise)[0, 1]
    crossed = np.corrcoef(cross_fitted(rated, [], None, num_parts=5), noise)[0, 1]
    assert crossed < fitted - 0.02


def test_overall_moves_half_way_and_the_other_dimensions_stay(reader: OpinionReader):
    views = torch.zeros(1, 1, 2, 3, 10 + NUM_COLORS).half()  # an average picture
    opinion = float(reader(views)[0])
    sample = _judged(0.0, views, reader)
    assert sample.mos[Dimension.OVERALL] == pytest.approx((40.0 + opinion) / 2)
    assert sample.mos[Dimension.BLUR] == 33.0


def test_a_fault_of_time_lowers_what_pictures_cannot_show(reader: OpinionReader):
    views = torch.zeros(1, 1, 2, 3, 10 + NUM_COLORS).half()
    still, shaken = (_judged(severity, views, reader) for severity in (0.0, 1.0))
    assert shaken.mos[Dimension.OVERALL] < still.mos[Dimension.OVERALL] - 10
