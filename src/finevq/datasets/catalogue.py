"""Every data set by name: an explicit dictionary, nothing is found by scanning."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from finevq.datasets import (
    finevd,
    generic_csv,
    konvid_1k,
    live_vqc,
    live_yt_gaming,
    lsvq,
    maxwell,
    youtube_ugc,
)
from finevq.datasets.contract import Adapter
from finevq.datasets.delimited import columns_of
from finevq.datasets.labels import LabelSet
from finevq.errors import DatasetError

ADAPTERS: Mapping[str, Adapter] = MappingProxyType(
    {
        module.ADAPTER.name: module.ADAPTER
        for module in (
            finevd,
            konvid_1k,
            live_vqc,
            youtube_ugc,
            live_yt_gaming,
            lsvq,
            maxwell,
            generic_csv,
        )
    }
)
"""Name to adapter, the paper's data sets first."""


def adapter(name: str) -> Adapter:
    """Return the adapter of a data set.

    Raises:
        DatasetError: no data set of that name.

    >>> adapter("konvid-1k").num_videos
    1200
    """
    try:
        return ADAPTERS[name.lower()]
    except KeyError:
        raise DatasetError(f"no data set named {name!r}; known are {', '.join(ADAPTERS)}") from None


def read_labels(path: Path) -> LabelSet:
    """Read any label file or folder, recognising the data set by its columns.

    A CSV that no adapter knows is read as `csv`: names and MOS.

    Raises:
        DatasetError: the path is missing, or the file has no usable columns.
    """
    if path.is_dir():
        raise DatasetError(f"{path} is a folder; give the label file, or name the data set")
    if not path.exists():
        raise DatasetError(f"{path}: no such label file")
    for candidate in ADAPTERS.values():
        if candidate.recognizes(path):
            return candidate.read(path)
    if not columns_of(path):
        raise DatasetError(f"{path}: not a CSV label file")
    return generic_csv.read(path)
