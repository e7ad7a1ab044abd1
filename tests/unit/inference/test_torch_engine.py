from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from finevq.inference.torch_engine import TorchEngine
from finevq.model.config import ImageEncoderConfig, ModelConfig, MotionEncoderConfig
from finevq.model.finevq import FineVQ
from finevq.model.presets import internvl2_8b
from finevq.records import VideoInputConfig
from finevq.video.inputs import Pixels

CONTEXT = 3
NUM_FRAMES = 2
VOCABULARY = 60


def config(**changes: object) -> ModelConfig:
    base = internvl2_8b(context_token_id=CONTEXT)
    small = replace(
        base,
        video=VideoInputConfig(num_frames=NUM_FRAMES, view_sizes=(56,), motion_size=32),
        image_encoder=ImageEncoderConfig(
            kind="intern_vit",
            image_size=56,
            projector_expansion=1,
            vision={
                "hidden_size": 16,
                "num_hidden_layers": 1,
                "num_attention_heads": 2,
                "intermediate_size": 32,
                "image_size": 56,
                "patch_size": 14,
                "attention_bias": True,
            },
        ),
        motion_encoder=MotionEncoderConfig(
            slow_width=8, fast_ratio=2, depths=(1, 1, 1, 1), pooling="mean"
        ),
        language_model=replace(
            base.language_model,
            llama={
                **base.language_model.llama,
                "hidden_size": 32,
                "intermediate_size": 48,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "num_key_value_heads": 2,
                "vocab_size": VOCABULARY,
            },
        ),
        score_head=replace(base.score_head, widths=(16,), final_relu=False),
    )
    return replace(small, **changes)  # type: ignore[arg-type]  # fields by name


def prefix_ids(num_visual: int) -> list[int]:
    return [1, 7, 8, *[CONTEXT] * num_visual, 9]


def build(model_config: ModelConfig) -> FineVQ:
    torch.manual_seed(0)
    model = FineVQ(model_config)
    for parameter in model.language_model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.eval()


@pytest.fixture(scope="module")
def model() -> FineVQ:
    return build(config())


@pytest.fixture(scope="module")
def pixels() -> Pixels:
    generator = np.random.default_rng(0)
    view = generator.integers(0, 256, (NUM_FRAMES, 56, 56, 3), dtype=np.uint8)
    motion = generator.integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    return Pixels(views=(view,), motion=motion, start_seconds=0.0, end_seconds=1.0)


SUFFIXES: list[list[int]] = [[10, 11, 12], [13, 14, 15, 16, 17, 18], [19, 20], [10, 11, 21, 22]]


class Counter:
    """Counts the tokens that the language model reads."""

    def __init__(self, model: FineVQ) -> None:
        self.tokens = 0
        self._hook = model.language_model.model.register_forward_pre_hook(
            self._count, with_kwargs=True
        )

    def _count(self, module: object, args: object, kwargs: dict[str, Tensor]) -> None:
        self.tokens += kwargs["inputs_embeds"][..., 0].numel()

    def remove(self) -> None:
        self._hook.remove()


@pytest.fixture
def counter(model: FineVQ) -> Iterator[Counter]:
    counting = Counter(model)
    yield counting
    counting.remove()


def normalised(frames: NDArray[np.uint8]) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return ((torch.from_numpy(frames).float() / 255 - mean) / std).permute(0, 3, 1, 2)


