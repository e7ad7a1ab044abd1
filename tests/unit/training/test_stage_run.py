"""Whole runs: from a table of videos to a model folder; killed, resumed, shared by processes."""

import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from builders.official_checkpoint import OfficialSpec, write_official_folder
from builders.training import write_labelled_clips, write_tiny_model
from conftest import ROOT
from finevq.errors import ConfigError, DatasetError, ModelNotFoundError, TrainingError
from finevq.inference.torch_loading import TorchOptions, load_torch_model
from finevq.model.config import MotionEncoderConfig
from finevq.model.lora import lora_parameters
from finevq.model.motion_encoder import MotionEncoder
from finevq.settings import Settings
from finevq.training.checkpoints import BEST_FILE, LAST_FILE, load_last
from finevq.training.journal import STEPS_FILE, VALIDATION_FILE, read_rows
from finevq.training.outcome import load_best
from finevq.training.presets import preset
from finevq.training.run_lock import locked
from finevq.training.stage_data import check_usable, read_records
from finevq.training.stage_run import CONFIG_FILE, plan_stage, train_stage
from finevq.training.stages import StageConfig
from finevq.training.start import read_trained

TIMES = ("seconds", "waiting_seconds")
IN_PROCESS = Settings(isolate_decoder=False)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_labelled_clips(tmp_path_factory.mktemp("clips"), train=7, validation=5)


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("start"))


@pytest.fixture
def config(table: Path, start: Path, tmp_path: Path) -> StageConfig:
    """Ratings of overall and blur of seven clips, in steps of four: the last one is short."""
    base = preset("joint", "nano")
    return replace(
        base,
        start=replace(base.start, model=str(start)),
        data=replace(
            base.data, kind="csv", path=table, tasks=("rating",), cache=tmp_path / "c", workers=0
        ),
        lora=replace(base.lora, language_rank=4, dropout=0.1),
        parts=replace(base.parts, language_model=False),
        steps=replace(base.steps, epochs=3, batch_size=4, micro_batch_size=1, seed=3),
        validation=replace(base.validation, every_steps=3, save_every_steps=2),
        distributed=replace(base.distributed, device="cpu"),
    )


def curve(folder: Path, name: str = STEPS_FILE) -> list[dict[str, str]]:
    return [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in read_rows(folder / name)
    ]


def test_a_run_leaves_a_model_that_loads_like_any_other(config: StageConfig, tmp_path: Path):
    config = replace(
        config,
        lora=replace(config.lora, alpha_per_rank=4.0),
        steps=replace(config.steps, epochs=1),
    )
    folder = train_stage(config, tmp_path / "run", IN_PROCESS)
    assert folder == tmp_path / "run" / "model"
    best = load_best(config, tmp_path / "run").model
    loaded, _ = load_torch_model(folder, TorchOptions(device="cpu"))
    assert loaded.config.version == "0+joint"
    # Stored adapters are read with alpha = 2 r: B carries the rest.
    ours, theirs = dict(lora_parameters(best)), dict(lora_parameters(loaded))
    assert set(ours) == set(theirs)
    for name, value in ours.items():
        factor = 2.0 if ".lora_B." in name else 1.0
        torch.testing.assert_close(theirs[name], value * factor)
    embeds = torch.randn(1, 6, 32)
    torch.testing.assert_close(loaded(embeds).hidden, best(embeds).hidden, atol=1e-5, rtol=1e-4)
    saved = json.loads((tmp_path / "run" / CONFIG_FILE).read_text())
    assert saved["lora"]["alpha_per_rank"] == 4.0
    learnt = dict(read_trained(tmp_path / "run" / BEST_FILE))
    assert set(learnt) == set(load_last(tmp_path / "run").trained)


def test_the_next_stage_starts_from_the_run_before(config: StageConfig, tmp_path: Path):
    short = replace(config, steps=replace(config.steps, epochs=1))
    train_stage(short, tmp_path / "first", IN_PROCESS)
    second = replace(short, start=replace(short.start, model=str(tmp_path / "first")))
    plan = plan_stage(second)
    assert plan.parameters["score_head"][0] > 0
    train_stage(second, tmp_path / "second", IN_PROCESS)
    first_loss, second_loss = (
        float(curve(tmp_path / name)[0]["token_loss"]) for name in ("first", "second")
    )
    assert second_loss != first_loss


