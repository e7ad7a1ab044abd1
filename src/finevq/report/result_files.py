"""Files that results go to, one row a video: JSON lines, CSV, Parquet; safe to stop and resume.

A row is in the file as soon as its video is finished. A Parquet file cannot grow, so its rows wait
in a journal beside it (`FILE.partial.jsonl`) until the end.

To know later whether a row still holds, the file also says how large each video was and when it
was changed (`file_bytes`, `file_modified_ns`).
"""

import contextlib
import csv
import io
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from finevq.errors import InvalidInputError, MissingExtraError
from finevq.records import Assessment, Failure, ModelIdentity
from finevq.report.json_lines import json_line, outcome_from_dict
from finevq.report.output_paths import begin_output, open_output, replace_file, writing
from finevq.report.rows import COLUMNS, Cell, flat_row
from finevq.report.text import portable_text

_STAMP_COLUMNS: Mapping[str, type] = {"file_bytes": int, "file_modified_ns": int}
_FILE_COLUMNS: Mapping[str, type] = {**COLUMNS, **_STAMP_COLUMNS}


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
        for number, line, values in _json_objects(content, path):
            try:
                outcome = outcome_from_dict(values)
                stamp = FileStamp(values["file_bytes"], values["file_modified_ns"])
            except (KeyError, TypeError, ValueError):
                raise _foreign_file(path, f"line {number} is no result with file facts") from None
            model = outcome.model if isinstance(outcome, Assessment) else None
            yield Row(outcome.video, model, stamp, "timeline" in values, line)

    def name_of(self, video: str) -> str:
        """Return the name unchanged: JSON escapes whatever it cannot hold."""
        return video


class CsvRows(RowFormat):
    """Comma-separated, UTF-8, one header line; empty cells for what is not known."""

    def __init__(self) -> None:
        self.header = _csv_line(list(_FILE_COLUMNS))

    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the CSV row of one video."""
        return _csv_line([_csv_cell(cell) for cell in _stamped_row(outcome, stamp).values()])

    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the rows of a CSV file."""
        complete = content.removeprefix(b"\xef\xbb\xbf")
        reader = csv.reader(io.StringIO(complete.decode("utf-8", "replace"), newline=""))
        if next(reader, None) != list(_FILE_COLUMNS):
            raise _foreign_file(path, "its columns differ")
        rows = [cells for cells in reader if cells]
        if rows and not complete.endswith(b"\n"):
            rows.pop()
        for cells in rows:
            if len(cells) == len(_FILE_COLUMNS):  # else: cut off inside a quoted cell
                yield _row_from_cells(
                    dict(zip(_FILE_COLUMNS, cells, strict=True)), _csv_line(cells)
                )


class JournalRows(RowFormat):
    """Flat rows as JSON lines: where the rows of a Parquet file wait."""

    def encode(self, outcome: Assessment | Failure, stamp: FileStamp) -> bytes:
        """Return the journal line of one video."""
        return _journal_line(_stamped_row(outcome, stamp))

    def decode(self, content: bytes, path: str) -> Iterator[Row]:
        """Yield the rows of a journal."""
        for number, line, values in _json_objects(content, path):
            if list(values) != list(_FILE_COLUMNS):
                raise _foreign_file(path, f"the columns of line {number} differ")
            yield _row_from_cells(values, line)


class ResultFile:
    """A file of rows that grows with each finished video.

    Args:
        path: Where rows go; begun anew, or with `resume` continued.
        rows: How rows are written.
        resume: Keep the rows that are there.

    Raises:
        InvalidInputError: the file cannot be written, or not be continued.
    """

    def __init__(self, path: str, rows: RowFormat, *, resume: bool = False) -> None:
        self.path = path
        self._format = rows
        self._kept: dict[str, Row] | None = self._read_rows() if resume else None
        self._file = self._begin()

    def find(self, video: str) -> Row | None:
        """Return the row that the file already has for a video."""
        return (self._kept or {}).get(self._format.name_of(video))

    def write(self, outcome: Assessment | Failure, stamp: FileStamp) -> None:
        """Append the row of one video; it is in the file when this returns."""
        line = self._format.encode(outcome, stamp)
        with writing(self.path):
            self._file.write(line)
            self._file.flush()
        if self._kept is not None:
            name = self._format.name_of(outcome.video)
            model = outcome.model if isinstance(outcome, Assessment) else None
            self._kept[name] = Row(name, model, stamp, False, line)

    def abandon(self) -> None:
        """Let go of the file as it is, for `resume` to continue; for when the work cannot go on."""
        with contextlib.suppress(OSError):  # the disk that was full still is
            self._file.close()

    def close(self, order: Sequence[str] = ()) -> None:
        """Finish; a continued file is put in the order of the call, other videos' rows first."""
        with writing(self.path):
            self._file.close()
        if self._kept is not None:
            replace_file(self.path, self._content(self._in_order(order)))

    def _in_order(self, order: Sequence[str]) -> Iterator[Row]:
        kept = self._kept or {}
        names = dict.fromkeys(self._format.name_of(video) for video in order)
        yield from (row for name, row in kept.items() if name not in names)
        yield from (kept[name] for name in names if name in kept)

    def _content(self, rows: Iterable[Row]) -> bytes:
        return self._format.header + b"".join(row.encoded for row in rows)

    def _read_rows(self) -> dict[str, Row]:
        return {row.video: row for row in _read(self.path, self._format)}

    def _begin(self) -> BinaryIO:
        if self._kept is None:
            return begin_output(self.path, self._format.header)
        # Whole rows only: what a kill has cut off goes.
        replace_file(self.path, self._content(self._kept.values()))
        return open_output(self.path, "ab")


