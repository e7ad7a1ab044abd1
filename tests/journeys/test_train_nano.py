"""`finevq train nano`: the whole recipe, tiny, from made pictures to a model that assesses."""

import csv
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from finevq.datasets.sources import find_sources
from finevq.datasets.synthesis import SynthesisConfig, synthesize
from finevq.inference.loading import NANO_FOLDER
from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.settings import Settings
from finevq.training.config import DataConfig, EncoderStageConfig, NanoTrainingConfig
from finevq.training.nano import encoder_sets
from finevq.training.sources import taught_samples
from finevq.vocabulary import DIMENSIONS

pytestmark = [
    pytest.mark.full,
    pytest.mark.timeout(1200),
    # Notes of the TorchScript exporter, and of figures that splits are too small for.
    pytest.mark.filterwarnings("ignore"),
]

TINY = {
    "version": '"tiny"',
    "encoder.rounds": 1,
    "encoder.steps_per_round": 1,
    "encoder_again.rounds": 1,
    "encoder_again.steps_per_round": 1,
    "encoder_again.batch_size": 4,
    "encoder_again.human_batch_size": 4,
    "encoder_long.rounds": 1,
    "encoder_long.steps_per_round": 1,
    "encoder_long.batch_size": 4,
    "encoder_long.human_batch_size": 4,
    "encoder_gentle.rounds": 1,
    "encoder_gentle.steps_per_round": 1,
    "encoder_gentle.batch_size": 4,
    "encoder_gentle.human_batch_size": 4,
    "encoder_final.rounds": 1,
    "encoder_final.steps_per_round": 1,
    "encoder_final.batch_size": 4,
    "encoder_final.human_batch_size": 4,
    "motion.epochs": 1,
    "alignment.epochs": 1,
    "joint.epochs": 2,
    "head.epochs": 1,
    "threads": 1,
}


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Pictures with opinions, and clips and stills made from them."""
    folder = tmp_path_factory.mktemp("nano")
    images = folder / "human" / "images"
    images.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with open(folder / "human" / "mos.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["image", "mos", "mos_std"])
        for index in range(40):
            coarse = rng.integers(0, 256, (30, 40, 3)).astype(np.uint8)
            cv2.imwrite(str(images / f"{index}.png"), cv2.resize(coarse, (200, 150)))
            table.writerow([f"{index}.png", 20 + index, 15])
    sources = find_sources([images], with_scikit_image=False)
    for name, stills, count in (("clips", False, 16), ("stills", True, 24)):
        config = SynthesisConfig(count=count, seed=3, max_short_side=96, stills=stills)
        synthesize(folder / name, sources, config)
    gray = SynthesisConfig(count=32, seed=5, max_short_side=96, stills=True, gray_share=1.0)
    synthesize(folder / "gray", sources, gray)
    further = SynthesisConfig(count=16, seed=7, max_short_side=96, stills=True)
    synthesize(folder / "further", sources, further)
    copies = SynthesisConfig(count=12, seed=4, max_short_side=96, stills=True, copies=3)
    synthesize(folder / "copies", sources, copies)
    clip_copies = SynthesisConfig(count=12, seed=6, max_short_side=96, copies=3)
    synthesize(folder / "clip copies", sources, clip_copies)
    return folder


def test_the_image_encoder_learns_from_the_first_stills_alone(data: Path, tmp_path: Path):
    recipe = NanoTrainingConfig(
        data=DataConfig(
            manifest=data / "clips",
            stills=(data / "stills", data / "gray"),
            cache=tmp_path / "features",
            workers=1,
        ),
        encoder=EncoderStageConfig(max_stills=5),
    )
    model = FineVQ(nano(vocabulary_size=300, context_token_id=0))
    sets = encoder_sets(model, recipe, recipe.encoder, Settings())
    stills = taught_samples(recipe.data.stills, recipe)
    first = [sample for sample in stills if sample.split == "train"][:5]
    assert [sample.path for sample in sets.clips.samples] == [sample.path for sample in first]
    held_back = [sample for sample in stills if sample.split == "validation"]
    assert len(sets.validation_clips) == len(held_back) > 0


def test_the_whole_recipe_ends_with_a_model_that_assesses(finevq, data: Path, tmp_path: Path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'[data]\nmanifest = "{data / "clips"}"\n'
        f'stills = ["{data / "stills"}", "{data / "gray"}"]\n'
        f'further_stills = ["{data / "further"}"]\n'
        f'copies = "{data / "copies"}"\nclip_copies = ["{data / "clip copies"}"]\n'
        f'human = "{data / "human"}"\ncache = "{tmp_path / "features"}"\nworkers = 1\n'
    )
    out = tmp_path / "out"
    changes = [part for name, value in TINY.items() for part in ("--set", f"{name}={value}")]
    command = ["train", "nano", "--config", recipe, "--output", out, *changes]
    code, _, err = finevq(*command)
    assert code == 0, err
    metrics = json.loads((out / "metrics.json").read_text())
    history = {stage: len(rows) for stage, rows in metrics["history"].items()}
    assert history == {
        "encoder": 1,
        "second encoder": 1,
        "third encoder": 1,
        "fourth encoder": 1,
        "fifth encoder": 1,
        "joint": 2,
    }
    assert set(metrics["test_clips"]["srcc_severity"]) <= set(DIMENSIONS)
    unseen, test = metrics["unseen_photographs"], metrics["test_photographs"]
    assert unseen["num_photographs"] > test["num_photographs"]
    assert set(metrics["taught_by_test"]) == {"median", "largest", "srcc"}
    card = (out / "README.md").read_text()
    assert "tiny" in card
    assert "then learnt from the test photographs, too" in card
    sets = metrics["test_stills"]["sets"]
    assert {name for name, part in sets.items() if part["count"]} == {"stills", "gray"}
    assert f"\n| gray | {sets['gray']['count']} |" in card

    video = next((data / "clips" / "clips").glob("*.mp4"))
    code, printed, err = finevq("assess", video, "--model", out, "--json")
    assert code == 0, err
    value = json.loads(printed)
    assert value["model"]["version"] == "tiny"
    assert set(value["dimensions"]) == set(DIMENSIONS)

    # An interrupted run goes on: what is finished is taken, and the result is the same.
    weights = (out / "model.safetensors").read_bytes()
    for name in ("model.safetensors", "metrics.json"):
        (out / name).unlink()
    code, _, err = finevq(*command)
    assert code == 0, err
    assert (out / "model.safetensors").read_bytes() == weights

    # Another run goes on from it: encoders stay, all behind them learns on, people do not select.
    further = tmp_path / "further"
    changes += ["--set", f"start={out}", "--set", "joint.human_batch_size=0"]
    changes += ["--set", "start_share=0.5"]
    all_but_test = ["--set", "data.people_select=false"]
    command = ["train", "nano", "--config", recipe, "--output", further, *changes, *all_but_test]
    code, _, err = finevq(*command)
    assert code == 0, err
    before, after = (load_file(folder / "model.safetensors") for folder in (out, further))
    assert before.keys() == after.keys()
    changed = {name.partition(".")[0] for name in before if not before[name].equal(after[name])}
    # The reader of opinions is fitted anew, on features of the encoder as it was released; that of
    # faults learns on.
    learnt = {"image_projectors", "motion_projector", "language_model", "score_head"}
    assert changed == learnt | {"opinion_reader", "fault_reader"}
    numbers = json.loads((further / "metrics.json").read_text())
    *learnt, mixed = numbers["history"]["joint"]
    assert len(learnt) == 2
    assert mixed["kept"] == 1.0
    assert "human" not in mixed
    assert set(numbers["data"]["photographs"]) == {"train", "test"}
    assert numbers["unseen_photographs"]["num_photographs"] == test["num_photographs"]
    card = (further / "README.md").read_text()
    assert "went on from an earlier nano" in card
    assert "a share of 50 % of these." in card

    # With all of its weights nothing is learnt; they are measured and written anew.
    kept = tmp_path / "kept"
    changes[-1] = "start_share=1"
    changes += ["--set", "version=kept"]
    code, _, err = finevq("train", "nano", "--config", recipe, "--output", kept, *changes)
    assert code == 0, err
    after = load_file(kept / "model.safetensors")
    assert all(before[name].equal(after[name]) for name in before)
    assert (kept / "calibration.json").read_bytes() == (out / "calibration.json").read_bytes()
    measured = json.loads((kept / "metrics.json").read_text())
    assert measured["weights_of"] == "tiny"
    assert measured["taught_by_test"] == metrics["taught_by_test"]
    assert measured["history"] == metrics["history"]
    srcc = [numbers["unseen_photographs"]["srcc"] for numbers in (measured, metrics)]
    assert srcc[0] == pytest.approx(srcc[1], abs=0.05)
    card = (kept / "README.md").read_text()
    assert "All weights are those of version tiny" in card
    code, printed, err = finevq("assess", video, "--model", kept, "--json")
    assert code == 0, err
    again = json.loads(printed)
    assert again["model"]["version"] == "kept"
    assert again["dimensions"] == value["dimensions"]


def test_weights_without_their_numbers_are_not_measured_as_they_are(finevq, tmp_path: Path):
    bare = tmp_path / "bare"
    shutil.copytree(NANO_FOLDER, bare)
    (bare / "metrics.json").unlink()
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'start = "{bare}"\nstart_share = 1\n[data]\nmanifest = "unused"\n')
    code, _, err = finevq("train", "nano", "--config", recipe, "--output", tmp_path / "out")
    assert code != 0
    assert "has no metrics.json" in " ".join(err.split())


def test_a_share_beyond_the_whole_is_refused(finevq, tmp_path: Path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('start_share = 1.5\n[data]\nmanifest = "unused"\n')
    code, _, err = finevq("train", "nano", "--config", recipe, "--output", tmp_path / "out")
    assert code != 0
    assert "start_share is 1.5" in " ".join(err.split())


def test_a_fault_reader_that_would_not_learn_is_refused(finevq, tmp_path: Path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('[data]\nmanifest = "unused"\n[faults]\nepochs = 0\n')
    code, _, err = finevq("train", "nano", "--config", recipe, "--output", tmp_path / "out")
    assert code != 0
    said = " ".join(err.split())
    assert "faults.epochs is 0" in said
    assert "give 1 or more" in said


def test_going_on_from_what_is_no_nano_says_why(finevq, tmp_path: Path):
    start = tmp_path / "other"
    start.mkdir()
    save_file({"image_encoder.stem.0.weight": torch.zeros(3)}, start / "model.safetensors")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f'start = "{start}"\n[data]\nmanifest = "unused"\n')
    code, _, err = finevq("train", "nano", "--config", recipe, "--output", tmp_path / "out")
    assert code != 0
    said = " ".join(err.split())
    assert "does not fit" in said
    assert "same encoders" in said
