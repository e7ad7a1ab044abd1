"""Model folders of other versions are refused with what to do."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import finevq
from finevq.errors import CheckpointError
from finevq.inference.loading import NANO_FOLDER
from finevq.model.folder import CHECKSUMS_FILE, WEIGHTS_FILE, read_config, write_config
from finevq.model.presets import nano


def test_an_architecture_comes_back_as_it_was_written(tmp_path: Path):
    config = nano(vocabulary_size=100, context_token_id=1, version="7")
    write_config(config, tmp_path)
    assert read_config(tmp_path) == config


def test_an_earlier_nano_is_refused_with_a_way_on(tmp_path: Path):
    config = nano(vocabulary_size=100, context_token_id=1, version="3.1")
    write_config(replace(config, num_named_tokens=0), tmp_path)
    with pytest.raises(CheckpointError, match=r"nano 3\.1 with 0 named tokens.*--set start="):
        read_config(tmp_path)


def test_weights_that_the_graphs_were_not_exported_with_are_refused(tmp_path: Path):
    folder = shutil.copytree(NANO_FOLDER, tmp_path / "nano")
    weights = bytearray((folder / WEIGHTS_FILE).read_bytes())
    weights[-1] ^= 1  # one bit of one weight: as large as before, and still safetensors
    (folder / WEIGHTS_FILE).write_bytes(weights)
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not the file that was exp"):
        finevq.load(str(folder))
    (folder / WEIGHTS_FILE).unlink()
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        finevq.load(str(folder))


def test_an_exported_folder_without_checksums_is_taken_as_it_is(tmp_path: Path):
    folder = shutil.copytree(NANO_FOLDER, tmp_path / "nano")
    (folder / CHECKSUMS_FILE).unlink()
    assert finevq.load(str(folder)).identity.name == "nano"
