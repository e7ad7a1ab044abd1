"""The encoder stage on a handful of made pictures: it learns, resumes, and leaves statistics."""

import copy

import cv2
import numpy as np
import pytest
import torch

from finevq.errors import DatasetError
from finevq.model.config import ImageEncoderConfig
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.records import VideoInputConfig
from finevq.settings import Settings
from finevq.training.config import EncoderStageConfig
from finevq.training.encoder_stage import StillSets, train_encoder
from finevq.training.samples import TrainingSample
from finevq.training.stills import read_stills
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, Dimension

IMAGES = ImageEncoderConfig(kind="efficientnet_lite2")
VIDEO = VideoInputConfig(
    num_frames=8, views=("whole", "detail"), view_sizes=(64, 96), motion="bursts", motion_size=32
)
STAGE = EncoderStageConfig(
    rounds=2, steps_per_round=4, batch_size=6, human_batch_size=3, crop=64, learning_rate=1e-3
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Sharp pictures, and blurred ones that are labelled so; two are photographs with opinions."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    made = []
    for index in range(12):
        picture = cv2.resize(rng.integers(0, 256, (60, 80, 3)).astype(np.uint8), (160, 120))
        severity = 0.8 * (index % 2)
        if severity:
            picture = cv2.GaussianBlur(picture, (0, 0), 6)
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), picture)
        is_photograph = index >= 8
        mos = dict.fromkeys(DIMENSIONS, 74.0 - 60.0 * severity)
        made.append(
            TrainingSample(
                path=str(path),
                group=path.name,
                split="train",
                mos={Dimension.OVERALL: mos[Dimension.OVERALL]} if is_photograph else mos,
                severities=None if is_photograph else {"gaussian blur": severity},
                dimension_severities=None
                if is_photograph
                else {**dict.fromkeys(FAULT_DIMENSIONS, 0.0), Dimension.BLUR: severity},
            )
        )
    return made


def read(samples, folder, **changes):
    options = {"crops": 2, "workers": 1, **changes}
    return read_stills(samples, VIDEO, folder, Settings(), **options)


@pytest.fixture(scope="module")
def sets(samples, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    clips, photographs = read(samples[:8], folder), read(samples[8:], folder)
    return StillSets(
        clips=clips,
        photographs=photographs,
        validation_clips=clips,
        validation_photographs=photographs,
    )


def trained(sets, state, stage=STAGE):
    torch.manual_seed(0)
    encoder = EfficientNetEncoder(IMAGES.kind, IMAGES.mean, IMAGES.std)
    before = copy.deepcopy(encoder.state_dict())
    history = train_encoder(encoder, IMAGES, sets, stage, seed=3, state=state)
    return encoder, before, history


def test_pictures_are_decoded_once_and_bad_ones_left_out(samples, tmp_path, caplog):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    bad = TrainingSample(path=str(broken), group="broken", split="train", mos={})
    first = read([samples[0], bad, samples[1]], tmp_path)
    assert [sample.path for sample in first.samples] == [samples[0].path, samples[1].path]
    assert first.whole.shape == (2, 64, 64, 3)
    assert first.detail.shape == (2, 2, 96, 96, 3)
    assert "broken.png" in caplog.text
    again = read([samples[0], bad, samples[1]], tmp_path)
    assert np.array_equal(first.detail, again.detail)


def test_no_picture_at_all_is_an_error(tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    bad = TrainingSample(path=str(broken), group="broken", split="train", mos={})
    with pytest.raises(DatasetError, match="none of 1 pictures"):
        read([bad], tmp_path)


def test_weights_learn_and_normalization_statistics_stay(sets, tmp_path):
    encoder, before, history = trained(sets, tmp_path / "state.pt")
    after = encoder.state_dict()
    statistics = [name for name in after if "running" in name]
    assert statistics
    assert all(torch.equal(before[name], after[name]) for name in statistics)
    assert not torch.equal(before["stem.0.weight"], after["stem.0.weight"])
    assert len(history) == STAGE.rounds
    assert history[-1]["loss"] < history[0]["loss"]


def test_an_interrupted_run_ends_as_an_uninterrupted_one(sets, tmp_path, monkeypatch):
    whole, _, expected = trained(sets, tmp_path / "whole.pt")

    from finevq.training.state import EpochState

    save = EpochState.save

    def stop(self, epoch):
        save(self, epoch)
        raise KeyboardInterrupt

    monkeypatch.setattr(EpochState, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        trained(sets, tmp_path / "parts.pt")
    monkeypatch.undo()
    parts, _, history = trained(sets, tmp_path / "parts.pt")
    assert history == expected
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, parts.state_dict()[name]), name
