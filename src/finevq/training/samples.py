"""Labelled videos as training sees them, whatever data set they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from finevq.vocabulary import FAULT_NAMES, Dimension

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingSample:
    """One video or picture with what is known about it; what is unknown is absent."""

    path: str
    group: str
    """Its source: samples of one group stay in one split."""
    split: Split
    mos: Mapping[Dimension, float]
    """On FineVD's scale; human photographs have overall only."""
    severities: Mapping[str, float] | None = None
    """Of each attribute, 0..1; None where nobody knows."""
    dimension_severities: Mapping[Dimension, float] | None = None
    """Of each fault dimension, 0..1; None where nobody knows."""
    distorted: Mapping[Dimension, bool] = field(default_factory=dict)
    """Of each fault dimension; empty where nobody knows."""
    most_impactful: str | None = None
    """A dimension or "none"; None where nobody knows."""
    source_quality: float = 1.0
    """Of what was degraded, before our faults: 0..1; 1 where nobody knows."""
    scene: str | None = None
    """Samples of one scene show the same frames with other faults; None where nobody knows."""
    is_photographed: bool = True
    """False for drawings and for what is shown without color: people's opinions are of photographs
    and tell nothing of these."""

    @property
    def severities_of_faults(self) -> list[float]:
        """Severity, 0..1, of each of `vocabulary.FAULT_NAMES`; 0 where nobody knows."""
        known: dict[str, float] = {**(self.severities or {})}
        known |= {str(name): value for name, value in (self.dimension_severities or {}).items()}
        return [known.get(name, 0.0) for name in FAULT_NAMES]

    @property
    def is_human(self) -> bool:
        """Whether the score is people's opinion and not a known degradation."""
        return self.severities is None