def test_a_folder_with_a_run_is_neither_overwritten_nor_mixed(config: StageConfig, tmp_path: Path):
    output = tmp_path / "run"
    with pytest.raises(TrainingError, match="holds no run to go on with"):
        train_stage(config, output, IN_PROCESS, resume=True)
    train_stage(replace(config, steps=replace(config.steps, epochs=1)), output, IN_PROCESS)
    with pytest.raises(ConfigError, match="holds a run already: go on with --resume"):
        train_stage(config, output, IN_PROCESS)
    with pytest.raises(ConfigError, match=r"steps\.epochs = 1, now it is 3"):
        train_stage(config, output, IN_PROCESS, resume=True)


def test_what_a_stage_cannot_start_from_or_learn_from_is_said(config: StageConfig, tmp_path: Path):
    nowhere = replace(config, start=replace(config.start, model=str(tmp_path / "nowhere")))
    with pytest.raises(ModelNotFoundError, match="no such model; give 'nano'"):
        plan_stage(nowhere)
    untaught = replace(config, data=replace(config.data, tasks=("describe",)))
    with pytest.raises(DatasetError, match="no train record that joint learns from"):
        plan_stage(untaught)
    misspelt = replace(config, data=replace(config.data, tasks=("rate",)))
    with pytest.raises(ConfigError, match="'rate' is none of rating, scoring"):
        plan_stage(misspelt)


def test_a_folder_takes_one_run_at_a_time(config: StageConfig, tmp_path: Path):
    output = tmp_path / "run"
    output.mkdir()
    with (
        locked(output),
        pytest.raises(ConfigError, match="another process trains into"),
    ):
        train_stage(config, output, IN_PROCESS)
    with locked(output):  # free again
        pass


@pytest.mark.parametrize(
    ("part", "name", "value", "message"),
    [
        ("steps", "batch_size", 0, r"steps\.batch_size = 0: give more than 0"),
        ("steps", "epochs", -1, r"steps\.epochs = -1: give more than 0"),
        ("optimizer", "learning_rate", math.nan, r"learning_rate = nan: give 0 or more"),
        ("optimizer", "warmup_share", 3.0, r"warmup_share = 3\.0: give a share"),
        ("lora", "language_rank", -3, r"lora\.language_rank = -3: give 0 or more"),
        ("inputs", "image_drop_path", 1.5, r"image_drop_path = 1\.5: give a share"),
    ],
)
def test_numbers_that_make_no_sense_are_said_first(
    config: StageConfig, tmp_path: Path, part: str, name: str, value: float, message: str
):
    wrong = replace(config, **{part: replace(getattr(config, part), **{name: value})})
    with pytest.raises(ConfigError, match=message):
        plan_stage(wrong)
    with pytest.raises(ConfigError, match=message):
        train_stage(wrong, tmp_path / "run", IN_PROCESS)
    assert not (tmp_path / "run").exists()


def test_data_that_cannot_end_well_is_said_before_anything_is_trained(
    config: StageConfig, caplog: pytest.LogCaptureFixture
):
    records = read_records(config)
    check_usable(records, config)
    gone = {
        split: [replace(r, video=Path("/nowhere") / r.video.name) for r in found]
        for split, found in records.items()
    }
    with pytest.raises(DatasetError, match=r"none of the 7 train videos of .* exists, first"):
        check_usable(gone, config)
    some = {**records, "train": [gone["train"][0], *records["train"][1:]]}
    check_usable(some, config)
    assert "1 of 8 train videos do not exist and will be skipped" in caplog.text
    few = {**records, "validation": records["validation"][:3]}
    with pytest.raises(DatasetError, match=r"'srcc' needs a score head and 3 validation videos"):
        check_usable(few, config)
    silent = {**records, "validation": [replace(r, answer="") for r in records["validation"]]}
    by_words = replace(config, validation=replace(config.validation, select_by="accuracy"))
    with pytest.raises(DatasetError, match="no validation record has an answer"):
        check_usable(silent, by_words)


