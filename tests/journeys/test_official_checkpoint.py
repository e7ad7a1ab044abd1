"""A stranger's official checkpoint folder, on the command line, to answers about a real clip."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from builders.official_checkpoint import OfficialSpec, write_official_folder
from finevq.cli.main import app

CLIP = "skv_carphone_distorted.mp4"


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_official_folder(folder / "official", OfficialSpec(lora_image=2, lora_language=2))
    result = CliRunner().invoke(
        app, ["models", "convert", str(folder / "official"), str(folder / "ours")]
    )
    assert result.exit_code == 0, result.output
    assert "keys loaded" in result.stdout
    assert "LoRA of rank 2 (image) and 2 (language) merged" in result.stdout
    return folder / "ours"


@pytest.mark.full
def test_assess_gives_six_dimensions(converted: Path, clips: Path) -> None:
    result = CliRunner().invoke(
        app, ["assess", str(clips / CLIP), "--model", str(converted), "--json"]
    )
    assert result.exit_code == 0, result.output
    values = json.loads(result.stdout)
    assert values["model"]["name"] == "official"
    assert len(values["dimensions"]) == 6
    for part in values["dimensions"].values():
        assert 0 <= part["score"] <= 200
        assert sum(part["level_probabilities"].values()) == pytest.approx(1, abs=1e-3)


@pytest.mark.full
@pytest.mark.parametrize(
    "question", ["Is there blur in this video?", "What would make a nicer evening, tea or rain?"]
)
def test_ask_answers_known_and_free_questions(converted: Path, clips: Path, question: str) -> None:
    result = CliRunner().invoke(
        app, ["ask", str(clips / CLIP), question, "--model", str(converted)]
    )
    assert result.exit_code == 0, result.output


def test_a_missing_key_stops_the_conversion(tmp_path: Path) -> None:
    folder = tmp_path / "official"
    write_official_folder(folder, OfficialSpec())
    index_path = folder / "model.safetensors.index.json"
    index = json.loads(index_path.read_text())
    lost = index["weight_map"]["mlp1.1.weight"]
    index["weight_map"] = {k: v for k, v in index["weight_map"].items() if v != lost}
    index_path.write_text(json.dumps(index))
    result = CliRunner().invoke(app, ["models", "convert", str(folder), str(tmp_path / "ours")])
    assert result.exit_code == 1
    assert not (tmp_path / "ours").exists()
