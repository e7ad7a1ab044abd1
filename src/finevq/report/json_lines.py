"""One JSON object a video and line: the contract of `finevq assess --json`, and back again."""

import json
import math
from collections.abc import Mapping
from typing import Any

from finevq.records import (
    Assessment,
    AttributeEstimate,
    DimensionAssessment,
    Failure,
    MediaInfo,
    ModelIdentity,
    TimelineSegment,
)
from finevq.vocabulary import Dimension

_DIGITS: Mapping[str, int] = {
    "score": 2,
    "scores": 2,
    "percentile": 1,
    "level_probabilities": 4,
    "probability": 4,
    "distorted_probability": 4,
    "most_impactful_probabilities": 4,
    "fps": 3,
    "duration_seconds": 3,
    "start_seconds": 3,
    "end_seconds": 3,
    "seconds": 3,
}
"""Decimals kept, by the key that a number stands under or below: finer ones mean nothing."""


def to_json_dict(outcome: Assessment | Failure) -> dict[str, Any]:
    """Return `outcome.to_dict()` with sensible decimals; what is no finite number becomes None."""
    return {key: _rounded(value, key) for key, value in outcome.to_dict().items()}


def json_line(outcome: Assessment | Failure, **extra: Any) -> bytes:  # noqa: ANN401  # JSON values
    """Return the line of one video, with its line end; ASCII, so any terminal and pipe takes it.

    Args:
        outcome: What became of the video.
        extra: Further keys, put behind the contract's.
    """
    text = json.dumps(to_json_dict(outcome) | extra, ensure_ascii=True, allow_nan=False)
    return text.encode("ascii") + b"\n"


def outcome_from_dict(values: Mapping[str, Any]) -> Assessment | Failure:
    """Return the record that a JSON object of this contract was made from.

    Raises:
        KeyError, TypeError, ValueError: the object does not keep the contract.
    """
    if "error" in values:
        return Failure(values["video"], values["error"]["type"], values["error"]["message"])
    return Assessment(
        video=values["video"],
        model=ModelIdentity(**values["model"]),
        dimensions={
            Dimension(name): _dimension_from_dict(part)
            for name, part in values["dimensions"].items()
        },
        most_impactful=values["most_impactful"],
        most_impactful_probabilities=values.get("most_impactful_probabilities", {}),
        description=values["description"],
        media=MediaInfo(**values["media"]),
        seconds=values["seconds"],
        timeline=tuple(_segment_from_dict(part) for part in values.get("timeline", ())),
        warnings=tuple(values.get("warnings", ())),
    )


def _dimension_from_dict(values: Mapping[str, Any]) -> DimensionAssessment:
    attributes = tuple(AttributeEstimate(**part) for part in values.get("attributes", ()))
    return DimensionAssessment(**{**values, "attributes": attributes})


def _segment_from_dict(values: Mapping[str, Any]) -> TimelineSegment:
    scores = {Dimension(name): score for name, score in values["scores"].items()}
    return TimelineSegment(values["start_seconds"], values["end_seconds"], scores)


def _rounded(value: Any, key: str) -> Any:  # noqa: ANN401  # JSON values
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return round(value, _DIGITS[key]) if key in _DIGITS else value
    if isinstance(value, Mapping):
        return {
            name: _rounded(part, key if key in _DIGITS else name) for name, part in value.items()
        }
    if isinstance(value, list | tuple):
        return [_rounded(part, key) for part in value]
    return value
