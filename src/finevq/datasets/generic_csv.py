"""Any CSV with a name column and a MOS column: your own data set.

Columns: name (or video, video_name, file, filename, path) and mos (or mos_overall, overall,
score), in any case; further MOS as mos_color or color and so on for each dimension; split, source,
category where present. The scale is taken from `scale_min` and `scale_max` columns where present,
else it is the range of the labels.
"""

from collections.abc import Sequence
from pathlib import Path

from finevq.datasets.contract import Adapter, find_label_file
from finevq.datasets.delimited import Row, number, optional_number, read_rows
from finevq.datasets.facts import facts_of
from finevq.datasets.labels import LabelledVideo, LabelSet
from finevq.errors import DatasetError
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

NAME_COLUMNS = ("name", "video", "video_name", "file", "filename", "path", "flickr_id", "vid")
MOS_COLUMNS = ("mos_overall", "mos", "overall", "mosfull", "score")


def read(path: Path) -> LabelSet:
    """Read a CSV of names and MOS.

    Raises:
        DatasetError: a needed column is missing, a MOS is no number or a name comes twice.
    """
    file = find_label_file(path, ADAPTER.label_files, ADAPTER.title)
    rows = [{key.lower(): value for key, value in row.items()} for row in read_rows(file)]
    name = _first(NAME_COLUMNS, rows[0], file, "name")
    columns = _mos_columns(rows[0], file)
    videos = tuple(
        LabelledVideo(
            name=row[name],
            mos={d: number(row, column, file, line) for d, column in columns.items()},
            split=row.get("split", ""),
            source=row.get("source", ""),
            category=row.get("category", ""),
            facts=facts_of(row),
        )
        for line, row in enumerate(rows, start=2)
    )
    found = [mos for video in videos for mos in video.mos.values()]
    low = optional_number(rows[0], "scale_min")
    high = optional_number(rows[0], "scale_max")
    scale = (min(found) if low is None else low, max(found) if high is None else high)
    return LabelSet(name=ADAPTER.name, scale=scale, videos=videos, source=str(path))


def _mos_columns(row: Row, file: Path) -> dict[Dimension, str]:
    columns = {Dimension.OVERALL: _first(MOS_COLUMNS, row, file, "MOS")}
    for dimension in FAULT_DIMENSIONS:
        for column in (f"mos_{dimension}", str(dimension)):
            if column in row:
                columns[dimension] = column
                break
    return {d: columns[d] for d in Dimension if d in columns}


def _first(candidates: Sequence[str], row: Row, file: Path, meaning: str) -> str:
    for column in candidates:
        if column in row:
            return column
    raise DatasetError(
        f"{file}: no {meaning} column; one of {', '.join(candidates)} is needed, "
        f"it has {', '.join(row)}"
    )


ADAPTER = Adapter(
    name="csv",
    title="your own CSV",
    reference="docs/evaluation.md, section on your own data",
    num_videos=None,
    scale=(-float("inf"), float("inf")),
    label_files=("labels.csv", "mos.csv"),
    read=read,
)
