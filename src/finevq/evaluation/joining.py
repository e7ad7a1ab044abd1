"""Opens data sets with their files for the tables."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from finevq.datasets import generic_csv
from finevq.datasets.catalogue import adapter
from finevq.datasets.finevd import IMITATION_FILE
from finevq.datasets.labels import LabelSet, VideoFacts
from finevq.datasets.splits import apply_split, load_split
from finevq.datasets.verify import locate
from finevq.errors import DatasetError, InvalidInputError, VideoError
from finevq.evaluation.contenders import Bench
from finevq.evaluation.floors import has_metadata
from finevq.evaluation.runtime_table import MAX_CLIPS
from finevq.video.decode import probe_video


def open_bench(
    name: str,
    path: Path,
    videos: Path | None = None,
    split: Path | None = None,
    *,
    only_with_files: bool = False,
) -> Bench:
    """Read a data set's labels and find its files.

    Args:
        name: Name in the catalogue; "csv:mine" is a CSV that tables call mine.
        path: Its folder or label file.
        videos: Folder of the videos, where it is another one.
        split: Split file to use instead of the published split.
        only_with_files: Leave out labelled videos that have no file, and read the facts that the
            metadata floors need from the files where the labels do not tell them.

    Raises:
        DatasetError: the name is unknown, labels or split cannot be read, or no video has a file
            where files are needed.
    """
    kind, _, own_name = name.partition(":")
    reader = adapter(kind)
    if own_name and reader is not generic_csv.ADAPTER:
        raise DatasetError(f"{name!r}: only csv takes a name of your own, such as csv:mine")
    labels = reader.read(path)
    if own_name:
        labels = replace(labels, name=own_name)
    if split is not None:
        labels = apply_split(labels, load_split(split))
    root = videos or (path if path.is_dir() else path.parent)
    paths = locate(labels, reader, root)
    if only_with_files and not paths:
        raise DatasetError(
            f"none of the {len(labels)} videos of {labels.name} is under {root}; name their folder "
            f"with --videos {name}=FOLDER"
        )
    kept = labels.keep([video.name in paths or not only_with_files for video in labels.videos])
    if only_with_files and not has_metadata(kept):
        kept = with_facts(kept, paths)
    return Bench(
        labels=kept,
        paths=paths,
        is_imitation=(root / IMITATION_FILE).is_file() or any(root.glob(f"*/{IMITATION_FILE}")),
        num_left_out=len(labels) - len(kept),
    )


def with_facts(labels: LabelSet, paths: Mapping[str, Path]) -> LabelSet:
    """Return the labels with what the files' containers say; unreadable files say nothing."""
    return replace(
        labels, videos=tuple(replace(v, facts=_facts(paths[v.name])) for v in labels.videos)
    )


def _facts(path: Path) -> VideoFacts:
    try:
        media = probe_video(path)
    except VideoError:
        return VideoFacts()
    return VideoFacts(
        width=media.width,
        height=media.height,
        fps=media.fps,
        num_frames=media.num_frames,
        bit_rate=media.bit_rate,
        pixel_format=media.pixel_format,
    )


def open_benches(
    data: Mapping[str, Path],
    videos: Mapping[str, Path],
    splits: Mapping[str, Path] | None = None,
    *,
    only_with_files: bool = False,
) -> dict[str, Bench]:
    """Read several data sets, each with its folder of videos and split file where given.

    Args:
        data: Name to folder or label file, as `open_bench` takes them.
        videos: Name to folder of videos, where that is another one.
        splits: Name to split file.
        only_with_files: Leave out labelled videos that have no file.

    Raises:
        InvalidInputError: videos or a split are named for a data set that is not given.
        DatasetError: a name is unknown or labels cannot be read.
    """
    splits = splits or {}
    if stray := (set(videos) | set(splits)) - set(data):
        raise InvalidInputError(
            f"--videos or --split names {', '.join(sorted(stray))}, --data does not"
        )
    return {
        name: open_bench(
            name, path, videos.get(name), splits.get(name), only_with_files=only_with_files
        )
        for name, path in data.items()
    }


def count_frames(benches: Mapping[str, Bench]) -> dict[str, int]:
    """Return the frames of the clips that table 7 times; unreadable ones are left out."""
    counts: dict[str, int] = {}
    bench = next(iter(benches.values()), None)
    for name, path in list(bench.paths.items())[:MAX_CLIPS] if bench else []:
        try:
            counts[name] = probe_video(path).num_frames
        except VideoError:
            continue
    return counts
