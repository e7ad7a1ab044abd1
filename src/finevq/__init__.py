"""FineVQ: how good is this video, and what is wrong with it?

Public names only, loaded on first use, so that `import finevq` stays light and never imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from finevq.errors import FineVQError
    from finevq.inference.loading import load
    from finevq.inference.session import Session
    from finevq.records import Assessment, Clip, Failure, MediaInfo, Score
    from finevq.scorer import Scorer
    from finevq.vocabulary import Dimension

__all__ = [
    "Assessment",
    "Clip",
    "Dimension",
    "Failure",
    "FineVQError",
    "MediaInfo",
    "Score",
    "Scorer",
    "Session",
    "__version__",
    "load",
]

_HOMES = {
    "Assessment": "records",
    "Clip": "records",
    "Dimension": "vocabulary",
    "Failure": "records",
    "FineVQError": "errors",
    "MediaInfo": "records",
    "Score": "records",
    "Scorer": "scorer",
    "Session": "inference.session",
    "load": "inference.loading",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(f"finevq.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'finevq' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
