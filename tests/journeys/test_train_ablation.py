"""`finevq train ablation` and `finevq train export`, on a tiny model and tiny videos."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from builders.training import DrawnClips, write_labelled_clips, write_tiny_model
from finevq.model.checkpoint import load_model
from finevq.model.finevq import FineVQ
from finevq.model.folder import read_config, write_config
from finevq.training.dataset import LoadedVideo, collate, image_inputs, motion_inputs

# The exporter of ONNX graphs warns about itself.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    table = write_labelled_clips(tmp_path / "clips", train=4, validation=7)
    # The last four are for testing; one of them is no video at all.
    rows = table.read_text().splitlines()
    table.write_text("\n".join([*rows[:8], *(row.replace("val", "test") for row in rows[8:])]))
    (tmp_path / "clips" / "clip02.mp4").write_text("no video")
    model = write_tiny_model(tmp_path / "start")
    config = read_config(model)
    # A single slow frame is more than the exported graph of the motion encoder can sample.
    write_config(replace(config, video=replace(config.video, burst_frames=8)), model)
    path = tmp_path / "ablation.toml"
    path.write_text(
        'seeds = [0, 1]\nvariants = ["spatial", "both-lora-8"]\nkeeps_weights = true\n'
        '[stage]\npreset = "nano"\n'
        f'[stage.start]\nmodel = "{model}"\n'
        f'[stage.data]\nkind = "csv"\npath = "{table}"\ntasks = ["rating"]\n'
        f'group_videos = true\ncache = "{tmp_path / "cache"}"\nworkers = 0\n'
        "[stage.steps]\nepochs = 1\nbatch_size = 4\n"
        '[stage.distributed]\ndevice = "cpu"\n'
    )
    return path


def _score(model: FineVQ) -> torch.Tensor:
    """Read one drawn clip through the whole model."""
    batch = collate([LoadedVideo(0, (), DrawnClips(model.config.video).load(Path("a.mp4")))])
    cpu = torch.device("cpu")
    with torch.no_grad():
        images = model.encode_images(image_inputs(batch, model.config, cpu))
        motion = motion_inputs(batch, model.config, cpu)
        assert motion is not None
        visual = model.project(images, model.encode_motion(motion))
        return model.score(model(visual).hidden[:, -1])


@pytest.mark.full
def test_an_ablation_makes_tables_and_its_runs_can_be_exported(
    finevq, recipe: Path, tmp_path: Path
):
    out = tmp_path / "out"
    code, shown, err = finevq("train", "ablation", "--config", recipe, "--output", out)
    assert code == 0, err
    assert "run 4 of 4: spatial + motion + both LoRA 8, seed 1" in err
    for text in ("spatial + motion + both LoRA 8", "4 test videos", "seeds 0, 1", "1 epochs"):
        assert text in shown
    assert (out / "ablation.png").read_bytes().startswith(b"\x89PNG")
    assert "<table" in (out / "report.html").read_text()
    predictions = sorted((out / "runs").rglob("predictions.csv"))
    before = [path.stat().st_mtime_ns for path in predictions]
    assert len(before) == 4
    run_folder = out / "runs/both-lora-8/seed-0"
    assert "clip02.mp4" in (run_folder / "skipped.jsonl").read_text()

    # Done runs are not done again; tables are made from what is there.
    code, again, _ = finevq("train", "ablation", "--config", recipe, "--output", out)
    assert code == 0
    assert again == shown
    assert [path.stat().st_mtime_ns for path in predictions] == before
    code, _, err = finevq(
        *("train", "ablation", "--config", recipe, "--output", out),
        *("--set", "stage.steps.epochs=2"),
    )
    assert code == 1
    assert "other settings (stage.steps.epochs)" in err

    merged, kept = tmp_path / "merged", tmp_path / "kept"
    code, listed, err = finevq("train", "export", run_folder, merged, "--onnx")
    assert code == 0, err
    assert {Path(name).name for name in listed.split()} >= {
        *("model.safetensors", "decoder.onnx", "video_encoder.onnx", "tokenizer.json"),
        *("README.md", "SHA256SUMS", "run.json", "training_config.json", "metrics.json"),
        "skipped.jsonl",
    }
    assert not (merged / "adapter").exists()
    assert finevq("train", "export", run_folder, kept, "--lora", "keep")[0] == 0
    assert (kept / "adapter" / "adapter_model.safetensors").is_file()
    plain, adapted = load_model(merged), load_model(kept)
    assert not [name for name, _ in plain.named_parameters() if "lora" in name]
    assert torch.allclose(_score(plain), _score(adapted), atol=1e-3)
    for line in (merged / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((merged / name).read_bytes()).hexdigest() == digest

    card = (merged / "README.md").read_text()
    facts = json.loads((run_folder / "run.json").read_text())
    metrics = json.loads((run_folder / "model" / "metrics.json").read_text())
    assert facts["data"]["train"]["hash"] in card
    assert f"{metrics['history'][-1]['error']:.4f}" in card
    assert "unreadable: 1 (skipped.jsonl names them)" in card
    assert "merged into the weights" in card

    code, answer, err = finevq(
        "assess", tmp_path / "clips" / "clip01.mp4", "--model", merged, "--json"
    )
    assert code == 0, err
    assert np.isfinite(json.loads(answer)["dimensions"]["overall"]["score"])
    code, _, err = finevq("train", "export", run_folder, merged)
    assert code == 1
    assert "is not empty" in err
    code, _, err = finevq("train", "export", out / "runs/spatial/seed-0", tmp_path / "x", "--onnx")
    assert code == 1
    assert "motion = none runs on torch" in err
    code, _, err = finevq("train", "export", tmp_path, tmp_path / "y")
    assert code == 1
    assert "finish it with --resume" in err


def test_a_plan_shows_what_each_row_trains(finevq, recipe: Path, tmp_path: Path):
    code, out, _ = finevq("train", "ablation", "--config", recipe, "--output", "o", "--dry-run")
    assert code == 0
    assert "what each row trains" in out
    assert not Path("o").exists()
    code, _, err = finevq(
        *("train", "ablation", "--config", recipe, "--output", "o"), *("--set", "seds=[1]")
    )
    assert code == 1
    assert "did you mean 'seeds'" in err
