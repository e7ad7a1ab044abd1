"""Configuration files: load, override, save. A part is handed its own branch only."""

import dataclasses
import difflib
import json
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

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
    built: Config = _build(kind, merged, "")
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


def _build(kind: Any, value: Any, where: str) -> Any:  # noqa: ANN401  # any field of the tree
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where or 'configuration'}: expected a table, found {value!r}")
        return _build_part(kind, value, where)
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    if value is None and type(None) in options:
        return None
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return tuple(_build(get_args(kind)[0], item, where) for item in value)
    if get_origin(kind) is Literal:
        return _choice(get_args(kind), value, where)
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return _build(option, value, where)
        if _is_plain(option, value):
            return option(value)
    allowed = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise ConfigError(f"{where} = {value!r}: expected {allowed}")


def _choice(allowed: tuple[Any, ...], value: Any, where: str) -> Any:  # noqa: ANN401
    if value not in allowed:
        listed = ", ".join(map(repr, allowed))
        raise ConfigError(f"{where} = {value!r}: expected one of {listed}")
    return value


def _is_plain(kind: Any, value: Any) -> bool:  # noqa: ANN401  # any field and value
    """Say whether a value of TOML is one of a plain type."""
    if kind is float:
        return type(value) in (int, float)
    if kind is Path:
        return isinstance(value, str | Path)
    return kind in (int, str, bool) and type(value) is kind


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
