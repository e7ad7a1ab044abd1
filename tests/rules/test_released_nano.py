"""What is published with nano's weights says nothing of the machine that trained them."""

import json
import runpy
from pathlib import Path

from conftest import ROOT


def _texts(value):
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [text for part in value for text in _texts(part)]
    return [value] if isinstance(value, str) else []


def test_the_released_configuration_names_no_folder_of_a_disk():
    path = ROOT / "src/finevq/model/nano/training_config.json"
    texts = _texts(json.loads(path.read_text(encoding="utf-8")))
    assert texts
    assert not [text for text in texts if "/" in text or "\\" in text]


def test_releasing_shortens_every_path_of_a_recipe(tmp_path: Path):
    data = {
        "manifest": "/home/me/clips/manifest.jsonl",
        "stills": ["/home/me/stills/manifest.jsonl", "/home/me/more/manifest.jsonl"],
        "further_stills": ["/home/me/further/manifest.jsonl"],
        "copies": "/home/me/copies/manifest.jsonl",
        "clip_copies": ["/home/me/clip-copies/manifest.jsonl"],
        "human": "/home/me/live",
        "cache": "/home/me/cache",
    }
    text = json.dumps({"data": data, "start": "/home/me/nano"})
    (tmp_path / "training_config.json").write_text(text, encoding="utf-8")
    configuration = runpy.run_path(str(ROOT / "dev/release_nano.py"))["configuration"]
    values = json.loads(configuration(tmp_path))
    assert values["data"]["stills"] == ["stills", "more"]
    assert values["data"]["further_stills"] == ["further"]
    assert values["data"]["clip_copies"] == ["clip-copies"]
    assert not [text for text in _texts(values) if "/" in text]
