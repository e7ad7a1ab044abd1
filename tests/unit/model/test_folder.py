"""Model folders of other versions are refused with what to do."""

from dataclasses import replace
from pathlib import Path

import pytest

from finevq.errors import CheckpointError
from finevq.model.folder import read_config, write_config
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
