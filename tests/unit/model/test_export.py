"""Torch and ONNX Runtime are two ways to keep the same contract."""

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from finevq.errors import CheckpointError
from finevq.inference.engine import Direct
from finevq.inference.onnx_engine import OnnxEngine
from finevq.model.export import VideoEncoderGraph, export_onnx
from finevq.model.finevq import FineVQ
from finevq.model.folder import DECODER_FILE, VIDEO_ENCODER_FILE, WEIGHTS_FILE
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.video.inputs import Pixels
from finevq.vocabulary import DIMENSIONS, FAULT_NAMES, Dimension

pytestmark = [
    pytest.mark.full,
    # The exporter of torch that needs no further package announces its successor.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def exported(
    model: FineVQ, prompter: NanoPrompter, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    export_onnx(model, prompter.prefix_ids(model.config.num_visual_tokens), folder)
    return folder


def _pixels(model: FineVQ) -> Pixels:
    generator = np.random.default_rng(0)
    video = model.config.video

    def draw(count: int, side: int) -> np.ndarray:
        return generator.integers(0, 256, (count, side, side, 3), dtype=np.uint8)

    return Pixels(
        views=tuple(draw(video.num_frames, side) for side in video.view_sizes),
        motion=draw(video.num_bursts * video.burst_frames, video.motion_size),
        start_seconds=0.0,
        end_seconds=1.0,
    )


@torch.no_grad()
def test_torch_and_onnx_agree_on_scores_and_answers(
    model: FineVQ, prompter: NanoPrompter, exported: Path
):
    pixels = _pixels(model)
    engine = OnnxEngine(exported)
    asked = [questions.rating(dimension) for dimension in DIMENSIONS]
    suffixes = [prompter.suffix_ids(question, question.stem) for question in asked]
    read = engine.read_video(pixels)
    reading = engine.read_suffixes(read, suffixes)

    arrays = (*pixels.views, pixels.motion)
    prefix, named, values, shares = VideoEncoderGraph(
        model, prompter.prefix_ids(model.config.num_visual_tokens)
    )(*map(torch.from_numpy, arrays))
    assert list(read.direct.scores) == list(DIMENSIONS)
    assert list(read.direct.log_odds) == list(FAULT_NAMES)
    readings = [*read.direct.scores.values(), *read.direct.log_odds.values()]
    for place, direct in enumerate(readings):
        assert direct.value == pytest.approx(float(values[0, place]), abs=1e-2)
        assert direct.share == pytest.approx(float(shares[0, place]), abs=1e-4)
    for row, suffix in enumerate(suffixes):
        text = model.embed(torch.tensor([suffix]), named=named)
        out = model(torch.cat([prefix, text], dim=1))
        # Scores span 100 points; half-precision storage of scales costs a few 1e-4 of one.
        assert reading.scores[row, 0] == pytest.approx(
            float(model.score(out.hidden[0, -1])), abs=1e-3
        )
        np.testing.assert_allclose(reading.logits[row, 0], out.logits[0, -1], atol=1e-3)


def test_a_batch_of_questions_gives_what_each_gives_alone(
    model: FineVQ, prompter: NanoPrompter, exported: Path
):
    engine = OnnxEngine(exported)
    prefix = engine.read_video(_pixels(model))
    asked = [*(questions.rating(d) for d in DIMENSIONS), questions.most(), questions.describe()]
    suffixes = [prompter.suffix_ids(question, question.stem) for question in asked]
    together = engine.read_suffixes(prefix, suffixes)
    for row, suffix in enumerate(suffixes):
        alone = engine.read_suffixes(prefix, [suffix])
        np.testing.assert_allclose(together.logits[row], alone.logits[0], atol=1e-4)
        np.testing.assert_allclose(together.scores[row], alone.scores[0], atol=1e-3)


def test_reading_a_question_leaves_the_prefix_as_it_was(
    model: FineVQ, prompter: NanoPrompter, exported: Path
):
    engine = OnnxEngine(exported)
    prefix = engine.read_video(_pixels(model))
    suffix = prompter.suffix_ids(questions.most())
    before = engine.read_suffixes(prefix, [suffix]).logits
    engine.generate(prefix, suffix, stop_ids=frozenset(), max_new_tokens=4)
    np.testing.assert_array_equal(engine.read_suffixes(prefix, [suffix]).logits, before)


def test_generation_is_reading_one_token_at_a_time(
    model: FineVQ, prompter: NanoPrompter, exported: Path
):
    engine = OnnxEngine(exported)
    prefix = engine.read_video(_pixels(model))
    suffix = prompter.suffix_ids(questions.describe())
    generated = engine.generate(prefix, suffix, stop_ids=frozenset(), max_new_tokens=5)
    grown = list(suffix)
    for token in generated:
        assert int(engine.read_suffixes(prefix, [grown]).logits[0, 0].argmax()) == token
        grown.append(token)


def test_a_model_without_direct_readers_reads_nothing_directly(
    model: FineVQ, prompter: NanoPrompter, tmp_path: Path
):
    plain = FineVQ(
        replace(model.config, opinion_share=0.0, fault_share=0.0, presence_share=0.0)
    ).eval()
    export_onnx(plain, prompter.prefix_ids(plain.config.num_visual_tokens), tmp_path)
    assert OnnxEngine(tmp_path).read_video(_pixels(plain)).direct == Direct()


def test_a_graph_of_an_earlier_version_tells_no_share_and_gets_that_of_its_config(
    model: FineVQ, exported: Path, tmp_path: Path
):
    # Until version 12 graphs told an opinion of overall alone, in the first versions without share.
    model_ = onnx.load(exported / VIDEO_ENCODER_FILE)
    graph = model_.graph
    for output in [output for output in graph.output if output.name.startswith("direct")]:
        graph.output.remove(output)
    place = onnx.numpy_helper.from_array(np.array([DIMENSIONS.index(Dimension.OVERALL)]), "place")
    graph.initializer.append(place)
    gathered = onnx.helper.make_node("Gather", ["direct", "place"], ["opinion"], axis=1)
    graph.node.append(gathered)
    graph.output.append(onnx.helper.make_tensor_value_info("opinion", onnx.TensorProto.FLOAT, None))
    onnx.save(model_, tmp_path / VIDEO_ENCODER_FILE)
    shutil.copyfile(exported / DECODER_FILE, tmp_path / DECODER_FILE)
    pixels = _pixels(model)
    now = OnnxEngine(exported).read_video(pixels).direct.scores[Dimension.OVERALL]
    earlier = OnnxEngine(tmp_path, opinion_share=0.3).read_video(pixels).direct
    assert earlier == Direct(scores={Dimension.OVERALL: replace(now, share=0.3)})


def test_a_damaged_graph_is_a_checkpoint_error(exported: Path, tmp_path: Path):
    (tmp_path / "video_encoder.onnx").write_bytes(b"not a graph")
    with pytest.raises(CheckpointError, match=r"video_encoder\.onnx cannot be loaded"):
        OnnxEngine(tmp_path)


def test_weights_that_a_half_holds_are_stored_as_halves_and_others_as_they_are(
    model: FineVQ, prompter: NanoPrompter, tmp_path: Path
):
    whole = copy.deepcopy(model)  # what is released, and so the fixture, is rounded to halves
    with torch.no_grad():
        for weight in whole.parameters():
            weight.mul_(1.0001)
    for name, network in (("whole", whole), ("rounded", model)):
        (tmp_path / name).mkdir()
        export_onnx(network, prompter.prefix_ids(model.config.num_visual_tokens), tmp_path / name)
    for file in (VIDEO_ENCODER_FILE, DECODER_FILE):
        before, after = ((tmp_path / name / file).stat().st_size for name in ("whole", "rounded"))
        assert after < 0.65 * before


@pytest.fixture(scope="module")
def shared_weights(
    model: FineVQ, prompter: NanoPrompter, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder whose graphs refer to its safetensors file, as a release has them."""
    folder = tmp_path_factory.mktemp("once")
    halves = {name: weight.detach().half() for name, weight in model.named_parameters()}
    save_file(halves, folder / WEIGHTS_FILE)
    prefix_ids = prompter.prefix_ids(model.config.num_visual_tokens)
    export_onnx(model, prefix_ids, folder, weights=folder / WEIGHTS_FILE)
    return folder


def test_weights_that_the_folder_holds_already_are_not_held_again(
    model: FineVQ, prompter: NanoPrompter, exported: Path, shared_weights: Path
):
    sizes = [
        sum((folder / file).stat().st_size for file in (VIDEO_ENCODER_FILE, DECODER_FILE))
        for folder in (shared_weights, exported)
    ]
    assert sizes[0] < 0.15 * sizes[1]
    suffix = prompter.suffix_ids(questions.most())
    pixels = _pixels(model)
    readings = []
    for folder in (shared_weights, exported):
        engine = OnnxEngine(folder)
        readings.append(engine.read_suffixes(engine.read_video(pixels), [suffix]))
    once, alone = readings
    np.testing.assert_array_equal(once.logits, alone.logits)
    np.testing.assert_array_equal(once.scores, alone.scores)


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_graphs_without_the_weights_that_they_refer_to_are_a_checkpoint_error(
    damage: str, shared_weights: Path, tmp_path: Path
):
    folder = shutil.copytree(shared_weights, tmp_path / "damaged")
    weights = folder / WEIGHTS_FILE
    if damage == "missing":
        weights.unlink()
    else:
        weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match=r"video_encoder\.onnx cannot be loaded"):
        OnnxEngine(folder)
