"""Reading published CSV label files as they are: byte-order marks, odd separators, NaN cells."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from finevq.errors import DatasetError

Row = dict[str, str]


def read_rows(path: Path, *, required: Sequence[str] = ()) -> list[Row]:
    """Read a CSV with a header line.

    Args:
        path: The file; a UTF-8 byte-order mark is dropped.
        required: Columns that must be there.

    Raises:
        DatasetError: the file is missing, empty, not text or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such label file") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise DatasetError(f"{path}: not a CSV text file ({error})") from None
    header = text.split("\n", 1)[0]
    reader = csv.DictReader(text.splitlines(), delimiter=_delimiter_of(header))
    rows = [{(k or "").strip(): (v or "").strip() for k, v in row.items()} for row in reader]
    if not rows:
        raise DatasetError(f"{path}: holds no rows below its header line")
    if missing := [name for name in required if name not in rows[0]]:
        raise DatasetError(
            f"{path}: lacks column {', '.join(missing)}; it has {', '.join(rows[0])}"
        )
    return rows


def columns_of(path: Path) -> tuple[str, ...]:
    """Return the column names of a CSV; empty where the file is no CSV."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            header = file.readline()
    except (OSError, UnicodeDecodeError):
        return ()
    return tuple(
        name.strip() for name in next(csv.reader([header], delimiter=_delimiter_of(header)), [])
    )


def number(row: Row, column: str, path: Path, line: int) -> float:
    """Return a cell as a finite number.

    Raises:
        DatasetError: the cell is empty, no number or not finite.
    """
    value = optional_number(row, column)
    if value is None:
        raise DatasetError(f"{path}, row {line}: {column} is {row.get(column)!r}, not a number")
    return value


def optional_number(row: Row, column: str) -> float | None:
    """Return a cell as a number; None where it is missing, empty, NaN or no number."""
    try:
        value = float(row.get(column, ""))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def optional_int(row: Row, column: str) -> int | None:
    """Return a cell as a whole number; None where there is none."""
    value = optional_number(row, column)
    return None if value is None else round(value)


def _delimiter_of(header: str) -> str:
    return max(",;\t", key=header.count) if header.strip() else ","
