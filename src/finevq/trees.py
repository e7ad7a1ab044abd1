"""Nested plain values, as JSON and TOML hold them, turned into frozen trees of dataclasses."""

import dataclasses
import difflib
import json
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from finevq.errors import FineVQError


def build_tree(
    kind: Any,  # noqa: ANN401  # a type, or what annotations make of one
    value: Any,  # noqa: ANN401
    *,
    error: type[FineVQError],
    where: str = "",
) -> Any:  # noqa: ANN401
    """Return `value` as `kind`: a dataclass, a tuple, a Literal, a union, or a plain type.

    Numbers stay what they are, but for whole ones where a float is wanted; nothing is parsed.

    Args:
        kind: What the annotation of the field says.
        value: What the file says.
        error: Raised for every mistake.
        where: Path of the value in the file, for messages; a file's name ends with a colon.

    Raises:
        FineVQError: of the kind given: a key is unknown (the nearest is named) or missing, or a
            value has the wrong kind.
    """
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, Mapping):
            raise error(f"{where or 'configuration'}: expected a table of keys, found {value!r}")
        return _build_dataclass(kind, value, error, where)
    if get_origin(kind) is tuple:
        return _build_tuple(kind, value, error, where)
    if get_origin(kind) is Literal:
        return _build_choice(kind, value, error, where)
    return _build_option(kind, value, error, where)


def _build_choice(kind: Any, value: Any, error: type[FineVQError], where: str) -> Any:  # noqa: ANN401
    if value not in get_args(kind):
        allowed = ", ".join(map(repr, get_args(kind)))
        raise error(f"{where} = {value!r}: expected one of {allowed}")
    return value


def _build_option(kind: Any, value: Any, error: type[FineVQError], where: str) -> Any:  # noqa: ANN401
    """Take the first type of a union that the value has, or the only type."""
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    for option in options:
        if dataclasses.is_dataclass(option) and isinstance(value, Mapping):
            return build_tree(option, value, error=error, where=where)
        if option is Any or _is_plain(option, value):
            return value
        if option is float and type(value) is int:
            return float(value)
        if option is Path and isinstance(value, str | Path):
            return Path(value)
    allowed = " or ".join(getattr(option, "__name__", str(option)) for option in options)
    raise error(f"{where} = {value!r}: expected {allowed}")


def _is_plain(kind: Any, value: Any) -> bool:  # noqa: ANN401
    if get_origin(kind) is Mapping or kind is Mapping:
        return isinstance(value, Mapping)
    return isinstance(kind, type) and type(value) is kind  # a bool is no int


def _build_tuple(kind: Any, value: Any, error: type[FineVQError], where: str) -> Any:  # noqa: ANN401
    if not isinstance(value, (list, tuple)):
        raise error(f"{where} = {value!r}: expected a list, such as [{json.dumps(value)}]")
    kinds = get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise error(f"{where} has {len(value)} values: expected {len(kinds)}")
    parts = zip(kinds, value, strict=True)
    return tuple(build_tree(part, item, error=error, where=where) for part, item in parts)


def _build_dataclass(
    kind: type, values: Mapping[str, Any], error: type[FineVQError], where: str
) -> Any:  # noqa: ANN401
    hints = get_type_hints(kind)
    names = [spec.name for spec in dataclasses.fields(kind)]
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(names)}"
            raise error(f"unknown key {_join(where, key)!r}{hint}")
    parts = {
        key: build_tree(hints[key], value, error=error, where=_join(where, key))
        for key, value in values.items()
    }
    try:
        return kind(**parts)
    except TypeError as mistake:  # a required field is missing
        raise error(f"{where or 'configuration'}: {mistake}") from None


def _join(where: str, key: str) -> str:
    return f"{where} {key}" if where.endswith(":") else f"{where}.{key}".lstrip(".")
