import numpy as np
import pytest
import torch
from torch import Tensor

from finevq.datasets.degradations.labels import FINEVD_SCALE, OVERALL_WEIGHTS
from finevq.model.opinion_reader import OpinionReader
from finevq.training.samples import TrainingSample
from finevq.training.time_reading import TimeReader, lowered_as_known, severities_of_time
from finevq.vocabulary import Dimension

LOW, HIGH = 9.8, 77.6
LARGEST = OVERALL_WEIGHTS[Dimension.TEMPORAL]


def _drawn(count: int, seed: int) -> tuple[Tensor, np.ndarray]:
    """Motion features (N, 4, 30), and severities that two of them tell; half of them 0."""
    generator = torch.Generator().manual_seed(seed)
    motion = torch.randn(count, 4, 30, generator=generator)
    known = torch.linspace(-1.0, 1.0, count).clamp(min=0.0)
    motion[..., :2] += 6.0 * known[:, None, None]
    return motion, known.numpy()


@pytest.fixture(scope="module")
def reader() -> TimeReader:
    motion, known = _drawn(1500, seed=0)
    return TimeReader(motion, known.tolist())


def test_what_is_worse_falls_further_and_what_is_well_hardly_falls(reader: TimeReader):
    motion, known = _drawn(400, seed=1)
    falls = reader.falls(motion).numpy()
    assert np.corrcoef(falls, known)[0, 1] > 0.9
    assert falls[known == 0].mean() < 0.1
    assert falls[known > 0.9].mean() > 0.5 * LARGEST
    assert (falls <= LARGEST).all()


def test_a_models_reader_lowers_opinions_as_much(reader: TimeReader):
    module = OpinionReader(5, 30)
    reader.write_to(module.of_time, LOW, HIGH)
    means, (motion, _) = torch.randn(50, 5), _drawn(50, seed=2)
    with torch.no_grad():
        of_pictures, joined = (
            LOW + (HIGH - LOW) * module(means, seen).double() for seen in (None, motion)
        )
    better = of_pictures > FINEVD_SCALE.ruined
    assert better.any()
    expected = (of_pictures - FINEVD_SCALE.ruined) * (1.0 - reader.falls(motion))
    np.testing.assert_allclose((joined - FINEVD_SCALE.ruined)[better], expected[better], atol=0.1)
    np.testing.assert_allclose(joined[~better], of_pictures[~better], atol=1e-4)


def test_a_fresh_reader_lowers_nothing():
    module = OpinionReader(5, 30)
    means, motion = torch.randn(4, 5), torch.randn(4, 2, 30)
    with torch.no_grad():
        assert torch.equal(module(means, motion), module(means))


def test_known_severity_lowers_as_the_rules_of_synthesis_do():
    sample = TrainingSample(
        path="x",
        group="x",
        split="train",
        mos={Dimension.OVERALL: 50.0},
        severities={},
        dimension_severities={Dimension.TEMPORAL: 1.0},
    )
    fallen = FINEVD_SCALE.ruined + (70.0 - FINEVD_SCALE.ruined) * (1.0 - LARGEST)
    read = lowered_as_known(np.array([70.0, 11.0]), [sample, sample])
    np.testing.assert_allclose(read, [fallen, 11.0], rtol=1e-6)


def test_photographs_have_no_faults_of_time():
    photograph = TrainingSample(path="x", group="x", split="train", mos={Dimension.OVERALL: 50.0})
    assert severities_of_time([photograph]) == [0.0]
