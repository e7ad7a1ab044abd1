"""Chains of faults: which ones a clip gets, how strong, and in which order."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations.catalogue import FAULTS, CodecFault
from finevq.vocabulary import ATTRIBUTES, FAULT_DIMENSIONS, Dimension, dimension_of

FINEVD_DIMENSION_SHARES: Mapping[Dimension, float] = {
    Dimension.BLUR: 0.471,
    Dimension.ARTIFACT: 0.126,
    Dimension.COLOR: 0.056,
    Dimension.TEMPORAL: 0.053,
    Dimension.NOISE: 0.030,
}
"""Share of FineVD's public videos whose most impactful dimension is this; the rest (.264) has none.

Source: column most_impactful_dimension of the 5,074 public labels.
"""

FINEVD_ATTRIBUTE_COUNTS: Mapping[str, int] = {
    "gaussian noise": 910,
    "low saturation": 608,
    "resolution blur": 395,
    "camera blur": 319,
    "compression artifact": 298,
    "underexposure": 241,
    "blocking": 180,
    "high saturation": 162,
    "low contrast": 116,
    "overexposure": 86,
    "shake": 76,
    "high contrast": 75,
    "other color": 63,
    "exposure blur": 40,
    "compression blur": 34,
    "motion blur": 33,
    "gaussian blur": 20,
    "ringing": 18,
    "stripe noise": 16,
    "other blur": 14,
    "impulse noise": 10,
    "moire": 8,
    "stutter": 7,
    "other artifact": 3,
    "flicker": 1,
    "other temporal": 1,
    "other noise": 1,
}
"""How often each attribute is a FineVD video's existing distortion (other noise: never, set to 1).

Source: column existing_distortion of the 5,074 public labels.
"""

FINEVD_CLEAN_SHARE = 0.264
_BALANCED_CLEAN_SHARE = 0.20
_NUM_FAULTS_SHARES = (0.35, 0.30, 0.21, 0.14)
"""Chances of 1, 2, 3, 4 faults in a clip that has any.

Uploads rarely have one fault only, and a clip with several teaches several dimensions at once.
"""


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One fault of a chain, before it is applied."""

    attribute: str
    severity: float
    """0..1."""
    seed: int
    """Of the fault's own generator, so that it can be repeated on another copy of the frames."""


def draw_chain(
    rng: np.random.Generator,
    balance: float = 1.0,
    dimensions: Sequence[Dimension] = FAULT_DIMENSIONS,
    leading: Sequence[str] = (),
) -> tuple[PlannedFault, ...]:
    """Draw 0-4 faults in physical order.

    Args:
        rng: Source of all randomness.
        balance: 0 draws dimensions and attributes as often as FineVD has them, 1 draws all
            dimensions, and all attributes of a dimension, equally often; between is a mixture.
        dimensions: Only faults of these.
        leading: Attributes of which each chain has one, drawn as often as it is named here; what
            else there is is drawn as usual. Empty: as usual all of it.
    """
    clean_share = balance * _BALANCED_CLEAN_SHARE + (1 - balance) * FINEVD_CLEAN_SHARE
    if not leading and rng.random() < clean_share:
        return ()
    wanted = 1 + int(rng.choice(len(_NUM_FAULTS_SHARES), p=_NUM_FAULTS_SHARES))
    faults: dict[str, PlannedFault] = {}
    for rank in range(wanted):
        if leading and rank == 0:
            attribute = leading[int(rng.integers(len(leading)))]
        else:
            attribute = _drawn_attribute(rng, balance, dimensions)
        if attribute in faults or _excluded(attribute, faults):
            continue
        # Every severity is as likely for the first fault; the others are weaker on average.
        severity = rng.uniform(0.08, 1.0) if rank == 0 else 0.08 + 0.82 * rng.beta(1.3, 2.0)
        faults[attribute] = PlannedFault(
            attribute, round(float(severity), 3), int(rng.integers(2**31))
        )
    return _in_physical_order(faults.values())


_WEAKEST_FURTHER_FAULT = 0.25


