"""The installed command with the released model on real files, as a user runs it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from conftest import ROOT, skip_or_fail
from finevq.vocabulary import DIMENSIONS, levels_of

pytestmark = pytest.mark.full

DESCRIBE = "Please describe the quality of this video in detail."
MOST = "Which distortion has the most impact on the quality of this video?"


@pytest.fixture(autouse=True)
def _released_model() -> None:
    if not (ROOT / "src" / "finevq" / "model" / "nano" / "decoder.onnx").is_file():
        skip_or_fail("the weights of nano are not in src/finevq/model/nano")


def finevq(
    *arguments: str, folder: Path, package: Path = ROOT / "src"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from finevq.cli.main import run; run()", *arguments],
        capture_output=True,
        text=True,
        timeout=280,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(package)},
    )


def test_videos_pictures_and_what_is_neither(clips: Path, tmp_path: Path):
    (tmp_path / "text.mp4").write_text("This is no video.\n" * 100)
    (tmp_path / "empty.mp4").write_bytes(b"")
    names = [
        str(clips / "ffw_video-1s.mp4"),
        "text.mp4",
        str(clips / "koniq_6898804586.jpg"),
        "empty.mp4",
        "lost.mp4",
    ]
    done = finevq("assess", *names, "--json", "--timeline", "--html", "r.html", folder=tmp_path)
    values = [json.loads(line) for line in done.stdout.splitlines()]
    assert [value["video"] for value in values] == names
    assert ["error" in value for value in values] == [False, True, False, True, True]
    for value in (values[0], values[2]):
        assert value["model"]["name"] == "nano"
        assert list(value["dimensions"]) == [str(dimension) for dimension in DIMENSIONS]
        for dimension in DIMENSIONS:
            part = value["dimensions"][dimension]
            assert 0 <= part["score"] <= 100
            assert list(part["level_probabilities"]) == list(levels_of(dimension))
            assert sum(part["level_probabilities"].values()) == pytest.approx(1, abs=0.001)
            assert part["level"] == max(
                part["level_probabilities"], key=lambda level: part["level_probabilities"][level]
            )
        assert value["timeline"]
    assert values[1]["error"]["type"] == "VideoDecodeError"
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 9  # eight frames of the video, the picture once
    assert "3 could not be assessed" in page


def test_questions_are_answered_in_words_and_others_refused(clips: Path, tmp_path: Path):
    video = str(clips / "ffw_video-1s.mp4")
    done = finevq("ask", video, MOST, folder=tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip()
    done = finevq("ask", video, "Who directed it?", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "it answers questions like" in done.stderr
    assert MOST in done.stderr


def test_models_lists_the_installed_weights(tmp_path: Path):
    (nano,) = [
        value
        for value in map(
            json.loads, finevq("models", "--json", folder=tmp_path).stdout.splitlines()
        )
        if value["name"] == "nano"
    ]
    assert nano["is_installed"]
    assert nano["num_bytes"] > 1_000_000
    assert nano["version"]
    assert (Path(nano["location"]) / "config.json").is_file()


def test_descriptions_say_what_the_closed_answers_say(clips: Path, tmp_path: Path):
    names = ["skv_carphone_distorted.mp4", "ffw_video-1s.avi", "lsvq_17890_reenc.mp4"]
    done = finevq("assess", *(str(clips / name) for name in names), "--json", folder=tmp_path)
    for value in map(json.loads, done.stdout.splitlines()):
        parts, text = value["dimensions"], value["description"]
        assert f"is {parts['overall']['level']}," in text
        assert f"the {value['most_impactful']} distortion" in text
        estimates = [one for part in parts.values() for one in part.get("attributes", [])]
        kinds = parts[value["most_impactful"]]["attributes"]
        worst = next((kind for kind in kinds if kind["present"]), kinds[0])["name"]
        assert f"especially the {worst}." in text
        _, _, further = text.partition("There is also ")
        said = further.rstrip(".").split(" and ") if further else []
        present = {one["name"] for one in estimates if one["present"]} - {worst}
        assert len(said) == len(set(said)) == min(len(present), 2)
        assert set(said) <= present
        asked = finevq("ask", value["video"], DESCRIBE, folder=tmp_path)
        assert " ".join(asked.stdout.split()) == text


def test_a_wheel_carries_the_weights_that_its_graphs_refer_to(clips: Path, tmp_path: Path):
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, str(ROOT), "--wheel-dir", str(tmp_path)], check=True, timeout=120)
    (wheel,) = tmp_path.glob("finevq-*.whl")
    assert wheel.stat().st_size < 24 * 2**20
    package = tmp_path / "package"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(package)
    asked = ("assess", str(clips / "koniq_6898804586.jpg"), "--json")
    here, there = (
        json.loads(finevq(*asked, folder=tmp_path, package=place).stdout)
        for place in (ROOT / "src", package)
    )
    assert here["dimensions"] == there["dimensions"]