class ParquetFile(ResultFile):
    """A Parquet file, made at the end from the journal beside it.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, path: str, *, resume: bool = False) -> None:
        require_pyarrow()
        self.parquet_path = path
        open_output(path, "ab").close()  # whether it can be written, before the work
        super().__init__(f"{path}.partial.jsonl", JournalRows(), resume=resume)

    def close(self, order: Sequence[str] = ()) -> None:
        """Write the Parquet file and remove the journal."""
        super().close(order)
        with writing(self.path):
            lines = Path(self.path).read_bytes().splitlines()
        replace_file(self.parquet_path, _parquet_bytes([json.loads(line) for line in lines]))
        Path(self.path).unlink()

    def _read_rows(self) -> dict[str, Row]:
        finished = _read_parquet(self.parquet_path)
        rows = {row.video: row for row in (_row_from_cells(c, _journal_line(c)) for c in finished)}
        return rows | super()._read_rows()


def read_outcomes(path: str) -> dict[str, Assessment | Failure]:
    """Return the records of a JSON lines file by video; of two on one video, the later.

    Raises:
        InvalidInputError: a line is no JSON object.
        KeyError, TypeError, ValueError: an object does not keep the contract.
    """
    content = Path(path).read_bytes()
    outcomes = (outcome_from_dict(values) for _, _, values in _json_objects(content, path))
    return {outcome.video: outcome for outcome in outcomes}


def _read(path: str, rows: RowFormat) -> Iterator[Row]:
    if os.path.isfile(path) and (content := Path(path).read_bytes()):
        yield from rows.decode(content, path)


def _json_objects(content: bytes, path: str) -> Iterator[tuple[int, bytes, dict[str, Any]]]:
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
            raise _foreign_file(path, f"line {number} is no JSON object")
        yield number, line, values


def _stamped_row(outcome: Assessment | Failure, stamp: FileStamp) -> dict[str, Cell]:
    return flat_row(outcome) | {
        "file_bytes": stamp.file_bytes,
        "file_modified_ns": stamp.file_modified_ns,
    }


def _row_from_cells(cells: Mapping[str, Any], encoded: bytes) -> Row:
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
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _journal_line(cells: Mapping[str, Cell]) -> bytes:
    return json.dumps(cells).encode("ascii") + b"\n"


def require_pyarrow() -> Any:  # noqa: ANN401  # a module without types
    """Return pyarrow with its Parquet part.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import pyarrow.parquet  # an optional extra
    except ImportError:
        raise MissingExtraError("Writing Parquet", "parquet") from None
    return pyarrow


def _parquet_bytes(rows: Sequence[Mapping[str, Cell]]) -> bytes:
    pyarrow = require_pyarrow()
    kinds = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in _FILE_COLUMNS.items()])
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), buffer)
    return buffer.getvalue()


def _read_parquet(path: str) -> list[dict[str, Any]]:
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return []
    pyarrow = require_pyarrow()
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise _foreign_file(path, f"it is no Parquet file ({error})") from None
    if table.column_names != list(_FILE_COLUMNS):
        raise _foreign_file(path, "its columns differ")
    return list(table.to_pylist())


def _foreign_file(path: str, reason: str) -> InvalidInputError:
    return InvalidInputError(
        f"cannot resume {path!r}: {reason}, so this version of finevq did not write it; "
        f"choose another file, or leave out --resume to write it anew"
    )
