"""Tables and their plots as one self-contained HTML page."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from finevq.evaluation.tables import KINDS, Cell, Column, Row, Table, interval_text


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot with its description for those who cannot see it."""

    name: str
    """File name without suffix."""
    alt: str
    png: bytes
    caption: str = ""
    """What the colors mean."""


def to_html(title: str, tables: Sequence[Table], pictures: Mapping[str, Sequence[Picture]]) -> str:
    """Return a page with all tables; `pictures` holds the plots by table key."""
    from jinja2 import Environment  # start-up time

    source = resources.files("finevq.evaluation.pages").joinpath("tables.html.j2")
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(source.read_text(encoding="utf-8"))
    shown = [_shown(table, pictures.get(table.key, ())) for table in tables]
    return template.render(title=title, tables=shown)


def _shown(table: Table, pictures: Sequence[Picture]) -> dict[str, Any]:
    groups: list[dict[str, Any]] = []
    starts = []
    for column in table.columns:
        is_new = not groups or groups[-1]["name"] != column.group
        starts.append(is_new and bool(column.group))
        if is_new:
            groups.append({"name": column.group, "width": 0})
        groups[-1]["width"] += 1
    rows = table.ordered_rows()
    return {
        "key": table.key,
        "title": table.title,
        "groups": groups if any(group["name"] for group in groups) else [],
        "heads": [
            {"text": f"{c.title} {'↑' if c.higher_is_better else '↓'}", "starts": start}
            for c, start in zip(table.columns, starts, strict=True)
        ],
        "sections": [
            {
                "kind": kind,
                "title": table.kind_title(kind),
                "rows": [_row(table, row, starts) for row in rows if row.kind == kind],
            }
            for kind in KINDS
            if any(row.kind == kind for row in rows)
        ],
        "notes": table.all_notes(),
        "pictures": [
            {
                "alt": picture.alt,
                "caption": picture.caption,
                "data": base64.b64encode(picture.png).decode(),
            }
            for picture in pictures
        ],
    }


def _row(table: Table, row: Row, starts: Sequence[bool]) -> dict[str, Any]:
    cells = []
    for column, start in zip(table.columns, starts, strict=True):
        cell = row.cells.get(column.key)
        cells.append({**_cell(cell, column), "mark": table.mark(row, column), "starts": start})
    return {"name": row.name, "cells": cells}


def _cell(cell: Cell | None, column: Column) -> dict[str, str]:
    if cell is None:
        return {"text": "", "interval": "", "reason": ""}
    return {
        "text": cell.text(column.digits),
        "interval": interval_text(cell, column).strip(" []").replace(", ", " – "),
        "reason": cell.measure.undefined_because,
    }
