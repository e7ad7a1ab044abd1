"""Rows of result files, one a video: how each format writes them, and reads them again.

To know later whether a row still holds, it also says how large the video was and when it was
changed (`file_bytes`, `file_modified_ns`).
"""

import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from finevq.errors import InvalidInputError
from finevq.records import Assessment, Failure, ModelIdentity
from finevq.report.json_lines import json_line, outcome_from_dict
from finevq.report.rows import COLUMNS, Cell, flat_row
from finevq.report.text import portable_text, spreadsheet_text

_STAMP_COLUMNS: Mapping[str, type] = {"file_bytes": int, "file_modified_ns": int}
FILE_COLUMNS: Mapping[str, type] = {**COLUMNS, **_STAMP_COLUMNS}
"""Columns of a file of flat rows, in order, with the type of their cells."""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """Tells one state of a file from another."""

    file_bytes: int | None
    file_modified_ns: int | None

    @classmethod
    def of(cls, path: str) -> "FileStamp":
        """Return the stamp of a file as it is now; empty where it cannot be read."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return cls(None, None)
        return cls(status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Row:
    """What a result file says of one video, as far as resuming needs it."""

    video: str
    model: ModelIdentity | None
    """None for a failure, which is tried again."""
    stamp: FileStamp
    has_timeline: bool
    encoded: bytes
    """The row as it stands in the file, with its line end."""

    def holds(self, stamp: FileStamp, model: ModelIdentity, *, timeline: bool) -> bool:
        """Tell whether assessing the video again would give the same row."""
        return self.model == model and self.stamp == stamp and (self.has_timeline or not timeline)


class RowFormat(ABC):
    """How rows are written, and read again."""

    header: bytes = b""

    @abstractmethod
    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the row of one video with its line end."""

    @abstractmethod
    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the whole rows of a file; a last row that was cut off is left out.

        Raises:
            InvalidInputError: the file was not written by this version.
        """

    def name_of(self, video: str) -> str:
        """Return a video's name as the format holds it."""
        return portable_text(video)


class JsonLines(RowFormat):
    """The lines of `--json`, with the stamp behind them."""

    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the JSON line of one video."""
        return json_line(
            outcome, file_bytes=stamp.file_bytes, file_modified_ns=stamp.file_modified_ns
        )

    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the rows of a JSON lines file."""
        for number, line, values in json_objects(content, path):
            try:
                outcome = outcome_from_dict(values)
                stamp = FileStamp(values["file_bytes"], values["file_modified_ns"])
            except (KeyError, TypeError, ValueError):
                raise foreign_file(path, f"line {number} is no result with file facts") from None
            model = outcome.model if isinstance(outcome, Assessment) else None
            yield Row(outcome.video, model, stamp, "timeline" in values, line)

    def name_of(self, video: str) -> str:
        """Return the name unchanged: JSON escapes whatever it cannot hold."""
        return video


class CsvRows(RowFormat):
    """Comma-separated, UTF-8, one header line; empty cells for what is not known.

    Text that a spreadsheet would take for a formula stands behind an apostrophe.
    """

    def __init__(self) -> None:
        self.header = _csv_line(list(FILE_COLUMNS))

    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the CSV row of one video."""
        return _csv_line([_csv_cell(cell) for cell in _stamped_row(outcome, stamp).values()])

    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the rows of a CSV file."""
        complete = content.removeprefix(b"\xef\xbb\xbf")
        reader = csv.reader(io.StringIO(complete.decode("utf-8", "replace"), newline=""))
        if next(reader, None) != list(FILE_COLUMNS):
            raise foreign_file(path, "its columns differ")
        rows = [cells for cells in reader if cells]
        if rows and not complete.endswith(b"\n"):
            rows.pop()
        for cells in rows:
            if len(cells) == len(FILE_COLUMNS):  # else: cut off inside a quoted cell
                yield row_from_cells(dict(zip(FILE_COLUMNS, cells, strict=True)), _csv_line(cells))

    def name_of(self, video: str) -> str:
        """Return the name as its cell holds it."""
        return spreadsheet_text(portable_text(video))


class JournalRows(RowFormat):
    """Flat rows as JSON lines: where the rows of a Parquet file wait."""

    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the journal line of one video."""
        return journal_line(_stamped_row(outcome, stamp))

    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the rows of a journal."""
        for number, line, values in json_objects(content, path):
            if list(values) != list(FILE_COLUMNS):
                raise foreign_file(path, f"the columns of line {number} differ")
            yield row_from_cells(values, line)


def json_objects(content: bytes, path: str) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
    """Yield number, line and object of each whole line."""
    lines = content.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n"):
            return  # the last one, cut off by a kill
        try:
            values = json.loads(line)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise foreign_file(path, f"line {number} is no JSON object")
        yield number, line, values


def _stamped_row(outcome: Assessment | Failure, stamp: FileStamp) -> dict[str, Cell]:
    return flat_row(outcome) | {
        "file_bytes": stamp.file_bytes,
        "file_modified_ns": stamp.file_modified_ns,
    }


def row_from_cells(cells: Mapping[str, Any], encoded: bytes) -> Row:
    """Return the row that the cells of a flat row stand for."""
    has_failed = bool(cells["error_type"])
    model = None if has_failed else ModelIdentity(cells["model_name"], cells["model_version"])
    sizes = (cells["file_bytes"], cells["file_modified_ns"])
    stamp = FileStamp(*(int(size) if size not in ("", None) else None for size in sizes))
    return Row(cells["video"], model, stamp, bool(cells["timeline"]), encoded)


def _csv_line(cells: Sequence[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)
    return text.getvalue().encode("utf-8")


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, str):
        return spreadsheet_text(cell)
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def journal_line(cells: Mapping[str, Cell]) -> bytes:
    """Return a flat row as a line of a journal."""
    return json.dumps(cells).encode("ascii") + b"\n"


def foreign_file(path: str, reason: str) -> InvalidInputError:
    """Return the error for a file that cannot be continued."""
    return InvalidInputError(
        f"cannot resume {path!r}: {reason}, so this version of finevq did not write it; "
        f"choose another file, or leave out --resume to write it anew"
    )
