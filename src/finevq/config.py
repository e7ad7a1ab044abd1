"""Configuration files: load, override, save. A part is handed its own branch only."""

import dataclasses
import difflib
import json
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from finevq.errors import ConfigError

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
    built: Config = _build(kind, values, "")
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


def _build(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401  # any field of the tree
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where or 'configuration'}: expected a table, found {value!r}")
        return _build_part(kind, value, where)
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if value is None and type(None) in options:
        return None
    for option in options:
        if option is float and type(value) in (int, float):
            return float(value)
        if option is Path and isinstance(value, str):
            return Path(value)
        if option in (int, str, bool) and type(value) is option:
            return value
    allowed = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise ConfigError(f"{where} = {value!r}: expected {allowed}")


def _build_part(kind: type, values: Mapping[str, Any], where: str) -> Any:  # noqa: ANN401
    hints = get_type_hints(kind)
    for key in values:
        if key not in hints:
            near = difflib.get_close_matches(key, hints, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(hints)}"
            raise ConfigError(f"unknown key {f'{where}.{key}'.lstrip('.')!r}{hint}")
    parts = {
        key: _build(hints[key], value, f"{where}.{key}".lstrip("."))
        for key, value in values.items()
    }
    try:
        return kind(**parts)
    except TypeError as error:
        raise ConfigError(f"{where or 'configuration'}: {error}") from None
