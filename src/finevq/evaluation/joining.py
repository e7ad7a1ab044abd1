"""Opens data sets with their files for the tables."""

from collections.abc import Mapping
from pathlib import Path

from finevq.datasets.catalogue import adapter
from finevq.datasets.verify import locate
from finevq.errors import InvalidInputError, VideoError
from finevq.evaluation.contenders import Bench
from finevq.evaluation.runtime_table import MAX_CLIPS
from finevq.video.decode import probe_video


def open_bench(name: str, path: Path, videos: Path | None = None) -> Bench:
    """Read a data set's labels and find its files.

    Args:
        name: Name in the catalogue.
        path: Its folder or label file.
        videos: Folder of the videos, where it is another one.

    Raises:
        DatasetError: the name is unknown or the labels cannot be read.
    """
    reader = adapter(name)
    labels = reader.read(path)
    root = videos or (path if path.is_dir() else path.parent)
    return Bench(labels=labels, paths=locate(labels, reader, root))


def open_benches(data: Mapping[str, Path], videos: Mapping[str, Path]) -> dict[str, Bench]:
    """Read several data sets.

    Raises:
        InvalidInputError: videos are named for a data set that is not given.
        DatasetError: a name is unknown or labels cannot be read.
    """
    if stray := set(videos) - set(data):
        raise InvalidInputError(f"--videos names {', '.join(sorted(stray))}, --data does not")
    return {name: open_bench(name, path, videos.get(name)) for name, path in data.items()}


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
