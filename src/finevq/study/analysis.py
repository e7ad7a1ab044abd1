"""One analysis of one dimension: a method's estimate with names, as JSON and as rows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from finevq.errors import StudyError
from finevq.study.mos import Estimate, differential, estimate
from finevq.study.votes import VoteTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Analysis:
    """What a method makes of a table of votes."""

    method: str
    dimension: str
    table: VoteTable
    """The votes as given (differential scores: as they entered the method)."""
    estimate: Estimate

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of `finevq study analyze --json`; NaN becomes None."""
        ci95 = self.estimate.ci95
        return {
            "stimuli": [
                {
                    "stimulus": name,
                    "quality": _number(self.estimate.quality[index]),
                    "ci95": [_number(ci95[index, 0]), _number(ci95[index, 1])],
                }
                for index, name in enumerate(self.table.stimuli)
            ],
            "subjects": [
                {
                    "subject": name,
                    "bias": _number(self.estimate.bias[index]),
                    "inconsistency": _number(self.estimate.inconsistency[index]),
                    "rejected": bool(self.estimate.rejected[index]),
                }
                for index, name in enumerate(self.table.subjects)
            ],
        }

    def to_text_rows(self) -> list[tuple[str, str, str, str]]:
        """Return (stimulus, quality, interval, votes) as text."""
        return [
            (
                name,
                _decimals(self.estimate.quality[index]),
                f"{_decimals(low)} .. {_decimals(high)}",
                str(self.estimate.num_votes[index]),
            )
            for index, (name, (low, high)) in enumerate(
                zip(self.table.stimuli, self.estimate.ci95, strict=True)
            )
        ]

    def rejection_sentence(self) -> str:
        """Say who was rejected."""
        names = [
            name
            for name, is_out in zip(self.table.subjects, self.estimate.rejected, strict=True)
            if is_out
        ]
        return f"rejected: {', '.join(names)}" if names else "no subject is rejected"


def _decimals(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"


def analyze(
    tables: Mapping[str, VoteTable],
    *,
    method: str,
    dimension: str | None = None,
    dmos: bool = False,
    reference_score: float | None = None,
) -> dict[str, Analysis]:
    """Run a method on every dimension, or on one.

    Args:
        tables: Votes by dimension.
        method: A key of `mos.METHODS`.
        dimension: The only dimension wanted; all where None.
        dmos: Analyse votes relative to the hidden references.
        reference_score: What a reference gets in differential scores; the highest vote where None.

    Raises:
        StudyError: the method or dimension is unknown, or a hidden reference is missing.
    """
    if dimension is not None and dimension not in tables:
        raise StudyError(f"no votes for {dimension!r}; there are {', '.join(tables)}")
    wanted = {dimension: tables[dimension]} if dimension is not None else tables
    analyses = {}
    for name, votes in wanted.items():
        table = differential(votes, reference_score) if dmos else votes
        analyses[name] = Analysis(
            method=method, dimension=name, table=table, estimate=estimate(table.votes, method)
        )
    return analyses


def to_json(analyses: Mapping[str, Analysis]) -> dict[str, Any]:
    """Return one analysis as it is, several under `dimensions`."""
    if len(analyses) == 1:
        return next(iter(analyses.values())).to_dict()
    return {"dimensions": {name: analysis.to_dict() for name, analysis in analyses.items()}}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
