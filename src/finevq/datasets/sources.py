"""Where clean pictures come from: folders of photographs and clips, found, rated and read.

A source is one photograph or one clip. Its identity is the name of the folder it was found in and
its path below that, never the place on this machine, so splits are the same everywhere.
"""

import csv
import fnmatch
import hashlib
import importlib.util
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias

import av
import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.footage import Frames
from finevq.datasets.splits import fold_of
from finevq.errors import DatasetError, VideoDecodeError

Picture: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""

NUM_FOLDS = 5
"""Folds of files with people's scores, by a hash of the file name."""
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
DRAWING_SUFFIX = ".drawn.png"
"""What `finevq data draw` ends its names with; other drawings may be named so, too."""
CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".ts", ".y4m"})

SCIKIT_IMAGE_PHOTOS: Mapping[str, str] = {
    "astronaut.png": "NASA, public domain",
    "chelsea.png": "Stefan van der Walt, CC0",
    "coffee.png": "Rachel Michetti, CC0",
    "rocket.jpg": "SpaceX, released to the public domain",
}
"""The colour photographs inside the scikit-image wheel that are free, with their licence.

Left out: gray ones, and those without a stated licence. Source: the docstrings of skimage.data.
"""


class SourceKind(StrEnum):
    """What a source file holds."""

    PHOTO = "photo"
    DRAWING = "drawing"
    CLIP = "clip"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One clean photograph, drawing or clip."""

    name: str
    """Folder name / path below it; the identity."""
    path: Path
    kind: SourceKind
    origin: str
    """Name of the folder that it was found in."""
    quality: float
    """How flawless it is before we touch it: 0..1."""
    is_rated: bool
    """Whether `quality` comes from human scores rather than from an assumption."""

    @property
    def split(self) -> str:
        """One of train, validation, test; decided by the name alone."""
        return split_of(self.name)


_ASSUMED_QUALITY = {SourceKind.PHOTO: 1.0, SourceKind.DRAWING: 1.0, SourceKind.CLIP: 0.8}
"""Where nobody rated the source: photographs shrink to clips, real clips never were clean."""

_FINEVD_OVERALL_PERCENTILES = (
    (0, 1, 5, 25, 50, 75, 95, 99, 100),
    (9.8, 18.0, 27.2, 41.0, 51.2, 60.1, 69.3, 74.1, 77.6),
)
"""Percentiles of FineVD's overall MOS. Source: its 5,074 public labels."""
_CLEAN, _RUINED = 74.0, 12.0


def split_of(name: str) -> str:
    """Return the split of a source: about 80 % train, 10 % validation, 10 % test.

    >>> split_of("photos/a.jpg") == split_of("photos/a.jpg")
    True
    """
    share = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") / 2**32
    if share < 0.8:
        return "train"
    return "validation" if share < 0.9 else "test"


def find_sources(
    folders: Sequence[Path],
    *,
    mos_csv: Path | None = None,
    keep_share: float = 0.5,
    rated_folds: Collection[int] | None = None,
    exclude: Sequence[str] = (),
    with_scikit_image: bool = True,
) -> list[Source]:
    """List all sources of some folders, in a fixed order.

    Args:
        folders: Searched with all their sub-folders.
        mos_csv: Human scores of some of the files: a column with the file name (image, file or
            name) and a column mos; only the better share of the scored files is kept.
        keep_share: That share, 0..1.
        rated_folds: Of the scored files only those in these of `NUM_FOLDS` folds: whatever judges
            a model by people's opinions must not be among what it learnt from. None: all.
        exclude: File name patterns (shell wildcards) to leave out.
        with_scikit_image: Add the photographs inside scikit-image.

    Raises:
        DatasetError: a folder does not exist, the table has no such columns, nothing is found.
    """
    scores = _read_scores(mos_csv) if mos_csv else {}
    sources: dict[str, Source] = {}
    for folder in folders:
        if not folder.is_dir():
            raise DatasetError(
                f"{folder} is not a folder; --sources takes folders of photos or clips"
            )
        for source in _walk(folder.resolve(), exclude):
            sources[source.name] = source
    found = _rated(list(sources.values()), scores, keep_share)
    if rated_folds is not None:
        found = [
            source
            for source in found
            if not source.is_rated or fold_of(source.path.name, NUM_FOLDS) in rated_folds
        ]
    if with_scikit_image:
        found += scikit_image_sources()
    if not found:
        raise DatasetError(
            f"no photograph ({', '.join(sorted(PHOTO_SUFFIXES))}) or clip "
            f"({', '.join(sorted(CLIP_SUFFIXES))}) in {', '.join(map(str, folders))}"
        )
    return sorted(found, key=lambda source: source.name)


def _walk(folder: Path, exclude: Sequence[str]) -> Iterator[Source]:
    for path in sorted(folder.rglob("*")):
        kind = _kind_of(path)
        if kind is None or not path.is_file():
            continue
        if any(fnmatch.fnmatch(path.name, pattern) for pattern in exclude):
            continue
        yield Source(
            name=f"{folder.name}/{path.relative_to(folder).as_posix()}",
            path=path,
            kind=kind,
            origin=folder.name,
            quality=_ASSUMED_QUALITY[kind],
            is_rated=False,
        )


