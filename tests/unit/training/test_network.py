from dataclasses import replace

import numpy as np
import pytest
import torch

from builders.training import DrawnClips, rating_records, tiny_config, tiny_model
from finevq.inference.session import Session
from finevq.inference.torch_engine import TorchEngine
from finevq.model.config import ModelConfig
from finevq.model.finevq import FineVQ
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.records import Calibration, ModelIdentity
from finevq.settings import load_settings
from finevq.training.blank import blank_batch
from finevq.training.dataset import InstructionBatch, LoadedVideo, collate, motion_inputs
from finevq.training.network import TrainingNetwork
from finevq.training.rows import make_rows
from finevq.vocabulary import Dimension


@pytest.fixture(scope="module")
def prompter() -> NanoPrompter:
    return NanoPrompter(train_tokenizer())


def reading(config: ModelConfig, motion: str) -> ModelConfig:
    """The same model with another way of reading motion; only bursts have statistics."""
    return replace(
        config,
        video=replace(config.video, motion=motion),
        motion_encoder=replace(config.motion_encoder, statistics=motion == "bursts"),
    )


def all_frames(prompter: NanoPrompter, lengths: tuple[int, ...]) -> tuple[FineVQ, InstructionBatch]:
    """A model that reads every frame, and videos of some lengths."""
    config = tiny_config(prompter)
    config = reading(config, "all_frames")
    torch.manual_seed(0)
    clips = DrawnClips(config.video)
    loaded = []
    for number, (record, length) in enumerate(
        zip(rating_records(len(lengths), [Dimension.BLUR]), lengths, strict=True)
    ):
        pixels = clips.load(record.video)
        motion = np.resize(pixels.motion, (length, *pixels.motion.shape[1:]))
        loaded.append(LoadedVideo(number, (record,), replace(pixels, motion=motion)))
    return FineVQ(config).eval(), collate(loaded)


def test_videos_of_different_lengths_share_a_batch(prompter: NanoPrompter):
    model, batch = all_frames(prompter, (32, 45))
    with torch.no_grad():
        _, together = TrainingNetwork(model).features(batch)
        assert together is not None
        for number, motion in enumerate(batch.motion):
            alone = replace(batch, motion=(motion,))
            frames = motion_inputs(alone, model.config, torch.device("cpu"))
            assert frames is not None
            torch.testing.assert_close(
                together[number], model.encode_motion(frames)[0], atol=1e-4, rtol=1e-4
            )


@pytest.mark.parametrize("learns", ["image_encoder", "motion_encoder", ""])
def test_features_of_a_frozen_encoder_are_kept_whatever_the_other_does(learns: str):
    model, _ = tiny_model()
    model.eval().requires_grad_(False)
    if learns:
        getattr(model, learns).requires_grad_(True)
    clips = DrawnClips(model.config.video)
    records = rating_records(3, [Dimension.BLUR])
    batch = collate(
        [LoadedVideo(n, (record,), clips.load(record.video)) for n, record in enumerate(records)]
    )
    calls: list[str] = []
    for name in ("image_encoder", "motion_encoder"):
        getattr(model, name).register_forward_pre_hook(
            lambda module, inputs, name=name: calls.append(name)
        )
    network = TrainingNetwork(model, keeps_features=True)
    images, motion = network.features(batch)
    calls.clear()
    again, motion_again = network.features(batch)
    assert set(calls) == ({learns} if learns else set())
    assert network.knows(records[0].video) == (not learns)
    assert motion is not None
    assert motion_again is not None
    for one, other in zip((*images, motion), (*again, motion_again), strict=True):
        assert torch.equal(one, other)
    plain_images, plain_motion = TrainingNetwork(model).features(batch)
    assert plain_motion is not None
    for one, other in zip((*images, motion), (*plain_images, plain_motion), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("motion", ["bursts", "all_frames", "none"])
def test_a_stand_in_goes_through_any_model(prompter: NanoPrompter, motion: str):
    config = tiny_config(prompter)
    config = reading(config, motion)
    batch = blank_batch(config)
    rows = make_rows(prompter, config.num_visual_tokens, batch.records, learns_opening=False)
    answers = TrainingNetwork(FineVQ(config).eval())(batch, rows)
    assert torch.isfinite(answers.token_losses).all()
    assert len(answers.scores) == 1


def test_parameters_get_a_gradient_even_where_nothing_is_learnt(prompter: NanoPrompter):
    config = tiny_config(prompter)
    model = FineVQ(config).eval()
    (record,) = rating_records(1, [Dimension.BLUR])
    silent = replace(record, answer="", scores={})
    pixels = DrawnClips(config.video).load(record.video)
    batch = collate([LoadedVideo(0, (silent,), pixels)])
    rows = make_rows(prompter, config.num_visual_tokens, batch.records, learns_opening=False)
    answers = TrainingNetwork(model)(batch, rows)
    assert len(answers.token_losses) == len(answers.scores) == 0
    (answers.token_losses.sum() + answers.scores.sum()).backward()
    for part in (model.score_head, model.language_model.lm_head, model.image_projectors):
        for parameter in part.parameters():
            assert parameter.grad is not None
            assert not parameter.grad.any()


def test_scores_are_joined_with_what_is_read_directly_as_in_use():
    model, prompter = tiny_model()
    model.eval().requires_grad_(False)
    for last in (model.score_head.fc2, model.opinion_reader.linear):
        last.weight.mul_(0.01)  # so that all stays within the scale
        last.bias.fill_(0.5)
    model.fault_reader.readings.weight.mul_(0.01)
    clips = DrawnClips(model.config.video)
    records = rating_records(2)  # overall and blur of each
    loaded = [
        LoadedVideo(n, tuple(records[2 * n : 2 * n + 2]), clips.load(records[2 * n].video))
        for n in range(2)
    ]
    batch = collate(loaded)
    rows = make_rows(prompter, model.config.num_visual_tokens, batch.records, learns_opening=False)
    session = Session(
        identity=ModelIdentity("tiny", "0"),
        engine=TorchEngine(model, prompter.prefix_ids),
        prompter=prompter,
        video=model.config.video,
        calibration=Calibration(),
        free_questions=False,
        settings=load_settings(),
    )
    taught = []
    for moved in (0.0, 0.1):  # by so much of the scale
        model.opinion_reader.linear.bias.add_(moved)
        model.fault_reader.readings.bias.sub_(moved)  # in spreads of .13 of the scale
        taught.append(TrainingNetwork(model)(batch, rows).scores.view(2, 2))
        for video, row in zip(loaded, taught[-1], strict=True):
            prefix = session._engine.read_video(video.pixels)
            asked = [record.question for record in video.records]
            used = [answer.score for answer in session._ask_closed(prefix, asked)]
            assert used == pytest.approx((100 * row).tolist(), abs=0.01)
    overall, blur = (taught[1] - taught[0]).unbind(1)
    share = model.config.opinion_share
    assert overall.tolist() == pytest.approx([0.1 * share] * 2, abs=1e-4)
    assert blur.tolist() == pytest.approx([-0.013 * model.config.fault_share] * 2, abs=1e-4)
