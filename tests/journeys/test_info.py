"""`finevq info` as a user runs it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from finevq.cli.main import app

pytestmark = pytest.mark.full


@pytest.fixture
def picture(tmp_path):
    image = pytest.importorskip("PIL.Image")
    path = tmp_path / "grey [1].png"
    image.fromarray(np.full((30, 50, 3), 99, np.uint8)).save(path)
    return path


def test_json_prints_a_line_a_file_and_fails_if_one_does(picture, tmp_path):
    bad = tmp_path / "bad.mp4"
    bad.write_text("hello")
    done = CliRunner().invoke(app, ["info", "--json", str(picture), str(bad)])
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["video"] == str(picture)
    assert first["media"]["width"] == 50
    assert first["media"]["fps"] is None
    assert second["error"]["type"] == "VideoDecodeError"
    assert "text file" in second["error"]["message"]
    assert done.exit_code == 1


def test_the_table_names_files_and_reasons(picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    done = CliRunner().invoke(app, ["info", picture.name, "missing.mp4"])
    assert "grey [1].png" in done.stdout
    assert "50x30" in done.stdout
    assert "missing.mp4: cannot be read (No such file or directory)" in done.stdout
    assert done.exit_code == 1


def test_good_files_alone_are_a_success(picture):
    assert CliRunner().invoke(app, ["info", str(picture)]).exit_code == 0
