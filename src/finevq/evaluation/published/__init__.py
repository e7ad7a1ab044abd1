"""The paper's tables as CSV files, read with `load`.

Source: Duan et al., "FineVQ: Fine-grained user generated content video quality assessment", CVPR
2025, tables 1-7. Empty cells are "N/A" in the paper.
"""

import csv
from collections.abc import Mapping
from importlib import resources

SOURCE = "FineVQ, CVPR 2025"


def load(table: str) -> dict[str, dict[str, float]]:
    """Return a published table: method to column to value; missing results are left out.

    >>> load("table7")["FineVQ"]["fps"]
    129.3
    """
    file = resources.files(__name__).joinpath(f"{table}.csv")
    rows = csv.DictReader(file.read_text(encoding="utf-8").splitlines())
    return {row["method"]: _numbers(row) for row in rows}


def _numbers(row: Mapping[str, str]) -> dict[str, float]:
    return {name: float(cell) for name, cell in row.items() if name != "method" and cell}
