"""An opinion reader learns what photographs look like, and has no share of the rest."""

from collections.abc import Sequence

import torch

from finevq.model.image_encoder import EfficientNetEncoder, feature_width
from finevq.model.opinion_reader import OpinionReader
from finevq.training.encoded import EncodedSet
from finevq.training.kind_reading import KindReader
from finevq.training.opinions import mean_features
from finevq.training.samples import TrainingSample

WIDTH = feature_width("efficientnet_lite2")
FEATURES = WIDTH - EfficientNetEncoder.num_colors


def _shown(kinds: Sequence[bool], seed: int) -> EncodedSet:
    """Samples of which drawings have some features that photographs have not."""
    generator = torch.Generator().manual_seed(seed)
    views = torch.randn(len(kinds), 1, 2, 4, WIDTH, generator=generator)
    views[~torch.tensor(kinds), :, :, :, :40] += 3.0
    samples = [
        TrainingSample(path="x", group="x", split="train", mos={}, is_photographed=kind)
        for kind in kinds
    ]
    return EncodedSet(samples, views.half(), torch.zeros(len(kinds), 1, 1, 1))


def _reader(*, has_familiarity: bool = True) -> OpinionReader:
    return OpinionReader(2 * FEATURES, has_familiarity=has_familiarity)


def _familiarity(reader: OpinionReader, data: EncodedSet) -> torch.Tensor:
    with torch.no_grad():
        return reader.familiarity(torch.from_numpy(mean_features(data.views, 0)).float())


def test_unseen_photographs_keep_their_share_and_drawings_lose_it():
    reader = _reader()
    KindReader([_shown([True] * 300, 0), _shown([True, False] * 150, 1)]).write_to(reader)
    assert _familiarity(reader, _shown([True] * 50, 2)).median() > 0.9
    assert _familiarity(reader, _shown([False] * 50, 3)).median() < 0.1


def test_where_all_are_photographs_everything_stays_familiar():
    reader = _reader()
    KindReader([_shown([True] * 40, 0)]).write_to(reader)
    assert (_familiarity(reader, _shown([True, False] * 10, 1)) > 0.999).all()


def test_a_reader_of_earlier_versions_has_its_whole_share():
    reader = _reader(has_familiarity=False)
    KindReader([_shown([True, False] * 40, 0)]).write_to(reader)
    assert (_familiarity(reader, _shown([True, False] * 10, 1)) == 1.0).all()
    assert "of_kind.weight" not in reader.state_dict()
