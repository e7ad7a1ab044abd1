"""Files that results go to, one row a video: JSON lines, CSV, Parquet; safe to stop and resume.

A row is in the file as soon as its video is finished. A Parquet file cannot grow, so its rows wait
in a journal beside it (`FILE.partial.jsonl`) until the end.
"""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from finevq.records import Assessment, Failure
from finevq.report.json_lines import outcome_from_dict
from finevq.report.output_paths import begin_output, open_output, replace_file, writing
from finevq.report.parquet import parquet_bytes, read_parquet, require_pyarrow
from finevq.report.result_rows import (
    FileStamp,
    JournalRows,
    Row,
    RowFormat,
    journal_line,
    json_objects,
    row_from_cells,
)


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
        replace_file(self.parquet_path, parquet_bytes([json.loads(line) for line in lines]))
        Path(self.path).unlink()

    def _read_rows(self) -> dict[str, Row]:
        finished = read_parquet(self.parquet_path)
        rows = {row.video: row for row in (row_from_cells(c, journal_line(c)) for c in finished)}
        return rows | super()._read_rows()


def read_outcomes(path: str) -> dict[str, Assessment | Failure]:
    """Return the records of a JSON lines file by video; of two on one video, the later.

    Raises:
        InvalidInputError: a line is no JSON object.
        KeyError, TypeError, ValueError: an object does not keep the contract.
    """
    content = Path(path).read_bytes()
    outcomes = (outcome_from_dict(values) for _, _, values in json_objects(content, path))
    return {outcome.video: outcome for outcome in outcomes}


def _read(path: str, rows: RowFormat) -> Iterator[Row]:
    if os.path.isfile(path) and (content := Path(path).read_bytes()):
        yield from rows.decode(content, path)
