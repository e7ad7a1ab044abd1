"""Configuration files: load, override, save. A part is handed its own branch only."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
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
    return build_config(kind, read_values(path), overrides)


def read_values(path: Path) -> dict[str, Any]:
    """Read the tables of a TOML file.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"configuration {path} cannot be read: {error}") from None


def build_config(
    kind: type[Config],
    values: Mapping[str, Any],
    overrides: Sequence[str] = (),
    *,
    base: Config | None = None,
) -> Config:
    """Build a configuration from nested values.

    Args:
        kind: The dataclass at the root.
        values: Tables of a file.
        overrides: As for `load_config`.
        base: What holds where neither speaks; the fields' defaults where None.

    Raises:
        ConfigError: as for `load_config`.
    """
    merged = _merged({} if base is None else dataclasses.asdict(base), values)  # type: ignore[call-overload]  # a dataclass
    for override in overrides:
        _apply(merged, override)
    built: Config = build_tree(kind, merged, error=ConfigError)
    return built


def _merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in values.items():
        below = merged.get(key)
        is_part = isinstance(value, Mapping) and isinstance(below, Mapping)
        merged[key] = _merged(below, value) if is_part else value  # type: ignore[arg-type]  # checked
    return merged


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
