"""Reading feature matrices: MATLAB, NumPy and CSV files, one row a video."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finevq.datasets.generic_csv import NAME_COLUMNS
from finevq.datasets.matlab import read_matlab
from finevq.errors import DatasetError

_PUBLISHED_SCORES = "y_pred"
_LABEL_COLUMNS = frozenset({"mos", "dmos", "mosfull"})


@dataclass(frozen=True, kw_only=True, slots=True)
class FeatureMatrix:
    """What a feature file holds."""

    values: NDArray[np.float64]
    """(N, D), finite."""
    names: tuple[str, ...] = ()
    """Video of each row, where the file says."""
    notes: list[str] = field(default_factory=list)
    """What was done to the values, for people."""


def read_features(path: Path, *, variable: str = "") -> FeatureMatrix:
    """Read a feature matrix.

    In a CSV, a column of names (name, video, flickr_id, ...) names the rows; columns of labels
    (mos, mos_*) never become features, and neither do columns of words.

    Args:
        path: .mat, .npy, .npz or .csv (header optional).
        variable: Name inside a .mat or .npz; empty: `y_pred` (published scores), else the
            largest matrix.

    Returns:
        The matrix; NaN, infinity and empty cells count as 0, as in the published protocol.

    Raises:
        DatasetError: the file cannot be read as a matrix.
    """
    readers = {".mat": _from_archive, ".npz": _from_archive, ".npy": _from_npy}
    suffix = path.suffix.lower()
    if suffix not in {*readers, ".csv"}:
        raise DatasetError(
            f"{path}: features are read from {', '.join(readers)}, .csv, not {suffix or 'this'}"
        )
    if not path.is_file():
        raise DatasetError(f"{path}: no such feature file")
    if suffix == ".csv":
        return _from_csv(path)
    return FeatureMatrix(**_cleaned(_as_matrix(readers[suffix](path, variable), path)))


def _as_matrix(values: Any, path: Path) -> NDArray[np.float64]:  # noqa: ANN401 - what files hold
    try:
        matrix: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{path}: holds no matrix of real numbers ({error})") from None
    if matrix.ndim == 1 or 1 in matrix.shape:
        matrix = matrix.reshape(-1, 1)
    if matrix.ndim != 2:
        raise DatasetError(
            f"{path}: features have {matrix.ndim} axes; (videos, features) is needed"
        )
    return matrix


def _cleaned(matrix: NDArray[np.float64]) -> dict[str, Any]:
    is_finite = np.isfinite(matrix)
    num_bad = int((~is_finite).sum())
    note = f"{num_bad} values are NaN, infinite or empty and count as 0"
    return {"values": np.where(is_finite, matrix, 0.0), "notes": [note] if num_bad else []}


def _from_archive(path: Path, variable: str) -> Any:  # noqa: ANN401 - whatever the file holds
    if path.suffix.lower() == ".npz":
        try:
            with np.load(path, allow_pickle=False) as archive:
                variables: dict[str, Any] = dict(archive)
        except (OSError, ValueError) as error:
            raise DatasetError(f"{path}: not a NumPy archive of plain arrays ({error})") from None
    else:
        variables = read_matlab(path)
    numeric = {k: v for k, v in variables.items() if np.issubdtype(np.asarray(v).dtype, np.number)}
    if not variable:
        variable = (
            _PUBLISHED_SCORES
            if _PUBLISHED_SCORES in numeric
            else max(numeric, key=lambda name: int(numeric[name].size), default="")
        )
    if variable not in numeric:
        raise DatasetError(
            f"{path}: no numeric variable {variable!r}; it has {', '.join(numeric) or 'none'}"
        )
    return numeric[variable]


def _from_npy(path: Path, variable: str) -> Any:  # noqa: ANN401 - whatever the file holds
    del variable
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{path}: not a plain NumPy array ({error})") from None


def _from_csv(path: Path) -> FeatureMatrix:
    try:
        rows = [row for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{path}: not a CSV text file ({error})") from None
    has_header = bool(rows) and not all(_is_number(cell or "0") for cell in rows[0])
    header = [cell.strip().lower() for cell in rows[0]] if has_header else []
    body = rows[1:] if has_header else rows
    width = len(rows[0]) if rows else 0
    for number, row in enumerate(body, start=1 + has_header):
        if len(row) != width:
            raise DatasetError(f"{path}, row {number}: {len(row)} cells, the first row has {width}")
    columns = list(zip(*body, strict=True))
    titles = header or [""] * len(columns)
    names: tuple[str, ...] = ()
    labels, numbers = [], []
    for title, column in zip(titles, columns, strict=False):
        if title in NAME_COLUMNS:
            names = names or tuple(cell.strip() for cell in column)
        elif title in _LABEL_COLUMNS or title.startswith("mos_"):
            labels.append(title)
        elif _is_numeric(column):
            numbers.append([float(cell) if cell.strip() else np.nan for cell in column])
    if not numbers:
        raise DatasetError(f"{path}: holds no column of numbers that may be a feature")
    cleaned = _cleaned(np.array(numbers).T)
    if labels:
        cleaned["notes"].append(f"columns {', '.join(labels)} are labels and no features")
    return FeatureMatrix(names=names, **cleaned)


def _is_numeric(column: Sequence[str]) -> bool:
    filled = [cell for cell in column if cell.strip()]
    return bool(filled) and all(map(_is_number, filled))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
