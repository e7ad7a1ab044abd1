"""The one seam: whatever scores videos is a `Scorer`.

Our model, every baseline, a file of predictions and a remote model implement it; evaluation,
benchmark and scale-out know nothing else.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from finevq.records import Clip, Failure, Score


@runtime_checkable
class Scorer(Protocol):
    """Gives one `Score` or `Failure` a clip, in the order of the clips."""

    @property
    def name(self) -> str:
        """Short name, as in tables."""

    @property
    def version(self) -> str:
        """Changes whenever the same video may get another score."""

    @property
    def scale(self) -> tuple[float, float]:
        """Lowest and highest score that can occur."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger score means a better video."""

    def score(self, videos: Sequence[Clip]) -> Iterator[Score | Failure]:
        """Score clips one after another; a bad clip yields a `Failure`, never an exception."""
