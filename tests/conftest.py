"""Shared fixtures: where real media lives, and a clean environment around each test."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
_IN_CI = os.environ.get("CI", "").lower() in {"1", "true"}


def skip_or_fail(reason: str) -> None:
    """Skip on a developer's machine; in CI what is missing is a failure."""
    if _IN_CI:
        pytest.fail(f"required in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _clean_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Keep random state and FINEVQ_* variables of one test from reaching another."""
    for name in [name for name in os.environ if name.startswith("FINEVQ_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FINEVQ_CACHE_DIR", str(tmp_path / "cache"))
    python_state, numpy_state = random.getstate(), np.random.get_state()
    yield
    random.setstate(python_state)
    np.random.set_state(numpy_state)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of facts and real media beside the repository; skips where it is absent."""
    folder = ROOT.parent / "shared"
    if not folder.is_dir():
        skip_or_fail("the folder ../shared with real media and goldens is not here")
    return folder


@pytest.fixture(scope="session")
def clips(shared: Path) -> Path:
    """Real clips of many cameras, codecs and sizes."""
    return shared / "clips"
