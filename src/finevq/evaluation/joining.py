"""Opens data sets with their files for the tables."""

from collections.abc import Mapping
from pathlib import Path

from finevq.datasets.catalogue import adapter
from finevq.datasets.splits import apply_split, load_split
from finevq.datasets.verify import locate
from finevq.errors import InvalidInputError, VideoError
from finevq.evaluation.contenders import Bench
from finevq.evaluation.runtime_table import MAX_CLIPS
from finevq.video.decode import probe_video


def open_bench(
    name: str, path: Path, videos: Path | None = None, split: Path | None = None
) -> Bench:
    """Read a data set's labels and find its files.

    Args:
        name: Name in the catalogue.
        path: Its folder or label file.
        videos: Folder of the videos, where it is another one.
        split: Split file to use instead of the published split.

    Raises:
        DatasetError: the name is unknown, or labels or split cannot be read.
    """
    reader = adapter(name)
    labels = reader.read(path)
    if split is not None:
        labels = apply_split(labels, load_split(split))
    root = videos or (path if path.is_dir() else path.parent)
    return Bench(labels=labels, paths=locate(labels, reader, root))


def open_benches(
    data: Mapping[str, Path],
    videos: Mapping[str, Path],
    splits: Mapping[str, Path] | None = None,
) -> dict[str, Bench]:
    """Read several data sets, each with its folder of videos and split file where given.

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
        name: open_bench(name, path, videos.get(name), splits.get(name))
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
