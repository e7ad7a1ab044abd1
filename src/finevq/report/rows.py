"""One flat row a video, for CSV and Parquet: the same columns for every video, failures included.

Level probabilities are left to JSON; the timeline is one cell of JSON text.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType

from finevq.records import Assessment, DimensionAssessment, Failure
from finevq.report.json_lines import to_json_dict
from finevq.report.text import portable_text
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, FAULT_DIMENSIONS

Cell = str | int | float | bool | None

_MEDIA: Mapping[str, type] = {
    "codec": str,
    "width": int,
    "height": int,
    "fps": float,
    "num_frames": int,
    "duration_seconds": float,
    "rotation_degrees": int,
    "pixel_format": str,
    "container": str,
    "bit_rate": int,
}


def _columns() -> dict[str, type]:
    columns: dict[str, type] = {"video": str, "model_name": str, "model_version": str}
    for dimension in DIMENSIONS[::-1]:  # overall first: what most people look for
        columns[f"{dimension}_score"] = float
        columns[f"{dimension}_level"] = str
        columns[f"{dimension}_percentile"] = float
    columns |= {"most_impactful": str, "description": str}
    for dimension in FAULT_DIMENSIONS:
        columns[f"{dimension}_distorted"] = bool
        columns[f"{dimension}_distorted_probability"] = float
    columns |= {attribute_column(name): float for name in ALL_ATTRIBUTES}
    columns |= _MEDIA
    columns |= {"decode_seconds": float, "model_seconds": float, "warnings": str, "timeline": str}
    return columns | {"error_type": str, "error_message": str}


def attribute_column(name: str) -> str:
    """Return the column of an attribute's probability.

    >>> attribute_column("low saturation")
    'low_saturation_probability'
    """
    return f"{name.replace(' ', '_')}_probability"


COLUMNS: Mapping[str, type] = MappingProxyType(_columns())
"""Column names in order, with the type of their cells; any cell may be empty."""


def flat_row(outcome: Assessment | Failure) -> dict[str, Cell]:
    """Return the row of one video: every column of `COLUMNS`, None where there is no value."""
    row: dict[str, Cell] = dict.fromkeys(COLUMNS)
    if isinstance(outcome, Failure):
        row |= {"error_type": outcome.error_type, "error_message": outcome.message}
    else:
        row |= _assessment_cells(outcome)
    row["video"] = outcome.video
    return {
        name: portable_text(cell) if isinstance(cell, str) else cell for name, cell in row.items()
    }


def _assessment_cells(assessment: Assessment) -> dict[str, Cell]:
    values = to_json_dict(assessment)  # rounded
    cells: dict[str, Cell] = {
        "model_name": assessment.model.name,
        "model_version": assessment.model.version,
        "most_impactful": assessment.most_impactful,
        "description": assessment.description,
        "decode_seconds": values["seconds"].get("decode"),
        "model_seconds": values["seconds"].get("model"),
        "warnings": "; ".join(assessment.warnings) or None,
        "timeline": json.dumps(values["timeline"]) if assessment.timeline else None,
    }
    cells |= {name: values["media"][name] for name in _MEDIA}
    for dimension, part in assessment.dimensions.items():
        cells |= _dimension_cells(dimension, part, values["dimensions"][dimension])
    return cells


def _dimension_cells(
    dimension: str, part: DimensionAssessment, rounded: Mapping[str, Cell]
) -> dict[str, Cell]:
    cells: dict[str, Cell] = {
        f"{dimension}_{name}": rounded[name] for name in ("score", "level", "percentile")
    }
    if part.distorted is not None:
        cells[f"{dimension}_distorted"] = part.distorted
        cells[f"{dimension}_distorted_probability"] = rounded["distorted_probability"]
    for estimate in part.attributes:
        cells[attribute_column(estimate.name)] = round(estimate.probability, 4)
    return cells
