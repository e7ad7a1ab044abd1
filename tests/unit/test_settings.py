from pathlib import Path

import pytest

from finevq.errors import ConfigError
from finevq.settings import load_settings


def test_defaults_hold_without_variables():
    settings = load_settings({})
    assert not settings.offline
    assert settings.max_duration_seconds > 3600


def test_variables_override_fields_with_the_fields_type():
    settings = load_settings(
        {"FINEVQ_OFFLINE": "yes", "FINEVQ_MAX_FRAMES": "10", "FINEVQ_CACHE_DIR": "x"}
    )
    assert settings.offline is True
    assert settings.max_frames == 10
    assert settings.cache_dir == Path("x")


@pytest.mark.parametrize("value", ["many", "-1"])
def test_a_bad_value_is_named(value: str):
    with pytest.raises(ConfigError, match="FINEVQ_MAX_FRAMES"):
        load_settings({"FINEVQ_MAX_FRAMES": value})
