"""Flat rows as a Parquet file: in memory, whole."""

import io
import os
from collections.abc import Mapping, Sequence
from typing import Any

from finevq.errors import MissingExtraError
from finevq.report.result_rows import FILE_COLUMNS, foreign_file
from finevq.report.rows import Cell


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


def parquet_bytes(rows: Sequence[Mapping[str, Cell]]) -> bytes:
    """Return a Parquet file of the rows."""
    pyarrow = require_pyarrow()
    kinds = {
        str: pyarrow.string(),
        int: pyarrow.int64(),
        float: pyarrow.float64(),
        bool: pyarrow.bool_(),
    }
    schema = pyarrow.schema([(name, kinds[kind]) for name, kind in FILE_COLUMNS.items()])
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(list(rows), schema=schema), buffer)
    return buffer.getvalue()


def read_parquet(path: str) -> list[dict[str, Any]]:
    """Return the rows of a Parquet file; none where there is no file, or an empty one.

    Raises:
        InvalidInputError: this version did not write it.
    """
    if not os.path.isfile(path) or os.path.getsize(path) == 0:
        return []
    pyarrow = require_pyarrow()
    try:
        table = pyarrow.parquet.read_table(path)
    except pyarrow.ArrowException as error:
        raise foreign_file(path, f"it is no Parquet file ({error})") from None
    if table.column_names != list(FILE_COLUMNS):
        raise foreign_file(path, "its columns differ")
    return list(table.to_pylist())
