"""The contract of a data-set adapter: one record that says how to recognise, read and check it.

An adapter reads the published label files as they are and returns a `LabelSet`; it never touches
pixels. `tests/contract/test_adapters.py` runs one battery over all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finevq.datasets.delimited import columns_of
from finevq.datasets.labels import LabelSet
from finevq.errors import DatasetError

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".mkv", ".mov", ".avi", ".webm", ".yuv", ".y4m", ".ogv", ".m4v"}
)


def stem_of(relative: Path) -> str:
    """Return the video's id where files are named after it: the name without suffix."""
    return relative.stem


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """How one data set is read."""

    name: str
    """Short name, as typed by users."""
    title: str
    """Name as in papers."""
    reference: str
    """Paper, and where the facts about the file layout come from."""
    num_videos: int | None
    """Published number of labelled videos; None: any."""
    scale: tuple[float, float]
    """Ends of the published MOS scale, higher is better."""
    mos_limits: tuple[float, float] | None = None
    """Where published labels leave the ends of the scale: how far; None: they do not."""
    label_files: tuple[str, ...]
    """Published names of the label file, best first; a folder is searched for them."""
    read: Callable[[Path], LabelSet]
    """Reads a label file, or the folder that holds it."""
    columns: frozenset[str] = frozenset()
    """Columns by which a label file of this set is recognised whatever its name."""
    id_of_file: Callable[[Path], str] = field(default=stem_of)
    """Id of the video that a file (path relative to the root) holds."""

    def recognizes(self, path: Path) -> bool:
        """Return whether the CSV at `path` has this data set's columns."""
        return bool(self.columns) and self.columns <= set(columns_of(path))


def find_label_file(path: Path, names: Sequence[str], data_set: str) -> Path:
    """Return `path` if it is a file, else the first of `names` inside the folder, at any depth.

    Raises:
        DatasetError: nothing of that name is there.
    """
    if path.is_file():
        return path
    if not path.is_dir():
        raise DatasetError(f"{path}: no such file or folder ({data_set} labels were expected)")
    for name in names:
        if found := sorted(path.rglob(name)):
            return found[0]
    raise DatasetError(
        f"{path}: no label file of {data_set} here; it is published as {' or '.join(names)}"
    )