def plain(model: FineVQ, pixels: Pixels, suffix: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Read the whole text of one question at once: no cache, no packing, no windows."""
    motion = normalised(pixels.motion).transpose(0, 1)[None, None]
    visual = model.encode_video([normalised(pixels.views[0])[None]], motion)
    ids = torch.tensor([[*prefix_ids(visual.shape[1]), *suffix]])
    out = model(model.embed(ids, visual))
    return out.logits[0], model.score(out.hidden)[0]


@torch.inference_mode()
def test_questions_on_one_prefix_equal_separate_runs(model: FineVQ, pixels: Pixels) -> None:
    engine = TorchEngine(model, prefix_ids, motion_window=8)
    reading = engine.read_suffixes(engine.read_video(pixels), SUFFIXES, num_last=2)
    for row, suffix in enumerate(SUFFIXES):
        logits, scores = plain(model, pixels, suffix)
        np.testing.assert_allclose(reading.logits[row], logits[-2:].numpy(), atol=2e-5)
        np.testing.assert_allclose(reading.scores[row], scores[-2:].numpy(), atol=2e-4)


@torch.inference_mode()
def test_packing_in_several_turns_changes_nothing(
    model: FineVQ, pixels: Pixels, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = TorchEngine(model, prefix_ids)
    prefix = engine.read_video(pixels)
    together = engine.read_suffixes(prefix, SUFFIXES)
    monkeypatch.setattr("finevq.inference.torch_engine._PACK_TOKENS", 6)
    apart = engine.read_suffixes(prefix, SUFFIXES)
    np.testing.assert_allclose(together.logits, apart.logits, atol=1e-5)


def test_a_prefix_stays_as_it_was(model: FineVQ, pixels: Pixels) -> None:
    engine = TorchEngine(model, prefix_ids)
    prefix = engine.read_video(pixels)
    first = engine.read_suffixes(prefix, SUFFIXES)
    engine.generate(prefix, SUFFIXES[0], stop_ids=frozenset(), max_new_tokens=5)
    again = engine.read_suffixes(prefix, SUFFIXES)
    assert np.array_equal(first.logits, again.logits)
    assert prefix.state.get_seq_length() == prefix.length


@torch.inference_mode()
def test_generation_is_greedy_and_stops(model: FineVQ, pixels: Pixels) -> None:
    engine = TorchEngine(model, prefix_ids)
    prefix = engine.read_video(pixels)
    suffix = list(SUFFIXES[1])
    expected: list[int] = []
    for _ in range(6):
        logits, _ = plain(model, pixels, suffix + expected)
        expected.append(int(logits[-1].argmax()))
    free = engine.generate(prefix, suffix, stop_ids=frozenset(), max_new_tokens=6)
    assert free == expected
    stop = expected[3]
    stopped = engine.generate(prefix, suffix, stop_ids=frozenset({stop}), max_new_tokens=6)
    assert stopped == expected[: expected.index(stop)]


def test_six_questions_cost_about_as_many_tokens_as_one(
    model: FineVQ, pixels: Pixels, counter: Counter
) -> None:
    # Lengths as in the official template: about 2,160 tokens of video, 30 of a question.
    engine = TorchEngine(model, lambda num: [1] * (2160 - num) + [CONTEXT] * num)
    question = list(range(10, 40))
    engine.read_suffixes(engine.read_video(pixels), [question])
    one = counter.tokens
    counter.tokens = 0
    engine.read_suffixes(engine.read_video(pixels), [question] * 6)
    assert one == 2160 + 30
    assert counter.tokens <= 1.15 * one


@torch.inference_mode()
def test_a_model_without_motion_reads_pictures_alone(pixels: Pixels) -> None:
    base = config()
    silent = config(video=replace(base.video, motion="none"), has_score_head=False)
    model = build(silent)
    assert not any("motion" in name for name in model.state_dict())
    engine = TorchEngine(model, prefix_ids)
    prefix = engine.read_video(pixels)
    assert prefix.length == NUM_FRAMES * silent.num_image_tokens + 4
    reading = engine.read_suffixes(prefix, SUFFIXES)
    assert np.isnan(reading.scores).all()
    assert np.isfinite(reading.logits).all()


@torch.inference_mode()
def test_the_training_form_takes_motion_from_the_sparse_frames(pixels: Pixels) -> None:
    base = config()
    trained = config(
        video=replace(base.video, num_frames=8, motion="sparse_frames"),
        motion_encoder=replace(base.motion_encoder, repeat_features=4),
    )
    model = build(trained)
    frames = pixels.motion[:8].repeat(2, 1).repeat(2, 2)[:, :56, :56]
    sparse = replace(pixels, views=(np.ascontiguousarray(frames),))
    engine = TorchEngine(model, prefix_ids)
    features = engine._motion_features(sparse)
    motion = normalised(sparse.views[0]).transpose(0, 1)[None, None]
    assert features is not None
    torch.testing.assert_close(features, model.encode_motion(motion))


@torch.inference_mode()
def test_half_precision_runs_end_to_end(model: FineVQ, pixels: Pixels) -> None:
    half = build(config()).to(torch.bfloat16)
    engine = TorchEngine(half, prefix_ids)
    reading = engine.read_suffixes(engine.read_video(pixels), SUFFIXES)
    full = TorchEngine(model, prefix_ids)
    wanted = full.read_suffixes(full.read_video(pixels), SUFFIXES)
    assert reading.logits.dtype == np.float32
    # bfloat16 keeps 8 bits of each number.
    assert np.abs(reading.logits - wanted.logits).max() < 0.05 * np.abs(wanted.logits).max()
