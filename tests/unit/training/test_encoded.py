"""Features with gaps: what is hidden is neutral, and hidden in all frames alike."""

import torch

from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import EfficientNetEncoder, feature_width
from finevq.model.presets import nano
from finevq.training.encoded import corrupted, standardization_of

WIDTH = feature_width("efficientnet_lite2")
SEEN = WIDTH - EfficientNetEncoder.num_colors


def test_hidden_features_stand_at_their_mean_in_every_frame():
    model = FineVQ(nano(vocabulary_size=100, context_token_id=1))
    generator = torch.Generator().manual_seed(0)
    images = [5.0 + torch.randn(3, 8, 1, WIDTH, generator=generator) for _ in range(2)]
    motion = 5.0 + torch.randn(3, 4, 416, generator=generator)
    for projector, features in zip(model.image_projectors, images, strict=False):
        standardization_of(projector).fit(features[..., :SEEN])
    colors = torch.cat([view[..., SEEN:] for view in images], dim=-1)
    standardization_of(model.color_projector).fit(colors)
    standardization_of(model.motion_projector).fit(motion)
    shown, shown_motion = corrupted(model, images, motion, feature_dropout=0.25)
    for projector, before, after in (
        (model.image_projectors[0], images[0][..., :SEEN], shown[0][..., :SEEN]),
        (model.image_projectors[1], images[1][..., :SEEN], shown[1][..., :SEEN]),
        (model.motion_projector, motion, shown_motion),
    ):
        mean = standardization_of(projector).mean
        is_hidden = (after == mean).flatten(1, -2)  # (B, frames, features)
        assert torch.equal(is_hidden.all(dim=1), is_hidden.any(dim=1))
        assert 0.15 < is_hidden.float().mean() < 0.35
        # What is shown stands farther out, so that the whole keeps its spread on average.
        assert torch.allclose(
            (after - mean)[after != mean], ((before - mean) / 0.75)[after != mean], atol=1e-4
        )


def test_statistics_of_colour_are_hidden_less():
    model = FineVQ(nano(vocabulary_size=100, context_token_id=1))
    images = [torch.ones(4, 8, 1, WIDTH) for _ in range(2)]  # means are 0
    shown, _ = corrupted(model, images, torch.zeros(4, 4, 416), feature_dropout=0.6)
    for view in shown:
        assert 0.5 < (view[..., :SEEN] == 0).float().mean() < 0.7
        assert 0.12 < (view[..., SEEN:] == 0).float().mean() < 0.28


def test_nothing_is_hidden_without_dropout():
    model = FineVQ(nano(vocabulary_size=100, context_token_id=1))
    images, motion = [torch.randn(2, 8, 1, WIDTH)] * 2, torch.randn(2, 4, 416)
    shown, shown_motion = corrupted(model, images, motion, feature_dropout=0.0)
    assert torch.allclose(shown[1], images[1], atol=1e-6)
    assert torch.allclose(shown_motion, motion, atol=1e-6)
