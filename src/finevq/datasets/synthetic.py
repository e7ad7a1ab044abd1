"""Synthesized data sets as others read them: one record a clip, with everything known about it.

`finevq.datasets.synthesis` makes them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from finevq.errors import DatasetError, MissingExtraError
from finevq.vocabulary import Dimension

MANIFEST_NAME = "manifest.jsonl"

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticClip:
    """One clip of a synthesized data set with everything known about it."""

    path: Path
    split: Split
    source: str
    """Identity of the source: no source is in two splits."""
    source_kind: str
    """photo, drawing or clip."""
    source_quality: float
    """0..1 before our faults; assumed where not rated."""
    source_is_rated: bool
    mos: Mapping[Dimension, float]
    """Six, on FineVD's scale."""
    levels: Mapping[Dimension, str]
    """Six level words."""
    severities: Mapping[Dimension, float]
    """Five, 0..1."""
    attribute_severities: Mapping[str, float]
    """Attributes present, 0..1; absent ones are 0."""
    attributes: tuple[str, ...]
    """Existing (noticeable) ones, worst first."""
    distorted: Mapping[Dimension, bool]
    """Five."""
    most_impactful: str
    """One of five dimensions, or "none"."""
    vmaf: float | None
    """0..100, where measured."""
    width: int
    height: int
    fps: float
    num_frames: int
    codec: str
    """FFmpeg's encoder name of the delivered stream."""
    seed: int
    chain: tuple[Mapping[str, Any], ...] = field(default=())
    """attribute, severity, parameters of each fault in the order of application, and how much of it
    the file shows."""
    scene: int | None = None
    """Clips of one number show the same frames; None in a data set without copies."""
    is_gray: bool = False
    """The source was shown without color before any fault."""


def read_manifest(path: Path) -> list[SyntheticClip]:
    """Read a synthesized data set.

    Args:
        path: The manifest, or the folder that holds it.

    Raises:
        DatasetError: there is no manifest, or a line of it is not one of ours.
    """
    path = path / MANIFEST_NAME if path.is_dir() else path
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist; make it with: finevq data synthesize {path.parent}"
        )
    clips = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            clips.append(_clip_of(json.loads(line), path.parent))
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: not a clip record ({error!r})") from error
    return clips


def _clip_of(record: Mapping[str, Any], folder: Path) -> SyntheticClip:
    values = dict(record)
    values.pop("index")
    values["path"] = folder / values["path"]
    for name in ("mos", "levels", "severities", "distorted"):
        values[name] = {Dimension(key): value for key, value in values[name].items()}
    values["attributes"] = tuple(values["attributes"])
    values["chain"] = tuple(values["chain"])
    return SyntheticClip(**values)


def write_parquet(manifest: Path) -> Path:
    """Write the manifest once more as Parquet, beside it; nested values as JSON text.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # an optional extra
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("Parquet", "parquet") from None
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    flat = [
        {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()}
        for row in rows
    ]
    target = manifest.with_suffix(".parquet")
    partial = target.with_name(f".{target.name}.part")
    table = pa.Table.from_pylist(flat)
    parquet.write_table(table, partial)  # type: ignore[no-untyped-call]  # ships no types
    partial.replace(target)
    return target
