import json

import pytest

from finevq.errors import CheckpointError
from finevq.model.config import ModelConfig


def test_a_config_survives_json(config: ModelConfig):
    assert ModelConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_an_unknown_field_is_named_with_the_known_ones(config: ModelConfig):
    values = config.to_dict()
    values["video"] = {**values["video"], "num_frame": 8}
    with pytest.raises(
        CheckpointError, match=r"'config.json: video.num_frame'; did you mean 'num_frames'"
    ):
        ModelConfig.from_dict(values)


def test_a_value_that_is_not_allowed_is_named(config: ModelConfig):
    values = config.to_dict()
    values["prompt"] = "haiku"
    with pytest.raises(CheckpointError, match="prompt = 'haiku': expected one of 'nano'"):
        ModelConfig.from_dict(values)


def test_a_missing_field_is_an_error(config: ModelConfig):
    values = config.to_dict()
    del values["score_head"]
    with pytest.raises(CheckpointError, match="score_head"):
        ModelConfig.from_dict(values)
