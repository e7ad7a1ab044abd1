"""From severities to what FineVD's subjects would say: six MOS, levels, yes/no, most impactful.

Everything lives on FineVD's scale. The rules, and where their numbers come from:

- A clean clip scores about 74 and a ruined one about 12: the 99th and the 0.3rd percentile of the
  overall MOS of FineVD's 5,074 public videos. `scale_from_labels` derives them from a labels.csv.
- A dimension falls with its own severity, and by a mild halo of the overall fall, since real
  raters do not separate dimensions cleanly (SRCC .88-.96 of each dimension with overall there).
- Overall follows the worst fault, blur first: a p-norm of the weighted falls. Where VMAF is
  known it replaces the formula's part for what VMAF sees (blur and artifact).
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finevq.datasets.degradations.chain import dimension_severities
from finevq.errors import DatasetError
from finevq.vocabulary import (
    ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    Dimension,
    level_index,
    levels_of,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelScale:
    """The range of a data set's MOS."""

    low: float = 9.8
    """Lowest overall MOS: the lower end of the worst level."""
    high: float = 77.6
    """Highest overall MOS: the upper end of the best level."""
    clean: float = 74.0
    """MOS of a clip without a fault."""
    ruined: float = 12.0
    """MOS of a clip with one severe fault of full weight."""


FINEVD_SCALE = LabelScale()

OVERALL_WEIGHTS: Mapping[Dimension, float] = {
    Dimension.BLUR: 1.0,
    Dimension.ARTIFACT: 0.95,
    Dimension.TEMPORAL: 0.85,
    Dimension.NOISE: 0.85,
    Dimension.COLOR: 0.8,
}
"""How much a dimension's fall counts in overall, relative to blur.

The order is that of a regression of FineVD's overall MOS on the five others (.34 blur, .26
temporal, .24 color, .18 artifact, .13 noise) and of its most impactful dimensions (blur 47 %,
artifact 13 %); the size is set so that any single severe fault makes a bad video.
"""

HALO = 0.18
"""Share of the overall fall that each dimension inherits."""
PRESENT_FROM = 0.15
"""Severity from which an attribute counts as existing and a dimension as distorted."""
_NORM = 4.0
_SEEN_BY_VMAF = (Dimension.BLUR, Dimension.ARTIFACT)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipLabels:
    """What a clip is labelled with."""

    mos: Mapping[Dimension, float]
    """Six, on FineVD's scale."""
    levels: Mapping[Dimension, str]
    """Six level words."""
    severities: Mapping[Dimension, float]
    """Five, 0..1."""
    distorted: Mapping[Dimension, bool]
    """Five."""
    attributes: tuple[str, ...]
    """Existing ones, worst first."""
    most_impactful: str
    """One of five dimensions, or "none"."""


def label_clip(
    attribute_severities: Mapping[str, float],
    *,
    vmaf: float | None = None,
    source_quality: float = 1.0,
    scale: LabelScale = FINEVD_SCALE,
) -> ClipLabels:
    """Label a degraded clip.

    Args:
        attribute_severities: Name -> severity 0..1 of the attributes present.
        vmaf: 0..100 against the clean source, where measured.
        source_quality: 1 for a flawless source, 0 for one that is as bad as can be.
        scale: The data set's range.

    >>> labels = label_clip({"camera blur": 0.9})
    >>> labels.most_impactful, labels.levels[Dimension.BLUR], labels.levels[Dimension.NOISE]
    ('blur', 'severe', 'slight')
    """
    severities = dimension_severities(attribute_severities)
    span = scale.clean - scale.ruined
    falls = {d: _fall(severities[d]) for d in FAULT_DIMENSIONS}
    weighted = {d: OVERALL_WEIGHTS[d] * falls[d] for d in FAULT_DIMENSIONS}
    overall_fall = _joined(weighted, vmaf)
    base = scale.ruined + source_quality * span
    mos = {
        d: _placed(base, (1 - HALO) * falls[d] + HALO * overall_fall, scale)
        for d in FAULT_DIMENSIONS
    }
    mos[Dimension.OVERALL] = _placed(base, overall_fall, scale)
    worst = max(FAULT_DIMENSIONS, key=lambda d: weighted[d])
    existing = sorted(
        (name for name, s in attribute_severities.items() if s >= PRESENT_FROM),
        key=lambda name: -attribute_severities[name],
    )
    return ClipLabels(
        mos=mos,
        levels={d: levels_of(d)[level_index(mos[d], scale.low, scale.high)] for d in DIMENSIONS},
        severities=severities,
        distorted={d: severities[d] >= PRESENT_FROM for d in FAULT_DIMENSIONS},
        attributes=tuple(existing),
        most_impactful=str(worst) if severities[worst] >= PRESENT_FROM else NO_FAULT,
    )


def _fall(severity: float) -> float:
    """Return the share of the scale that a severity costs; severity is perceptual already."""
    return severity


def _joined(weighted: Mapping[Dimension, float], vmaf: float | None) -> float:
    falls = dict(weighted)
    if vmaf is not None:
        seen = max(falls[d] for d in _SEEN_BY_VMAF)
        measured = vmaf_fall(vmaf)
        for dimension in _SEEN_BY_VMAF:
            # Keep the mutual proportion of blur and artifact, move their level half way.
            if seen > 0:
                falls[dimension] *= (0.5 * seen + 0.5 * measured) / seen
    values = np.array(list(falls.values()))
    return float(min(1.0, (values**_NORM).sum() ** (1 / _NORM)))


def vmaf_fall(vmaf: float) -> float:
    """Return the share of the scale lost at a VMAF score: 0 above 97, 1 below about 10.

    >>> vmaf_fall(100), round(vmaf_fall(60), 2)
    (0.0, 0.43)
    """
    return float(np.clip((97.0 - vmaf) / 87.0, 0.0, 1.0))


def _placed(base: float, fall: float, scale: LabelScale) -> float:
    return round(base - fall * (base - scale.ruined), 3)


def scale_from_labels(path: Path) -> LabelScale:
    """Derive the scale from a FineVD labels.csv (column mos_overall).

    Raises:
        DatasetError: the file has no such column or no rows.
    """
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not rows or "mos_overall" not in rows[0]:
        raise DatasetError(f"{path}: expected rows with a column mos_overall")
    overall = np.array([float(row["mos_overall"]) for row in rows])
    return LabelScale(
        low=round(float(overall.min()), 1),
        high=round(float(overall.max()), 1),
        clean=round(float(np.percentile(overall, 99)), 1),
        ruined=round(float(np.percentile(overall, 0.3)), 1),
    )


def order_of_attributes() -> tuple[str, ...]:
    """Return all 27 names in the vocabulary's order: the columns of a severity vector."""
    return tuple(name for dimension in FAULT_DIMENSIONS for name in ATTRIBUTES[dimension])
