"""The facts about many files, one after another; a bad one is a record in its place."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finevq.errors import FineVQError
from finevq.records import Failure, MediaInfo
from finevq.settings import Settings
from finevq.video.isolation import DecoderPool
from finevq.video.sampling import FrameTable


@dataclass(frozen=True, slots=True)
class MediaReport:
    """What one file is."""

    video: str
    """As the caller named it."""
    media: MediaInfo
    warnings: tuple[str, ...]
    """What is wrong with the file although it can be read."""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of `finevq info --json`."""
        values: dict[str, Any] = {"video": self.video, "media": self.media.to_dict()}
        if self.warnings:
            values["warnings"] = list(self.warnings)
        return values


def survey_files(
    paths: Iterable[str | Path], *, settings: Settings
) -> Iterator[MediaReport | Failure]:
    """Yield a report or a failure for each file, in order; never raises for a bad file.

    Files are opened in a worker process: a crash of a decoder is that file's failure.

    Args:
        paths: Local files.
        settings: Limits.
    """
    with DecoderPool(settings=settings) as pool:
        for path in paths:
            try:
                video = pool.decode(path, sampler=_nothing, transforms={})
            except FineVQError as error:
                yield Failure(str(path), type(error).__name__, str(error))
            else:
                yield MediaReport(str(path), video.media, video.warnings)


def _nothing(table: FrameTable) -> Mapping[str, NDArray[np.int64]]:
    """Pick no frames: the first is decoded all the same, for the facts."""
    return {}
