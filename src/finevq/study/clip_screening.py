"""Measure a folder of clips, pick a diverse subset, and write it as a manifest for `create`."""

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finevq.errors import FineVQError, NoVideosFoundError
from finevq.settings import Settings
from finevq.study.definition import ClipSpec, StudyDefinition, list_clips
from finevq.study.media import ClipFacts, measure_clip
from finevq.study.sampling import FEATURES, coverage, pick_diverse

COLUMNS = ("path", "name", "source", "picked", "playable")


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenedClips:
    """Measured clips, and which were picked."""

    clips: tuple[tuple[ClipSpec, ClipFacts], ...]
    picked: tuple[int, ...]
    """Into `clips`, in order of picking; all where no number was asked for."""
    failed: tuple[tuple[str, str], ...]
    """Name and reason of clips that cannot be read."""

    def summary(self) -> str:
        """Say in words what was picked and how much of the range it covers."""
        features = np.array([_features(facts) for _, facts in self.clips])
        shares = coverage(features, self.picked)
        covered = ", ".join(f"{n} {s:.0%}" for n, s in zip(FEATURES, shares, strict=True))
        lost = f"; {len(self.failed)} cannot be read" if self.failed else ""
        return f"picked {len(self.picked)} of {len(self.clips)}{lost}; of the range: {covered}"


def measure_all(
    videos: Path,
    settings: Settings,
    count: int | None,
    on_clip: Callable[[str, str], None] = lambda name, problem: None,
) -> ScreenedClips:
    """Measure all clips of a folder or manifest, and pick `count`.

    A clip that cannot be read is left out with its reason; it stops nothing.

    Raises:
        NoVideosFoundError: nothing can be read.
        StudyError: more clips are wanted than there are.
    """
    measured: list[tuple[ClipSpec, ClipFacts]] = []
    failed: list[tuple[str, str]] = []
    for spec in list_clips(videos, StudyDefinition()):
        try:
            measured.append((spec, measure_clip(spec.path, settings)))
            on_clip(spec.name, "")
        except FineVQError as error:
            failed.append((spec.name, str(error)))
            on_clip(spec.name, str(error))
    if not measured:
        raise NoVideosFoundError(f"none of the {len(failed)} videos in {videos} can be read")
    features = np.array([_features(facts) for _, facts in measured])
    sources = [spec.source for spec, _ in measured]
    picked = pick_diverse(features, count, sources) if count is not None else range(len(measured))
    return ScreenedClips(clips=tuple(measured), picked=tuple(picked), failed=tuple(failed))


def write_manifest(screened: ScreenedClips, target: Path | None) -> None:
    """Write the picked clips with their facts as a manifest; to stdout where no file is named."""
    rows = [_row(*screened.clips[index], order) for order, index in enumerate(screened.picked, 1)]
    file = target.open("w", encoding="utf-8", newline="") if target else sys.stdout
    try:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    finally:
        if target:
            file.close()


def _row(spec: ClipSpec, facts: ClipFacts, order: int) -> dict[str, object]:
    known = dict(
        zip(
            COLUMNS,
            (spec.path.resolve(), spec.name, spec.source, order, facts.is_playable),
            strict=True,
        )
    )
    return known | facts.to_dict()


def _features(facts: ClipFacts) -> list[float]:
    values = facts.to_dict() | {"pixels": float(np.log2(facts.width * facts.height))}
    return [float(values[name]) for name in FEATURES]
