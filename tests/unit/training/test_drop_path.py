from dataclasses import replace

import pytest
import torch

from builders.training import tiny_model
from finevq.errors import ConfigError
from finevq.model.config import ImageEncoderConfig
from finevq.model.finevq import FineVQ
from finevq.training.drop_path import DropPath, add_drop_path
from finevq.training.parts import encoder_is_frozen, prepare_parts, set_modes
from finevq.training.presets import preset
from finevq.training.stages import StageConfig


def vit_model() -> FineVQ:
    """A tiny model that sees through a ViT of three layers, each of which matters."""
    nano, _ = tiny_model()
    config = replace(
        nano.config,
        image_encoder=ImageEncoderConfig(
            kind="intern_vit",
            image_size=56,
            projector_expansion=1,
            vision={
                "hidden_size": 16,
                "num_hidden_layers": 3,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "image_size": 56,
                "patch_size": 14,
                "layer_scale_init_value": 1.0,
            },
        ),
        video=replace(nano.config.video, views=("whole",), view_sizes=(56,)),
    )
    torch.manual_seed(0)
    return FineVQ(config)


def vit_stage(name: str = "stage2", share: float = 0.5) -> StageConfig:
    config = preset(name, "nano")  # type: ignore[arg-type]
    return replace(
        config,
        inputs=replace(config.inputs, image_drop_path=share),
        lora=replace(config.lora, image_rank=0, dropout=0.0),
    )


def test_a_branch_is_left_out_or_scaled_so_that_its_mean_stays():
    torch.manual_seed(0)
    branch = torch.ones(4000, 2, 3)
    part = DropPath(0.25)
    out = part(branch)
    # Pictures are drawn one by one, each as a whole.
    assert all(len(picture.unique()) == 1 for picture in out)
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert (out[:, 0, 0] == 0).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert torch.equal(part.eval()(branch), branch)
    assert part.train()(branch.bfloat16()).dtype == torch.bfloat16


def test_layers_are_left_out_in_training_and_never_in_use():
    model, config = vit_model(), vit_stage()
    images = torch.randn(6, 3, 56, 56)
    plain = model.eval().image_encoder(images)
    names = set(model.state_dict())
    prepare_parts(model, replace(config, lora=replace(config.lora, language_rank=0)))
    assert set(model.state_dict()) == names
    assert torch.equal(model.eval().image_encoder(images), plain)
    shares = [m.share for m in model.image_encoder.modules() if isinstance(m, DropPath)]
    assert shares == [0.0, 0.0, 0.25, 0.25, 0.5, 0.5]  # two branches a layer, rising
    set_modes(model, config)
    torch.manual_seed(1)
    jittered = model.image_encoder(images)
    assert not torch.allclose(jittered, plain)
    torch.manual_seed(1)
    assert torch.equal(model.image_encoder(images), jittered)


def test_leaving_out_every_branch_of_the_last_layer_leaves_what_came_before():
    model = vit_model()
    add_drop_path(model, 0.999999)
    images = torch.randn(2, 3, 56, 56)
    layers = model.image_encoder.tower.encoder.layer
    seen: list[torch.Tensor] = []
    layers[-1].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    layers[-1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    model.train()
    model.image_encoder(images)
    assert torch.equal(seen[0], seen[1])


def test_recomputed_layers_leave_out_the_same_branches():
    config = vit_stage()
    gradients = []
    for recomputes in (False, True):
        model = vit_model()
        again = replace(config.steps, gradient_checkpointing=recomputes)
        stage = replace(
            config, steps=again, lora=replace(config.lora, image_rank=2, language_rank=0)
        )
        torch.manual_seed(2)
        prepare_parts(model, stage)
        set_modes(model, stage)
        torch.manual_seed(3)
        images = torch.randn(4, 3, 56, 56)
        model.image_encoder(images).square().sum().backward()
        gradients.append(
            {n: p.grad for n, p in model.image_encoder.named_parameters() if p.grad is not None}
        )
    plain, recomputed = gradients
    assert set(plain) == set(recomputed)
    assert plain
    for name, value in plain.items():
        torch.testing.assert_close(recomputed[name], value)


def test_features_of_a_vit_that_skips_branches_are_not_the_same_in_every_step():
    model = vit_model()
    prepare_parts(model, vit_stage("stage1", share=0.0))
    assert encoder_is_frozen(model.image_encoder)
    add_drop_path(model, 0.1)
    assert not encoder_is_frozen(model.image_encoder)


def test_a_share_that_cannot_be_and_a_model_without_a_vit_are_refused():
    with pytest.raises(ConfigError, match=r"image_drop_path = 1\.0: give a share"):
        add_drop_path(vit_model(), 1.0)
    model, _ = tiny_model()
    with pytest.raises(ConfigError, match="is no ViT; give 0"):
        prepare_parts(model, vit_stage())