def test_a_plan_counts_steps_parameters_and_bytes(config: StageConfig):
    plan = plan_stage(config)
    assert (plan.num_train, plan.num_validation) == (14, 10)
    assert (plan.steps_per_epoch, plan.num_steps, plan.num_validations) == (4, 12, 4)
    learning = sum(part[0] for part in plan.parameters.values())
    assert plan.learning_bytes == 12 * learning
    more = replace(config, steps=replace(config.steps, gradient_checkpointing=True))
    assert plan_stage(more).activation_bytes < plan.activation_bytes


def test_features_that_change_are_not_kept_and_it_is_said(
    config: StageConfig, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    learning = replace(
        config,
        parts=replace(config.parts, motion_encoder=True, image_encoder=True),
        steps=replace(config.steps, epochs=1, batch_size=14, micro_batch_size=0),
        validation=replace(config.validation, every_steps=0),
    )
    assert learning.steps.keeps_features
    train_stage(learning, tmp_path / "run", IN_PROCESS)
    assert "keeps_features has no effect here: both encoders" in caplog.text
    learnt = load_last(tmp_path / "run").trained
    assert any(name.startswith("motion_encoder") for name in learnt)
    assert not any("running" in name for name in learnt)


# --- a tiny model of the paper's shape, from an official folder ---


@pytest.mark.full
def test_the_paper_s_stages_run_from_an_official_checkpoint(table: Path, tmp_path: Path):
    write_official_folder(tmp_path / "base", OfficialSpec(has_score_head=False, has_motion=False))
    torch.manual_seed(0)
    motion = MotionEncoder(MotionEncoderConfig()).state_dict()
    public = {f"blocks.{name.partition('.')[2]}": value for name, value in motion.items()}
    torch.save({"model_state": public}, tmp_path / "slowfast.pyth")

    def run(stage: str, model: Path) -> tuple[StageConfig, Path]:
        base = preset(stage, "official")  # type: ignore[arg-type]
        config = replace(
            base,
            start=replace(base.start, model=str(model), motion_encoder=tmp_path / "slowfast.pyth"),
            data=replace(
                base.data,
                kind="csv",
                path=table,
                tasks=("rating",),
                max_train=2,
                max_validation=3,
                cache=tmp_path / "c",
                workers=0,
            ),
            steps=replace(base.steps, epochs=1, batch_size=2, micro_batch_size=1),
            distributed=replace(base.distributed, device="cpu"),
            validation=replace(base.validation, select_by="loss"),
        )
        output = tmp_path / stage
        folder = train_stage(config, output, IN_PROCESS)
        assert folder is not None
        return config, folder

    _, stage1 = run("stage1", tmp_path / "base")
    trained, _ = load_torch_model(stage1, TorchOptions(device="cpu"))
    for name, value in trained.motion_encoder.state_dict().items():
        assert torch.equal(value, motion[name]), name  # no BatchNorm has drifted
    config, stage2 = run("stage2", stage1)
    learnt = dict(read_trained(tmp_path / "stage2" / BEST_FILE))
    assert any(name.startswith("image_encoder") and ".lora_B." in name for name in learnt)
    assert any(name.startswith("language_model") and ".lora_B." in name for name in learnt)
    model, _ = load_torch_model(stage2, TorchOptions(device="cpu"))
    assert model.config.video.motion == "all_frames"  # as the official code uses it
    assert model.config.motion_encoder.repeat_features == 1
    assert model.config.score_head.final_relu
    _, answering = run("qa", tmp_path / "base")
    model, _ = load_torch_model(answering, TorchOptions(device="cpu"))
    assert model.config.video.motion == "none"
    assert not model.config.has_score_head
    assert config.lora.image_rank == 8


# --- processes of their own ---

COMMAND = [sys.executable, "-m", "finevq"]


def environment(**more: str) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "OMP_NUM_THREADS": "1",
        "FINEVQ_ISOLATE_DECODER": "0",
        **more,
    }