def with_further_fault(
    chain: tuple[PlannedFault, ...],
    rng: np.random.Generator,
    balance: float = 1.0,
    dimensions: Sequence[Dimension] = FAULT_DIMENSIONS,
) -> tuple[PlannedFault, ...]:
    """Add one clearly visible fault to a chain; what it held stays as it was.

    Never shake: it needs frames with a margin, and the copy shall show the same frames.

    Args:
        chain: In physical order.
        rng: Source of all randomness.
        balance: As in `draw_chain`.
        dimensions: The new fault is one of these.
    """
    present = {fault.attribute: fault for fault in chain}
    while True:
        attribute = _drawn_attribute(rng, balance, dimensions)
        if attribute in present or attribute in NEEDS_MARGIN or _excluded(attribute, present):
            continue
        severity = round(float(rng.uniform(_WEAKEST_FURTHER_FAULT, 1.0)), 3)
        fault = PlannedFault(attribute, severity, int(rng.integers(2**31)))
        return _in_physical_order([*chain, fault])


def _drawn_attribute(
    rng: np.random.Generator, balance: float, dimensions: Sequence[Dimension]
) -> str:
    dimension_shares = _mixture([FINEVD_DIMENSION_SHARES[d] for d in dimensions], balance)
    names = ATTRIBUTES[dimensions[int(rng.choice(len(dimensions), p=dimension_shares))]]
    shares = _mixture([FINEVD_ATTRIBUTE_COUNTS[n] for n in names], balance)
    return names[int(rng.choice(len(names), p=shares))]


def _in_physical_order(faults: Iterable[PlannedFault]) -> tuple[PlannedFault, ...]:
    return tuple(sorted(faults, key=lambda fault: FAULTS[fault.attribute].stage))


_OPPOSITES = (
    {"low saturation", "high saturation"},
    {"underexposure", "overexposure"},
    {"low contrast", "high contrast"},
)


def _excluded(attribute: str, faults: Mapping[str, PlannedFault]) -> bool:
    """Whether the chain has the opposite already, or two codec faults (a codec runs once)."""
    if any(attribute in pair and pair & faults.keys() for pair in _OPPOSITES):
        return True
    is_codec = isinstance(FAULTS[attribute], CodecFault)
    return is_codec and any(isinstance(FAULTS[name], CodecFault) for name in faults)


def _mixture(weights: list[float] | list[int], balance: float) -> npt.NDArray[np.float64]:
    shares = np.asarray(weights, np.float64)
    shares = shares / shares.sum()
    mixed: npt.NDArray[np.float64] = balance / len(shares) + (1 - balance) * shares
    return mixed


_NEEDS_MOTION = frozenset({"stutter", "other temporal", "motion blur"})
NEEDS_MARGIN = frozenset({"shake"})
"""Attributes whose frames must come with `SHAKE_MARGIN` on each side."""


def needs_motion(chain: tuple[PlannedFault, ...]) -> bool:
    """Whether a fault of the chain shows only where something moves."""
    return any(planned.attribute in _NEEDS_MOTION for planned in chain)


def needs_margin(chain: tuple[PlannedFault, ...]) -> bool:
    """Whether the frames must come with `SHAKE_MARGIN` on each side."""
    return any(planned.attribute in NEEDS_MARGIN for planned in chain)


def without_margin(chain: tuple[PlannedFault, ...]) -> tuple[PlannedFault, ...]:
    """Leave out the faults that need the margin."""
    return tuple(planned for planned in chain if planned.attribute not in NEEDS_MARGIN)


def dimension_severities(severities: Mapping[str, float]) -> dict[Dimension, float]:
    """Return the severity of each fault dimension: the worst attribute and a little of the rest.

    Faults of one dimension add up as independent chances do not to be disturbed, the weaker ones
    at half weight.

    >>> dimension_severities({"camera blur": 0.5, "motion blur": 0.4})[Dimension.BLUR]
    0.6
    """
    totals: dict[Dimension, float] = {}
    for dimension in FAULT_DIMENSIONS:
        present = sorted(
            (s for name, s in severities.items() if dimension_of(name) is dimension), reverse=True
        )
        kept = 1.0
        for rank, severity in enumerate(present):
            kept *= 1.0 - (severity if rank == 0 else 0.5 * severity)
        totals[dimension] = round(1.0 - kept, 4)
    return totals
