import pytest
import torch

from finevq.model.finevq import FineVQ


def _video(model: FineVQ, seed: int = 0) -> tuple[list[torch.Tensor], torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    views = [torch.randn(1, 2, 3, 64, 64, generator=generator) for _ in model.config.video.views]
    motion = torch.randn(1, 4, 3, 16, 32, 32, generator=generator)
    return views, motion


@torch.no_grad()
def test_a_video_becomes_a_token_a_view_and_a_burst_and_a_summary(model: FineVQ):
    visual = model.encode_video(*_video(model))
    assert visual.shape == (1, 2 * 2 + 5 + 4, model.config.language_model.width)


@torch.no_grad()
def test_visual_tokens_take_the_context_places_in_order(model: FineVQ):
    visual = torch.arange(3.0).view(1, 3, 1).expand(1, 3, model.config.language_model.width)
    context = model.config.context_token_id
    embeds = model.embed(torch.tensor([[1, context, context, 7, context]]), visual)
    assert embeds[0, [1, 2, 4], 0].tolist() == [0.0, 1.0, 2.0]


def test_places_and_tokens_must_agree(model: FineVQ):
    visual = torch.zeros(1, 2, model.config.language_model.width)
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
