import json
from pathlib import Path

import pytest

from finevq.config import load_config, save_config
from finevq.errors import ConfigError
from finevq.training.config import NanoTrainingConfig


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text('seed = 3\n[data]\nmanifest = "m.jsonl"\n[joint]\nepochs = 2\n')
    return path


def test_a_file_fills_the_tree_and_the_rest_is_defaults(recipe: Path):
    config = load_config(NanoTrainingConfig, recipe)
    assert (config.seed, config.joint.epochs, config.data.manifest) == (3, 2, Path("m.jsonl"))
    assert config.data.human is None


def test_overrides_win(recipe: Path):
    config = load_config(
        NanoTrainingConfig, recipe, ["joint.learning_rate=1e-5", "data.human=x", "motion.epochs=7"]
    )
    assert config.joint.learning_rate == 1e-5
    assert config.data.human == Path("x")
    assert config.motion.epochs == 7


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("joint.epoch=2", "unknown key 'joint.epoch'; did you mean 'epochs'"),
        ("joint.epochs=many", "joint.epochs = 'many': expected int"),
        ("joint.epochs", "not of the form"),
        ("seed.x=1", "is a value, not a part"),
        ("zzz=1", "known: data"),
    ],
)
def test_a_wrong_override_is_explained(recipe: Path, override: str, message: str):
    with pytest.raises(ConfigError, match=message.replace(".", r"\.")):
        load_config(NanoTrainingConfig, recipe, [override])


def test_a_missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(NanoTrainingConfig, tmp_path / "none.toml")


def test_a_missing_required_field_is_an_error(tmp_path: Path):
    (tmp_path / "r.toml").write_text("[data]\n")
    with pytest.raises(ConfigError, match="manifest"):
        load_config(NanoTrainingConfig, tmp_path / "r.toml")


def test_the_resolved_config_is_saved_as_json(recipe: Path, tmp_path: Path):
    save_config(load_config(NanoTrainingConfig, recipe), tmp_path / "c.json")
    assert json.loads((tmp_path / "c.json").read_text())["joint"]["epochs"] == 2
