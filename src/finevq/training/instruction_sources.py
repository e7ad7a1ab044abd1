"""One door to instruction records: whatever kind of data set a configuration names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, get_args

from finevq.errors import ConfigError
from finevq.training.labelled_records import read_labelled, read_synthetic
from finevq.training.official_records import read_official
from finevq.training.records import InstructionRecord, Task, check_records, of_tasks

DataKind = Literal["synthetic", "official", "csv"]


def read_instructions(
    kind: DataKind, path: Path, videos: Path | None = None, *, tasks: Sequence[str] = ()
) -> list[InstructionRecord]:
    """Read, filter and check the records of a data set.

    Args:
        kind: synthetic: a manifest of `finevq data synthesize`; official: question files; csv: a
            table of videos and MOS, or any label file that `finevq data` knows.
        path: Of the manifest, question file or table.
        videos: Folder of the videos; the folder of `path` where None.
        tasks: Tasks to keep; all where empty.

    Raises:
        ConfigError: no such kind or task.
        DatasetError: the data set cannot be read, or nothing is left of it.
    """
    known: tuple[Task, ...] = get_args(Task)
    if unknown := [task for task in tasks if task not in known]:
        raise ConfigError(f"data.tasks: {unknown[0]!r} is none of {', '.join(known)}")
    if kind == "synthetic":
        records = read_synthetic(path)
    elif kind == "official":
        records = read_official(path, videos)
    elif kind == "csv":
        records = read_labelled(path, videos or (path if path.is_dir() else path.parent))
    else:
        raise ConfigError(f"data.kind = {kind!r}; known: {', '.join(get_args(DataKind))}")
    if tasks:
        records = of_tasks(records, [task for task in known if task in tasks])
    check_records(records)
    return records
