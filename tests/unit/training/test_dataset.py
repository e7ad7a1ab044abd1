import json
from pathlib import Path

import numpy as np
import pytest
import torch

from finevq.model.presets import internvl2_8b, nano
from finevq.prompts import questions
from finevq.records import VideoInputConfig
from finevq.settings import Settings
from finevq.training.dataset import (
    InstructionDataset,
    LoadedVideo,
    OnceRead,
    SkippedVideo,
    SkippedVideos,
    collate,
    image_inputs,
    make_loader,
    motion_inputs,
)
from finevq.training.decoded_cache import DecodedCache
from finevq.training.records import InstructionRecord
from finevq.video.inputs import Pixels
from finevq.video.transforms import normalize
from finevq.vocabulary import DIMENSIONS, Dimension

SAMPLE = Path(__file__).parents[3] / "examples/media/sample.mp4"
CPU = torch.device("cpu")
NANO = nano(vocabulary_size=10, context_token_id=3)
SMALL = VideoInputConfig(num_frames=2, view_sizes=(32,), motion="none")


def _record(video: Path, dimension: Dimension = Dimension.OVERALL) -> InstructionRecord:
    return InstructionRecord(
        id=f"{video.name}/{dimension}",
        video=video,
        group=video.name,
        split="train",
        question=questions.rating(dimension),
    )


def _dataset(tmp_path: Path, *, group_videos: bool = False) -> InstructionDataset:
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    records = [
        _record(SAMPLE),
        _record(bad),
        _record(SAMPLE, Dimension.BLUR),
        _record(bad, Dimension.BLUR),
    ]
    cache = DecodedCache(tmp_path / "kept", SMALL, Settings(isolate_decoder=False))
    return InstructionDataset(records, cache, group_videos=group_videos)


def _loaded(index: int, num_motion: int = 64) -> LoadedVideo:
    generator = np.random.default_rng(index)

    def frames(*shape: int) -> np.ndarray:
        return generator.integers(0, 256, (*shape, 3), dtype=np.uint8)

    pixels = Pixels(
        views=(frames(8, 16, 16), frames(8, 24, 24)),
        motion=frames(num_motion, 12, 12),
        start_seconds=0,
        end_seconds=1,
    )
    return LoadedVideo(index, (_record(Path(f"{index}.mp4")),), pixels)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.full)])
def test_a_bad_video_makes_a_batch_smaller_and_is_named(tmp_path: Path, workers: int):
    dataset = _dataset(tmp_path)
    batches = list(make_loader(dataset, batch_size=2, workers=workers))
    assert [len(batch) for batch in batches] == [1, 1]
    assert [batch.indices for batch in batches] == [(0,), (2,)]
    assert [batch.skipped[0].index for batch in batches] == [1, 3]
    assert batches[0].skipped[0].record_ids == ("bad.mp4/overall",)
    assert "VideoDecodeError" in batches[0].skipped[0].reason
    assert torch.equal(batches[0].views[0], batches[1].views[0])


def test_a_batch_of_bad_videos_alone_is_empty(tmp_path: Path):
    (batch,) = make_loader(_dataset(tmp_path), batch_size=2, workers=0, batch_sampler=[[1, 3]])
    assert len(batch) == 0
    assert batch.views == ()
    assert len(batch.skipped) == 2


def test_questions_on_a_video_can_share_it(tmp_path: Path):
    dataset = _dataset(tmp_path, group_videos=True)
    assert len(dataset) == 2
    item, skipped = dataset[0], dataset[1]
    assert isinstance(item, LoadedVideo)
    assert [record.id for record in item.records] == ["sample.mp4/overall", "sample.mp4/blur"]
    assert isinstance(skipped, SkippedVideo)
    assert skipped.record_ids == ("bad.mp4/overall", "bad.mp4/blur")


def test_skipped_videos_are_named_once_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    seen = SkippedVideos()
    for _ in range(2):
        for batch in make_loader(_dataset(tmp_path), batch_size=2, workers=0):
            seen.add(batch.skipped)
    assert len(seen) == 1
    assert len(caplog.records) == 1
    seen.write(tmp_path / "skipped.jsonl")
    (line,) = (tmp_path / "skipped.jsonl").read_text().splitlines()
    assert json.loads(line)["path"] == str(tmp_path / "bad.mp4")


def test_pixels_are_normalised_as_in_use():
    batch = collate([_loaded(0), _loaded(1)])
    whole, detail = image_inputs(batch, NANO, CPU)
    assert whole.shape == (2, 8, 3, 16, 16)
    images = NANO.image_encoder
    expected = normalize(_loaded(1).pixels.views[1], images.mean, images.std)
    assert np.allclose(detail[1].numpy(), expected, atol=1e-5)
    motion = motion_inputs(batch, NANO, CPU)
    assert motion is not None
    assert motion.shape == (2, 4, 3, 16, 12, 12)
    moving = NANO.motion_encoder
    burst = normalize(_loaded(0).pixels.motion[16:32], moving.mean, moving.std)
    assert np.allclose(motion[0, 1].transpose(0, 1).numpy(), burst, atol=1e-5)


def test_videos_of_different_lengths_share_no_batch_when_all_frames_are_read():
    config = internvl2_8b()
    motion = motion_inputs(collate([_loaded(0, 40)]), config, CPU)
    assert motion is not None
    assert motion.shape == (1, 1, 3, 40, 12, 12)
    with pytest.raises(ValueError, match="different lengths"):
        motion_inputs(collate([_loaded(0, 40), _loaded(1, 41)]), config, CPU)


def test_all_dimensions_of_a_video_make_one_item(tmp_path: Path):
    records = [_record(SAMPLE, dimension) for dimension in DIMENSIONS]
    cache = DecodedCache(tmp_path, SMALL, Settings(), 0)
    assert len(InstructionDataset(records, cache, group_videos=True)) == 1
    assert len(InstructionDataset(records, cache)) == 6


def test_known_items_come_with_their_records_and_without_pixels(tmp_path: Path):
    dataset = _dataset(tmp_path)
    known = {0, 2}
    loader = make_loader(
        dataset,
        batch_size=1,
        workers=0,
        batch_sampler=OnceRead([[0, 2], [0, 1]], lambda place: place in known),
    )
    kept, read = list(loader)
    assert (kept.indices, kept.views, kept.motion) == ((0, 2), (), ())
    assert [records[0].id for records in kept.records] == [
        dataset.items[0][0].id,
        dataset.items[2][0].id,
    ]
    # One of the two is not known, so both are asked for; item 1 cannot be read.
    assert read.indices == (0,)
    assert len(read.views[0]) == 1
    assert len(read.skipped) == 1
