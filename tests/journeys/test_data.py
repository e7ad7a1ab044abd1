"""`finevq data` end to end, as a user calls it."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytestmark = pytest.mark.full


def finevq(*arguments):
    """Run the command; returns (exit code, stdout, stderr with its line breaks undone)."""
    done = subprocess.run(
        [sys.executable, "-c", "from finevq.cli.main import run; run()", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, " ".join(done.stderr.split())


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for index in range(3):
        coarse = rng.integers(0, 256, (12, 16, 3)).astype(np.uint8)
        cv2.imwrite(str(folder / f"{index}.png"), cv2.resize(coarse, (240, 180)))
    return folder


def test_a_data_set_is_made_and_its_manifest_is_printed(photos, tmp_path):
    out = tmp_path / "known"
    code, stdout, stderr = finevq(
        "data", "synthesize", out, "--sources", photos, "--no-scikit-image",
        "--count", 4, "--max-height", 96, "--parquet", "--preview", tmp_path / "sheet.png",
    )  # fmt: skip
    assert code == 0, stderr
    assert stdout.splitlines()[0] == str(out / "manifest.jsonl")
    assert (out / "manifest.parquet").is_file()
    assert cv2.imread(str(tmp_path / "sheet.png")).shape[1] > 1000
    lines = (out / "manifest.jsonl").read_text().splitlines()
    assert [json.loads(line)["index"] for line in lines] == [0, 1, 2, 3]


def test_sources_are_listed_with_their_split(photos):
    code, stdout, _ = finevq("data", "sources", photos, "--no-scikit-image")
    assert code == 0
    assert stdout.count("photo ") == 3


def test_mistakes_are_explained_without_a_traceback(photos, tmp_path):
    code, _, stderr = finevq("data", "synthesize", tmp_path / "o", "--sources", tmp_path / "no")
    assert code == 1
    assert "is not a folder" in stderr
    assert "Traceback" not in stderr
    code, _, stderr = finevq("data", "preview", tmp_path / "s.png", "--attribute", "fog")
    assert code == 1
    assert "low saturation" in stderr
    assert finevq("data", "synthesize", tmp_path / "o", "--balance", 3)[0] == 2


@pytest.mark.parametrize(
    "command", [["draw", "out"], ["synthesize", "out"], ["preview", "out.png"], ["sources"]]
)
def test_without_the_extra_the_commands_say_what_to_install(command, tmp_path):
    # The light core has no OpenCV: a fresh process that cannot import it.
    code = (
        "import sys; sys.modules['cv2'] = None; "
        f"sys.argv = ['finevq', 'data', *{command!r}]; "
        "from finevq.cli.main import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "pip install 'finevq[synthesis]'" in " ".join(done.stderr.split())


def test_drawn_pictures_become_stills_of_the_kind_drawing(tmp_path):
    code, printed, err = finevq("data", "draw", tmp_path / "drawn", "--count", "3")
    assert code == 0, err
    assert "3 pictures" in printed
    out = tmp_path / "made"
    sources = ["--sources", tmp_path / "drawn", "--no-scikit-image"]
    further = ["--count", "2", "--stills", "--gray-share", "1", "--max-height", "96"]
    code, _, err = finevq("data", "synthesize", out, *sources, *further)
    assert code == 0, err
    records = [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]
    assert [record["source_kind"] for record in records] == ["drawing"] * 2
    assert all(record["is_gray"] for record in records)