def write_recipe(config: StageConfig, path: Path) -> Path:
    """Write what differs from the preset."""
    lines = [
        'preset = "nano"',
        "[start]",
        f'model = "{config.start.model}"',
        "[data]",
        'kind = "csv"',
        f'path = "{config.data.path}"',
        'tasks = ["rating"]',
        f'cache = "{config.data.cache}"',
        "workers = 0",
        "[lora]",
        f"language_rank = {config.lora.language_rank}",
        f"dropout = {config.lora.dropout}",
        "[parts]",
        "language_model = false",
        "[steps]",
        *(
            f"{name} = {str(getattr(config.steps, name)).lower()}"
            for name in ("epochs", "batch_size", "micro_batch_size", "seed", "keeps_features")
        ),
        "[validation]",
        "every_steps = 3",
        "save_every_steps = 2",
        "[distributed]",
        'device = "cpu"',
        f'mode = "{config.distributed.mode}"',
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


KILLED_WHILE_SAVING = """
import os, signal, sys, torch
from finevq.training import checkpoints
from finevq.cli.main import run
real, saves = torch.save, []
def save(values, path):
    saves.append(path)
    real(values, path)
    if len(saves) == 2:  # in the middle of the second save
        os.truncate(path, os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
checkpoints.torch.save = save
sys.argv[0] = "finevq"
run()
"""


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_run_that_is_killed_twice_equals_one_that_was_not(config: StageConfig, tmp_path: Path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train_stage(config, whole, IN_PROCESS)
    recipe = write_recipe(config, tmp_path / "recipe.toml")
    arguments = ["train", "joint", "--config", str(recipe), "--output", str(cut)]
    # Killed while it writes a checkpoint: what it had before must stand.
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_WHILE_SAVING, *arguments],
        env=environment(),
        capture_output=True,
        timeout=400,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (cut / f"{LAST_FILE}.part").exists()
    assert load_last(cut).progress.step == 2
    # Killed at any moment: here, as soon as it has gone two steps further.
    process = subprocess.Popen(
        [*COMMAND, *arguments, "--resume"], env=environment(), stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 400
    while len(read_rows(cut / STEPS_FILE)) < 5 and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(60)
    train_stage(config, cut, IN_PROCESS, resume=True)
    assert curve(cut) == curve(whole)
    assert curve(cut, VALIDATION_FILE) == curve(whole, VALIDATION_FILE)
    ours, theirs = load_last(cut), load_last(whole)
    assert ours.progress == theirs.progress
    for name, value in theirs.trained.items():
        assert torch.equal(ours.trained[name], value), name
    best = dict(read_trained(cut / BEST_FILE))
    for name, value in read_trained(whole / BEST_FILE):
        assert torch.equal(best[name], value), name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", ["ddp", "fsdp"])
def test_two_processes_learn_what_one_learns(config: StageConfig, tmp_path: Path, mode: str):
    config = replace(
        config,
        lora=replace(config.lora, dropout=0.0),
        steps=replace(config.steps, epochs=2, micro_batch_size=2, keeps_features=mode == "ddp"),
        distributed=replace(config.distributed, mode=mode),  # type: ignore[arg-type]
    )
    one, two = tmp_path / "one", tmp_path / "two"
    # One process reads in a pass what two read together: the ranks of a pass are the same.
    alone = replace(config, steps=replace(config.steps, micro_batch_size=4))
    train_stage(alone, one, IN_PROCESS)
    recipe = write_recipe(config, tmp_path / "recipe.toml")
    launcher = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    done = subprocess.run(
        [
            *launcher,
            f"--master-port={free_port()}",
            "-m",
            "finevq",
            "train",
            "joint",
            "--config",
            str(recipe),
            "--output",
            str(two),
        ],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip() == str(two / "model")  # the first process alone speaks
    for name in (STEPS_FILE, VALIDATION_FILE):
        ours, theirs = curve(two, name), curve(one, name)
        assert len(ours) == len(theirs)
        for mine, reference in zip(ours, theirs, strict=True):
            for column, value in reference.items():
                assert float(mine[column]) == pytest.approx(
                    float(value), rel=1e-4, abs=1e-6, nan_ok=True
                ), (
                    name,
                    column,
                )
    # Validation is of ten records in two processes: none lost, none doubled (the loop checks it).
    assert {row["skipped"] for row in read_rows(two / VALIDATION_FILE)} == {"0.0"}
    assert load_last(two).progress.step == load_last(one).progress.step
