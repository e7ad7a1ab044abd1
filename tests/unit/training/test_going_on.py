"""What a model says before it learns on has a share in what it learns."""

import pytest
import torch

from finevq.datasets.degradations.labels import label_clip
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.presets import nano
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.training.encoded import EncodedSet
from finevq.training.going_on import own_ratings, with_ratings
from finevq.training.samples import TrainingSample
from finevq.vocabulary import DIMENSIONS, Dimension


@pytest.fixture(scope="module")
def data() -> EncodedSet:
    """A clip with all scores, and a photograph with overall alone."""
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, 1, 2, 8, EfficientNetEncoder.width, generator=generator)
    motion = torch.randn(2, 1, 4, 416, generator=generator)
    mos = [label_clip({"moire": 0.5}).mos, {Dimension.OVERALL: 40.0}]
    samples = [TrainingSample(path="x", group="x", split="train", mos=scores) for scores in mos]
    return EncodedSet(samples, views, motion)


def test_scores_move_half_way_overall_all_the_way_and_color_to_its_own_reader(data: EncodedSet):
    prompter = NanoPrompter(train_tokenizer())
    torch.manual_seed(0)
    model = FineVQ(
        nano(vocabulary_size=prompter.vocabulary_size, context_token_id=prompter.context_id)
    ).eval()
    with torch.no_grad():  # whatever it sees, it says 70
        model.score_head.fc3.weight.zero_()
        model.score_head.fc3.bias.fill_(0.7)
    read = torch.full((2, len(DIMENSIONS)), 20.0)
    said_before = own_ratings(model, prompter, data)
    clip, photograph = with_ratings(data, said_before, lambda _: read).samples
    before = data.samples[0].mos
    for dimension in DIMENSIONS:
        said = 20.0 if dimension is Dimension.COLOR else 70.0
        half = (before[dimension] + said) / 2
        expected = 70.0 if dimension is Dimension.OVERALL else half
        assert clip.mos[dimension] == pytest.approx(expected, abs=1e-3)
    assert photograph.mos == {Dimension.OVERALL: pytest.approx(70.0, abs=1e-3)}
    plain, _ = with_ratings(data, said_before, None).samples
    color = Dimension.COLOR
    assert plain.mos[color] == pytest.approx((before[color] + 70.0) / 2, abs=1e-3)
