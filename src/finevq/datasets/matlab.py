"""Reading MATLAB label files (.mat) whose cells hold names and numbers."""

from pathlib import Path
from typing import Any

import numpy as np

from finevq.errors import DatasetError, MissingExtraError


def read_matlab(path: Path) -> dict[str, Any]:
    """Return the variables of a .mat file.

    Raises:
        DatasetError: it is no MATLAB file (or one of version 7.3, which is HDF5).
        MissingExtraError: scipy is not installed.
    """
    try:
        import scipy.io  # the evaluation extra
        from scipy.io.matlab import MatReadError
    except ImportError:
        raise MissingExtraError("Reading .mat files", "evaluation") from None
    try:
        load: Any = scipy.io.__dict__["loadmat"]  # scipy ships no types
        variables: dict[str, Any] = load(path)
    except FileNotFoundError:
        raise DatasetError(f"{path}: no such file") from None
    except (MatReadError, NotImplementedError, ValueError, TypeError, OSError) as error:
        raise DatasetError(
            f"{path}: cannot be read as MATLAB v5 ({error}); save it with -v7 or as CSV"
        ) from None
    return {name: value for name, value in variables.items() if not name.startswith("__")}


def names_in(cells: Any) -> list[str]:  # noqa: ANN401 - whatever loadmat made of a cell array
    """Return the strings of a cell array, however deeply MATLAB nested them."""
    names = []
    for cell in np.asarray(cells).ravel():
        inner = cell
        while isinstance(inner, np.ndarray) and inner.size:
            inner = inner.ravel()[0]
        names.append(str(inner).strip())
    return names


def pick(variables: dict[str, Any], candidates: tuple[str, ...], path: Path) -> Any:  # noqa: ANN401
    """Return the first variable of that name, whatever its case.

    Raises:
        DatasetError: none of them is there.
    """
    lowered = {name.lower(): value for name, value in variables.items()}
    for name in candidates:
        if name.lower() in lowered:
            return lowered[name.lower()]
    raise DatasetError(
        f"{path}: none of the variables {', '.join(candidates)}; it has {', '.join(variables)}"
    )
