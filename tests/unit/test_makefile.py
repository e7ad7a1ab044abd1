"""What `make nano` would run, and what it refuses; nothing is run here."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _make(*words: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["make", *words], cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    (tmp_path / "mos.csv").write_text("image,mos\n")
    return tmp_path


def test_opinions_are_used_where_they_are(rated: Path):
    commands = _make("-n", "nano", f"LIVE={rated}").stdout
    assert commands.count(f"--sources {rated}/images --mos-csv {rated}/mos.csv") == 4
    assert commands.count("--rated-folds 2,3,4") == 3
    # All that may teach, and never the fold that judges.
    assert commands.count("--rated-folds 1,2,3,4 --keep-share 1 ") == 1
    assert "--set 'data.further_stills=[\"runs/further-stills/manifest.jsonl\"]'" in commands
    assert f"--set data.human={rated}" in commands


def test_a_default_that_is_missing_is_no_mistake(tmp_path: Path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    # In here the default leads nowhere.
    assert _make("opinions", folder=tmp_path).returncode == 0
    commands = _make("-n", "nano", folder=tmp_path).stdout
    # Without clips of one's own, what is filmed of wallpapers moves in copies of clips, too.
    assert commands.count("--sources runs/wallpapers") == 4
    assert "--mos-csv" not in commands
    assert "data.human" not in commands
    assert "further-stills" not in commands


def test_opinions_that_were_asked_for_must_be_there(tmp_path: Path):
    done = _make("opinions", f"LIVE={tmp_path}")
    assert done.returncode == 2
    assert "has no mos.csv" in done.stderr
    assert "no LIVE at all" in done.stderr


def test_clips_of_ones_own_are_copied_as_well(rated: Path):
    commands = _make("-n", "nano", f"LIVE={rated}", f"CLIPS={rated}").stdout
    own = commands[commands.index("synthesize runs/real-clip-copies") :]
    assert f"--sources {rated} " in own.splitlines()[0]
    read = '["runs/clip-copies/manifest.jsonl", "runs/real-clip-copies/manifest.jsonl"]'
    assert f"--set 'data.clip_copies={read}'" in own
    without = _make("-n", "nano", f"LIVE={rated}").stdout
    assert "--set 'data.clip_copies=[\"runs/clip-copies/manifest.jsonl\"]'" in without
    assert "real-clip-copies" not in without


def test_a_trial_is_smaller(rated: Path):
    commands = _make(
        "-n", "nano", f"LIVE={rated}", "NANO_CLIPS=12", "NANO_SET=joint.epochs=1 encoder.rounds=1"
    ).stdout
    assert "--count 12 --seed 12" in commands
    assert "--set joint.epochs=1 --set encoder.rounds=1" in commands
