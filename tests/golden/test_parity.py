"""The parity script on the goldens: the cheap cases always, all of them with -m slow."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import parity
import pytest
from fill import filled, network_input


@pytest.fixture(scope="module")
def folder(shared: Path) -> Path:
    return shared / "goldens" / "finevq"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["parity.py", *map(str, arguments)])
    return parity.main()


def test_the_fill_rule_gives_the_recorded_values(shared: Path) -> None:
    recorded = json.loads((shared / "goldens" / "fill_check.json").read_text())
    for kind, function in (("fill", filled), ("input", network_input)):
        for name, entry in recorded[kind].items():
            values = function(name, entry["shape"]).reshape(-1)
            np.testing.assert_allclose(values[:4], entry["first4"], rtol=1e-6)
            np.testing.assert_allclose(values[-2:], entry["last2"], rtol=1e-6)


@pytest.mark.full
@pytest.mark.parametrize(
    ("golden", "manifest", "case"),
    [
        ("golden_small.json", "manifest_small.json", "qa_lora_llm16"),
        ("golden_small.json", "manifest_small.json", "stage2_lora"),
        ("golden_small.json", "manifest_small.json", "infer_one_frame"),
        ("golden_slowfast.json", "manifest_slowfast.json", "T34_224"),
        ("golden_slowfast.json", "manifest_slowfast.json", "T8_224_train_variant"),
    ],
)
def test_official_numbers_are_met(
    folder: Path, monkeypatch: pytest.MonkeyPatch, golden: str, manifest: str, case: str
) -> None:
    assert run(monkeypatch, folder / golden, folder / manifest, "--case", case) == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("golden", "manifest"),
    [
        ("golden_small.json", "manifest_small.json"),
        ("golden_slowfast.json", "manifest_slowfast.json"),
    ],
)
def test_all_official_numbers_are_met(
    folder: Path, monkeypatch: pytest.MonkeyPatch, golden: str, manifest: str
) -> None:
    assert run(monkeypatch, folder / golden, folder / manifest) == 0


def test_data_facts_are_met(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, folder / "golden_data.json") == 0


def test_a_wrong_number_fails(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    golden: dict[str, Any] = json.loads((folder / "golden_slowfast.json").read_text())
    golden["cases"] = {"T8_224_train_variant": golden["cases"]["T8_224_train_variant"]}
    golden["cases"]["T8_224_train_variant"]["digest"]["value"][3] += 2e-4
    changed = tmp_path / "golden.json"
    changed.write_text(json.dumps(golden))
    assert run(monkeypatch, changed, folder / "manifest_slowfast.json") == 1
    assert "FAILED" in capsys.readouterr().out


def test_the_lora_manifest_of_another_width_follows_from_the_plain_one(folder: Path) -> None:
    plain = json.loads((folder / "manifest_full_width.json").read_text())
    adapted = json.loads((folder / "manifest_full_width_lora.json").read_text())
    path = folder / "manifest_full_width.json"
    wanted = {name: tuple(shape) for name, shape, _ in adapted}
    ranks = {"vision_model": 8, "language_model": 8}
    for source in (plain, adapted):
        assert parity.official_shapes(source, path, "infer_lora", ranks) == wanted
    no_ranks = {"vision_model": 0, "language_model": 0}
    bare = {name: tuple(shape) for name, shape, _ in plain}
    assert parity.official_shapes(adapted, path, "infer", no_ranks) == bare
