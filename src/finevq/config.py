"""Configuration files: load, override, save. A part is handed its own branch only."""

import dataclasses
import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from finevq.errors import ConfigError
from finevq.trees import build_tree

Config = TypeVar("Config")


def load_config(kind: type[Config], path: Path, overrides: Sequence[str] = ()) -> Config:
    """Build a configuration from a TOML file and overrides.

    Args:
        kind: The dataclass at the root.
        path: A TOML file; its tables are the tree's branches.
        overrides: `a.b=value` each, with the value in TOML (bare words count as text).

    Raises:
        ConfigError: the file cannot be read, a key is unknown (the nearest is named), or a value
            has the wrong kind.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from None
    for override in overrides:
        _apply(values, override)
    built: Config = build_tree(kind, values, error=ConfigError)
    return built


def save_config(config: Any, path: Path) -> None:  # noqa: ANN401  # any configuration dataclass
    """Write a resolved configuration as JSON."""
    text = json.dumps(dataclasses.asdict(config), indent=2, default=str)
    path.write_text(text + "\n", encoding="utf-8")


def _apply(values: dict[str, Any], override: str) -> None:
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"override {override!r} is not of the form part.field=value")
    *branches, leaf = key.strip().split(".")
    for branch in branches:
        values = values.setdefault(branch, {})
        if not isinstance(values, dict):
            raise ConfigError(f"override {override!r}: {branch!r} is a value, not a part")
    try:
        values[leaf] = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        values[leaf] = text
