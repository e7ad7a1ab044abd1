"""What a model says before it learns on has a share in what it learns."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import finevq
from finevq.datasets.degradations.labels import label_clip
from finevq.errors import TrainingError
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import feature_width
from finevq.model.presets import nano
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.training.encoded import EncodedSet
from finevq.training.going_on import (
    mix_with_earlier,
    own_ratings,
    seeing_as,
    take_over,
    with_ratings,
)
from finevq.training.samples import TrainingSample
from finevq.vocabulary import DIMENSIONS, Dimension


def fresh() -> FineVQ:
    tokenizer = NanoPrompter(train_tokenizer())
    return FineVQ(
        nano(vocabulary_size=tokenizer.vocabulary_size, context_token_id=tokenizer.context_id)
    )


@pytest.fixture(scope="module")
def data() -> EncodedSet:
    """A clip with all scores, and a photograph with overall alone."""
    generator = torch.Generator().manual_seed(0)
    views = torch.randn(2, 1, 2, 8, feature_width("efficientnet_lite2"), generator=generator)
    motion = torch.randn(2, 1, 4, 416, generator=generator)
    mos = [label_clip({"moire": 0.5}).mos, {Dimension.OVERALL: 40.0}]
    samples = [TrainingSample(path="x", group="x", split="train", mos=scores) for scores in mos]
    return EncodedSet(samples, views, motion)


def test_scores_move_half_way_overall_all_the_way_and_color_to_its_own_reader(data: EncodedSet):
    prompter = NanoPrompter(train_tokenizer())
    torch.manual_seed(0)
    model = fresh().eval()
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


def test_a_model_that_never_saw_drawings_has_no_say_about_them(data: EncodedSet):
    drawing, photograph = (
        replace(s, is_photographed=s is not data.samples[0]) for s in data.samples
    )
    said = torch.full((2, len(DIMENSIONS)), 70.0)
    shown = replace(data, samples=[drawing, photograph])
    kept, moved = with_ratings(shown, said, None, of_photographed_alone=True).samples
    assert kept == drawing
    assert moved.mos == {Dimension.OVERALL: pytest.approx(70.0)}
    assert with_ratings(shown, said, None).samples[0] != drawing


def saved(model: FineVQ, folder: Path, *, without: str) -> Path:
    """Save a model's weights as one that never had some of them."""
    kept = {k: v for k, v in model.state_dict().items() if not k.startswith(without)}
    save_file({k: v.clone() for k, v in kept.items()}, folder / "model.safetensors")
    return folder


def test_an_earlier_model_may_lack_what_begins_by_adding_nothing(tmp_path: Path):
    model = fresh()
    named = f"image_projectors.{len(model.image_projectors) - 1}."
    earlier = take_over(fresh(), saved(model, tmp_path, without=named))
    assert not any(name.startswith(named) for name in earlier.names)
    assert earlier.knows_drawings
    older = take_over(fresh(), saved(model, tmp_path, without="opinion_reader.of_kind."))
    assert not older.knows_drawings


def test_going_on_sees_as_the_earlier_nano_did(tmp_path: Path):
    config = fresh().config
    older = replace(
        config,
        video=replace(config.video, view_sizes=(256, 320)),
        image_encoder=replace(config.image_encoder, kind="efficientnet_lite0"),
    )
    (tmp_path / "config.json").write_text(json.dumps(older.to_dict()))
    assert seeing_as(config, tmp_path) == older
    other = replace(older, name="other")
    (tmp_path / "config.json").write_text(json.dumps(other.to_dict()))
    assert seeing_as(config, tmp_path) == config


def test_weights_that_were_taken_over_keep_a_share_of_what_they_were(tmp_path: Path):
    start = fresh()
    folder = saved(start, tmp_path, without="opinion_reader.of_kind.")
    model = fresh()
    earlier = take_over(model, folder)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(1.0)
    mix_with_earlier(model, earlier, 0.25)
    before = dict(start.named_parameters())
    for name, weight in model.named_parameters():
        moved = 1.0 if "of_kind" in name else 0.75
        torch.testing.assert_close(weight - before[name], torch.full_like(weight, moved))


@pytest.mark.parametrize("lacking", ["image_projectors.2.", "score_head."])
def test_an_earlier_model_that_cannot_rate_is_refused(tmp_path: Path, lacking: str):
    folder = saved(fresh(), tmp_path, without=lacking)
    with pytest.raises(TrainingError, match=f"no {lacking}.* version 3 or later"):
        take_over(fresh(), folder)


def test_the_released_nano_can_be_gone_on_from():
    released = Path(finevq.__file__).parent / "model" / "nano"
    model = FineVQ(seeing_as(fresh().config, released))
    earlier = take_over(model, released)
    assert earlier.names >= dict(model.named_parameters()).keys()
