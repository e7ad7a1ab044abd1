"""`finevq train`: plans, mistakes, and a run from the command line to an assessment."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from builders.training import write_labelled_clips, write_tiny_model


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    table = write_labelled_clips(tmp_path / "clips", train=4, validation=4)
    model = write_tiny_model(tmp_path / "start")
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'preset = "nano"\n[start]\nmodel = "{model}"\n[data]\nkind = "csv"\npath = "{table}"\n'
        f'tasks = ["rating"]\ncache = "{tmp_path / "cache"}"\nworkers = 0\n'
        "[lora]\nimage_rank = 0\n[steps]\nepochs = 2\nbatch_size = 4\n"
        '[distributed]\ndevice = "cpu"\n'
    )
    return path


def test_a_dry_run_tells_everything_and_does_nothing(finevq, recipe: Path, tmp_path: Path):
    code, out, _ = finevq(
        "train", "stage2", "--config", recipe, "--output", tmp_path / "run", "--dry-run"
    )
    assert code == 0
    shown = json.loads(out[: out.index("what learns")])
    assert shown["steps"]["epochs"] == 2
    assert shown["start"]["model"].endswith("start")
    for text in ("score_head", "steps an epoch", "gradients and optimizer", "GB"):
        assert text in out
    assert not (tmp_path / "run").exists()


def test_a_run_ends_with_a_model_that_assesses(finevq, recipe: Path, tmp_path: Path):
    code, out, err = finevq(
        "train",
        "stage2",
        "--config",
        recipe,
        "--output",
        tmp_path / "run",
        "--set",
        "steps.epochs=1",
    )
    assert code == 0, err
    assert out.strip() == str(tmp_path / "run" / "model")
    assert "step 1/2" in err
    assert "validation after step 2" in err
    assert "srcc" in err
    code, out, err = finevq(
        "assess", tmp_path / "clips" / "clip00.mp4", "--model", tmp_path / "run" / "model", "--json"
    )
    assert code == 0, err
    assert set(json.loads(out)["dimensions"]) >= {"blur", "overall"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "steps.epoch=3"], "did you mean 'epochs'"),
        (["--preset", "papers"], "known: paper, official, nano"),
        (["--set", "start.model=nowhere"], "no such model"),
        (["--resume"], "holds no run to go on with"),
    ],
)
def test_mistakes_are_said_in_one_line(
    finevq, recipe: Path, tmp_path: Path, arguments: list[str], message: str
):
    code, out, err = finevq(
        "train", "stage1", "--config", recipe, "--output", tmp_path / "run", *arguments
    )
    assert code == 1
    assert out == ""
    assert message in err
    assert "Traceback" not in err


def test_a_recipe_of_another_stage_is_refused(finevq, tmp_path: Path):
    path = tmp_path / "recipe.toml"
    path.write_text('stage = "qa"\n')
    code, _, err = finevq("train", "stage1", "--config", path, "--output", tmp_path / "run")
    assert code == 1
    assert "run: finevq train qa" in err
