import copy
from dataclasses import replace

import pytest
import torch

from finevq.model.finevq import FineVQ
from finevq.vocabulary import NAMES


def _video(model: FineVQ, seed: int = 0) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    views = [torch.randn(1, 2, 3, 64, 64, generator=generator) for _ in model.config.video.views]
    motion = torch.randn(1, 4, 3, 16, 32, 32, generator=generator)
    return views, motion


@torch.no_grad()
def test_a_video_becomes_a_token_a_view_and_a_burst_a_summary_and_a_token_a_name(model: FineVQ):
    width = model.config.language_model.width
    places, named = model.parts_of(model.encode_video(*_video(model)))
    assert places.shape == (1, 2 * 2 + 5 + 4, width)
    assert named.shape == (1, len(NAMES), width)


@torch.no_grad()
def test_visual_tokens_take_the_context_places_in_order(model: FineVQ):
    num_tokens = 3 + len(NAMES)
    visual = torch.arange(float(num_tokens)).view(1, num_tokens, 1)
    visual = visual.expand(-1, -1, model.config.language_model.width)
    context = model.config.context_token_id
    embeds = model.embed(torch.tensor([[1, context, context, 7, context]]), visual)
    assert embeds[0, [1, 2, 4], 0].tolist() == [0.0, 1.0, 2.0]


@torch.no_grad()
def test_ids_beyond_the_vocabulary_show_named_tokens(model: FineVQ):
    _, named = model.parts_of(model.encode_video(*_video(model)))
    num_words = model.config.language_model.llama["vocab_size"]
    embeds = model.embed(torch.tensor([[7, num_words + 2, num_words + 32]]), named=named)
    words = model.embed(torch.tensor([[7]]))
    assert torch.equal(embeds[0], torch.stack([words[0, 0], named[0, 2], named[0, 32]]))


@torch.no_grad()
def test_motion_reaches_the_named_tokens(model: FineVQ):
    views, motion = _video(model)
    _, other = _video(model, seed=1)
    first, second = (model.parts_of(model.encode_video(views, it))[1] for it in (motion, other))
    assert not torch.allclose(first, second)


def test_places_and_tokens_must_agree(model: FineVQ):
    visual = torch.zeros(1, 2 + len(NAMES), model.config.language_model.width)
    with pytest.raises(ValueError, match="1 context tokens in the text, 2 visual tokens"):
        model.embed(torch.tensor([[model.config.context_token_id]]), visual)


@torch.no_grad()
def test_the_score_reacts_to_every_part_of_the_video(model: FineVQ):
    views, motion = _video(model)
    prefix = torch.tensor([[1, *[model.config.context_token_id] * 13, 4]])

    def score(views: list[torch.Tensor], motion: torch.Tensor) -> float:
        out = model(model.embed(prefix, model.encode_video(views, motion)))
        return float(model.score(out.hidden[0, -1]))

    base = score(views, motion)
    other_views, other_motion = _video(model, seed=1)
    assert score([other_views[0], views[1]], motion) != base
    assert score([views[0], other_views[1]], motion) != base
    assert score(views, other_motion) != base


@torch.no_grad()
def test_without_motion_named_tokens_say_what_pictures_alone_tell(model: FineVQ):
    without = copy.deepcopy(model.named_projector)
    without.forget_motion()
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, without.images[1].in_features, generator=generator)
    colors = torch.randn(2, without.colors[1].in_features, generator=generator)
    silent = copy.deepcopy(model.named_projector)
    silent.told.weight[:, without.told.in_features :] = 0.0
    motion = torch.randn(2, 3, silent.motion[1].in_features, generator=generator)
    torch.testing.assert_close(without(images, colors, None), silent(images, colors, motion))
    config = replace(model.config, video=replace(model.config.video, motion="none"))
    FineVQ(config).named_projector.load_state_dict(without.state_dict())