def _kind_of(path: Path) -> SourceKind | None:
    suffix = path.suffix.lower()
    if path.name.lower().endswith(DRAWING_SUFFIX):
        return SourceKind.DRAWING
    if suffix in PHOTO_SUFFIXES:
        return SourceKind.PHOTO
    return SourceKind.CLIP if suffix in CLIP_SUFFIXES else None


def _read_scores(path: Path) -> dict[str, float]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    key = next((k for k in ("image", "file", "name", "video") if rows and k in rows[0]), None)
    if key is None or "mos" not in rows[0]:
        raise DatasetError(
            f"{path}: expected a column mos and one of image, file, name or video; "
            f"found {', '.join(rows[0]) if rows else 'no rows'}"
        )
    return {row[key]: float(row["mos"]) for row in rows}


def _rated(sources: list[Source], scores: Mapping[str, float], keep_share: float) -> list[Source]:
    """Drop the worse scored files; give the others the quality that their rank has in FineVD."""
    if not scores:
        return sources
    ranked = np.sort(list(scores.values()))
    kept = []
    for source in sources:
        mos = scores.get(source.path.name)
        if mos is None:
            kept.append(source)
            continue
        percentile = 100.0 * float(np.searchsorted(ranked, mos, side="right")) / len(ranked)
        if percentile <= 100.0 * (1.0 - keep_share):
            continue
        linked = float(np.interp(percentile, *_FINEVD_OVERALL_PERCENTILES))
        quality = float(np.clip((linked - _RUINED) / (_CLEAN - _RUINED), 0.0, 1.0))
        kept.append(replace(source, quality=round(quality, 4), is_rated=True))
    return kept


def scikit_image_sources() -> list[Source]:
    """Return the photographs inside scikit-image; empty where it is not installed."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        return []
    folder = Path(next(iter(spec.submodule_search_locations))) / "data"
    return [
        Source(
            name=f"scikit-image/{name}",
            path=folder / name,
            kind=SourceKind.PHOTO,
            origin="scikit-image",
            quality=1.0,
            is_rated=False,
        )
        for name in SCIKIT_IMAGE_PHOTOS
        if (folder / name).is_file()
    ]


def source_shares(sources: Sequence[Source]) -> npt.NDArray[np.float64]:
    """Return how often each source is used: large folders more, but only with their square root."""
    counts: dict[str, int] = {}
    for source in sources:
        counts[source.origin] = counts.get(source.origin, 0) + 1
    weights = np.array([counts[source.origin] ** -0.5 for source in sources])
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def read_photo(path: Path) -> Picture:
    """Read a photograph, EXIF rotation applied, halved where it is huge.

    Raises:
        VideoDecodeError: the file is no picture that can be read.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise VideoDecodeError(f"{path} cannot be read as a picture")
    if min(picture.shape[:2]) > 3200:
        picture = np.asarray(
            cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
        )
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What must be known of a clip before a window of it is chosen."""

    width: int
    height: int
    fps: float
    duration_seconds: float


def probe_clip(path: Path) -> ClipFacts:
    """Read a clip's geometry (as displayed) and length.

    Raises:
        VideoDecodeError: no frame can be decoded.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            frame = next(container.decode(stream))
            fps = float(stream.average_rate or stream.base_rate or 25)
            duration = float(container.duration or 0) / av.time_base
            turned = int(frame.rotation) % 180 != 0
            width, height = (frame.height, frame.width) if turned else (frame.width, frame.height)
    except (av.error.FFmpegError, StopIteration, IndexError) as error:
        raise VideoDecodeError(f"{path} cannot be decoded: {error}") from error
    return ClipFacts(width, height, fps if 5 <= fps <= 120 else 25.0, duration)


def read_window(path: Path, start_seconds: float, num_frames: int, size: tuple[int, int]) -> Frames:
    """Decode some consecutive frames, scaled to (width, height), rotation applied.

    Returns:
        (T, H, W, 3); T is smaller than `num_frames` where the clip ends earlier.

    Raises:
        VideoDecodeError: no frame can be decoded.
    """
    frames = []
    try:
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            if start_seconds > 0:
                container.seek(round(start_seconds * av.time_base))
            for frame in container.decode(stream):
                if frame.time is not None and frame.time < start_seconds - 1e-6:
                    continue
                frames.append(_scaled(frame, size))
                if len(frames) == num_frames:
                    break
    except av.error.FFmpegError as error:
        if not frames:
            raise VideoDecodeError(f"{path} cannot be decoded: {error}") from error
    if not frames:
        raise VideoDecodeError(f"{path} has no frame after {start_seconds:.2f} s")
    return np.stack(frames)


def _scaled(frame: av.VideoFrame, size: tuple[int, int]) -> Picture:
    quarter_turns = round(frame.rotation / 90) % 4
    width, height = size if quarter_turns % 2 == 0 else size[::-1]
    scaled = frame.reformat(width=width, height=height, format="rgb24", interpolation="AREA")
    pixels = np.asarray(scaled.to_ndarray(), np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, quarter_turns))
