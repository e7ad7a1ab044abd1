from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from finevq.errors import ConfigError
from finevq.trees import build_tree


@dataclass(frozen=True, kw_only=True)
class _Leaf:
    size: int
    shares: tuple[float, ...] = ()
    pair: tuple[int, str] = (0, "")
    kind: Literal["a", "b"] = "a"
    folder: Path | None = None
    free: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class _Root:
    leaf: _Leaf
    rate: float = 1.0


def _build(leaf: dict[str, Any], **others: Any) -> _Root:
    return build_tree(_Root, {"leaf": leaf, **others}, error=ConfigError)


def test_values_take_the_kinds_of_their_fields():
    leaf = {
        "size": 3, "shares": [1, 0.5], "pair": [1, "x"], "kind": "b", "folder": "a/b",
        "free": {"x": [1]},
    }  # fmt: skip
    root = _build(leaf, rate=2)
    assert root.leaf == _Leaf(
        size=3, shares=(1.0, 0.5), pair=(1, "x"), kind="b", folder=Path("a/b"), free={"x": [1]}
    )
    assert isinstance(root.rate, float)
    assert _build({"size": 1, "folder": None}).leaf.folder is None


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        ({"size": True}, "leaf.size = True: expected int"),
        ({"size": 1.5}, "leaf.size = 1.5: expected int"),
        ({"size": 1, "kind": "c"}, "leaf.kind = 'c': expected one of 'a', 'b'"),
        ({"size": 1, "shares": 3}, "leaf.shares = 3: expected a list"),
        ({"size": 1, "pair": [1]}, "leaf.pair has 1 values: expected 2"),
        ({"size": 1, "kinds": "a"}, "unknown key 'leaf.kinds'; did you mean 'kind'"),
        ({"size": 1, "zzz": 0}, "unknown key 'leaf.zzz'; known: size, shares"),
        ({}, "leaf: .*missing.*size"),
        (7, "leaf: expected a table of keys, found 7"),
    ],
)
def test_each_mistake_is_named_with_its_place(leaf, message):
    with pytest.raises(ConfigError, match=message):
        _build(leaf)
