"""What docstrings show is what happens."""

import doctest
from importlib import import_module

import pytest

from conftest import ROOT

SOURCES = ROOT / "src"
WITH_EXAMPLES = [
    ".".join(path.relative_to(SOURCES).with_suffix("").parts)
    for path in sorted(SOURCES.rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples_of_docstrings_are_right(name):
    # `import_module` of a package gives what stands in its __init__.
    result = doctest.testmod(import_module(name.removesuffix(".__init__")))
    assert result.attempted
    assert not result.failed, "see what was expected and what came above"
