"""nano's image encoder: what training folds changes neither features nor gradients."""

import pytest
import torch

from finevq.model import image_encoder
from finevq.model.config import ImageEncoderConfig
from finevq.model.image_encoder import EfficientNetEncoder


@pytest.fixture(params=["efficientnet_lite0", "efficientnet_lite2"])
def encoder(request: pytest.FixtureRequest) -> EfficientNetEncoder:
    """Fresh weights, but normalization that does something."""
    torch.manual_seed(0)
    images = ImageEncoderConfig(kind=request.param)
    made = EfficientNetEncoder(images.kind, images.mean, images.std).eval()
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, 0.0, 0.3)
    return made.double()


def test_a_training_step_sees_what_is_seen_in_use(encoder: EfficientNetEncoder):
    pictures = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        in_use = encoder(pictures)
    assert in_use.shape == (2, 1, encoder.width)
    torch.testing.assert_close(encoder(pictures).detach(), in_use)


def test_gradients_are_those_of_the_layers_one_by_one(
    encoder: EfficientNetEncoder, monkeypatch: pytest.MonkeyPatch
):
    pictures = torch.randn(2, 3, 64, 64, dtype=torch.float64)

    def gradients() -> dict[str, torch.Tensor]:
        encoder.zero_grad()
        encoder(pictures).square().sum().backward()
        return {name: weight.grad.clone() for name, weight in encoder.named_parameters()}

    folded = gradients()
    monkeypatch.setattr(image_encoder, "_learns", lambda _: False)
    plain = gradients()
    assert all(gradient.abs().max() > 0 for gradient in plain.values())
    for name, gradient in plain.items():
        torch.testing.assert_close(folded[name], gradient, msg=name, rtol=1e-6, atol=1e-6)


def test_statistics_that_are_learnt_are_not_folded(encoder: EfficientNetEncoder):
    before = encoder.stem[1].running_mean.clone()
    encoder.train()(torch.randn(2, 3, 64, 64, dtype=torch.float64))
    assert not torch.equal(encoder.stem[1].running_mean, before)
