"""From severities to what FineVD's subjects would say: six MOS, levels, yes/no, most impactful.

Everything lives on FineVD's scale. The rules, and where their numbers come from:

- A clean clip scores about 74 and a ruined one about 12: the 99th and the 0.3rd percentile of the
  overall MOS of FineVD's 5,074 public videos. `scale_from_labels` derives them from a labels.csv.
- A dimension falls with its own severity, and by a mild halo of the overall fall, since real
  raters do not separate dimensions cleanly (SRCC .88-.96 of each dimension with overall there).
- Overall follows the worst fault, blur first: a p-norm of the weighted falls. Where VMAF is
  measured and only faults that it judges well touched the picture, the level of blur and
  artifact in this norm moves half way to what VMAF says.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from finevq.datasets.degradations.chain import dimension_severities
from finevq.errors import DatasetError
from finevq.vocabulary import (
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    Dimension,
    dimension_of,
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

HALO = 0.12
"""Share of the overall fall that each dimension inherits."""
SOURCE_SHARE = 0.5
"""Share of the source's own fall that each dimension inherits. In which dimension a photograph that
people rate badly is bad nobody has said; overall inherits all of it."""
WITHOUT_COLOR = 0.6
"""Severity of low saturation of a source that is shown without any color. Less than of color that
was all lost to a fault, since black-and-white may be meant; but nobody can tell them apart by
looking, and a picture that loses its color must not come closer to a flawless one by that."""
PRESENT_FROM = 0.15
"""Severity from which an attribute counts as existing and a dimension as distorted."""
_LOW_SATURATION = "low saturation"
_NORM = 4.0
_NEGLIGIBLE = 0.1
_SEEN_DIMENSIONS = (Dimension.BLUR, Dimension.ARTIFACT)
_SEEN_BY_VMAF = frozenset(
    {
        "compression artifact",
        "blocking",
        "resolution blur",
        "camera blur",
        "compression blur",
        "motion blur",
        "gaussian blur",
        "other blur",
    }
)
"""Loss of detail and block edges, which VMAF is made for; halos it even rewards."""
_UNSEEN_BY_VMAF = frozenset({_LOW_SATURATION})
"""What leaves luma as it is, of which alone VMAF is computed: it says as much of blur and artifact
with this as without."""


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
    ('blur', 'severe', 'undistorted')
    """
    severities = dimension_severities(attribute_severities)
    span = scale.clean - scale.ruined
    weighted = {d: OVERALL_WEIGHTS[d] * severities[d] for d in FAULT_DIMENSIONS}
    measured = None
    if vmaf is not None and _is_judged_by_vmaf(attribute_severities):
        measured = vmaf_fall(vmaf)
    overall_fall = _joined(weighted, measured)
    base = scale.ruined + source_quality * span
    dimension_base = scale.clean - SOURCE_SHARE * (scale.clean - base)
    mos = {
        d: _placed(dimension_base, (1 - HALO) * severities[d] + HALO * overall_fall, scale)
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


def lacking_color(attribute_severities: Mapping[str, float]) -> dict[str, float]:
    """Return the severities of a clip whose source was shown without color before any fault.

    >>> lacking_color({"camera blur": 0.9})
    {'camera blur': 0.9, 'low saturation': 0.6}
    """
    known = attribute_severities.get(_LOW_SATURATION, 0.0)
    return {**attribute_severities, _LOW_SATURATION: max(known, WITHOUT_COLOR)}


def _joined(weighted: Mapping[Dimension, float], measured: float | None) -> float:
    """Join the falls of five dimensions to one: the worst decides, the others add a little."""
    falls = dict(weighted)
    seen = max(falls[d] for d in _SEEN_DIMENSIONS)
    if measured is not None and seen > 0:
        # Keep the mutual proportion of blur and artifact, move their level half way.
        for dimension in _SEEN_DIMENSIONS:
            falls[dimension] *= (0.5 * seen + 0.5 * measured) / seen
    values = np.array(list(falls.values()))
    return float(min(1.0, (values**_NORM).sum() ** (1 / _NORM)))


def _is_judged_by_vmaf(attribute_severities: Mapping[str, float]) -> bool:
    """Whether nothing but faults that VMAF judges well changed the luma of the picture."""
    return all(
        severity < _NEGLIGIBLE
        or name in _SEEN_BY_VMAF
        or name in _UNSEEN_BY_VMAF
        or dimension_of(name) is Dimension.TEMPORAL
        for name, severity in attribute_severities.items()
    )


def vmaf_fall(vmaf: float) -> float:
    """Return the share of the scale lost at a VMAF score: 0 above 97, 1 below 20.

    VMAF was trained on ratings where 20 is bad and 100 excellent (Li et al., "Toward a practical
    perceptual video quality metric", Netflix 2016), about linearly between.

    >>> vmaf_fall(100), round(vmaf_fall(62), 2), vmaf_fall(5)
    (0.0, 0.45, 1.0)
    """
    return float(np.clip((97.0 - vmaf) / 77.0, 0.0, 1.0))


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
