"""Applies a chain of faults to frames, and tells how much of each fault the result still shows.

A later fault may hide an earlier one: a small scale averages grain away, a low rate spends no bits
on it. So what a clip is labelled with is not what was done to it, but what is left of that.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from finevq.datasets.degradations import codecs
from finevq.datasets.degradations.catalogue import FAULTS, PixelFault
from finevq.datasets.degradations.chain import PlannedFault
from finevq.datasets.degradations.codecs import NEAR_LOSSLESS, Encoding
from finevq.datasets.degradations.footage import Footage, Frames, Outcome, Parameter, ramp
from finevq.datasets.degradations.temporal import MOVES_FRAMES
from finevq.vocabulary import Dimension, dimension_of

_Difference: TypeAlias = npt.NDArray[np.float32]

_EXCERPT_FRAMES = 3
"""Frames from the middle of a clip that tell what is left of each fault."""
_AMPLITUDES = (0.0, 0.12, 0.25, 0.5, 1.0)
"""Of a difference at severity 0, 1/4, 1/2, 3/4, 1, as a share of the last: as gaussian noise and
stripe noise have it."""


@dataclass(frozen=True, slots=True)
class AppliedFault:
    """One fault of a chain as it was done: for the manifest."""

    attribute: str
    severity: float
    parameters: Mapping[str, Parameter]
    shown: float = 1.0
    """How much of the difference it made is left in the file: a share of amplitude, 0..1."""


@dataclass(frozen=True, slots=True)
class DegradedClip:
    """The result of a chain."""

    data: bytes
    """The MP4 file: the codec's own stream where the chain ends in one."""
    codec: str
    faults: tuple[AppliedFault, ...]
    severities: Mapping[str, float]
    """All attributes that show, side effects included: name -> severity 0..1."""
    num_frames: int
    width: int
    """Pixels."""
    height: int
    """Pixels."""


def apply_chain(
    footage: Footage,
    chain: Sequence[PlannedFault],
    delivery_crf: float = NEAR_LOSSLESS.quality,
) -> DegradedClip:
    """Run a chain over frames and encode the result.

    Args:
        footage: Clean frames with the margin of `needs_margin`; overwritten.
        chain: Faults in physical order.
        delivery_crf: Quality of the H.264 file of a chain that ends in pixels; above 18 its slight
            compression is labelled too.
    """
    carrier = replace(NEAR_LOSSLESS, quality=delivery_crf)
    shown = _shares_shown(_excerpt(footage), chain, carrier)
    applied = []
    severities: dict[str, float] = {}
    deliver = carrier
    for planned, share in zip(chain, shown, strict=True):
        step = _step(footage, planned)
        footage = step.footage
        deliver = step.delivery or carrier
        applied.append(AppliedFault(planned.attribute, planned.severity, step.parameters, share))
        for name, severity in step.severities.items():
            left = round(_severity_left(severity, share), 4)
            severities[name] = max(left, severities.get(name, 0.0))
    if deliver is carrier:
        residue = round(codecs.delivery_severity(delivery_crf), 4)
        if residue > severities.get("compression artifact", 0.0):
            severities["compression artifact"] = residue
    return DegradedClip(
        data=codecs.encode(footage, deliver),
        codec=deliver.codec,
        faults=tuple(applied),
        severities=severities,
        num_frames=len(footage.frames),
        width=footage.width,
        height=footage.height,
    )


def _severity_left(severity: float, shown: float) -> float:
    """Return how severe a fault looks of which a share of amplitude is left."""
    if shown == 1.0:
        return severity
    severities = np.linspace(0.0, 1.0, len(_AMPLITUDES))
    return float(np.interp(shown * ramp(severity, *_AMPLITUDES), _AMPLITUDES, severities))


@dataclass(frozen=True, slots=True)
class _Step:
    """What one fault did."""

    footage: Footage
    parameters: Mapping[str, Parameter]
    severities: Mapping[str, float]
    """Its own and its side effects'."""
    delivery: Encoding | None
    """An encoding that has not run yet, since its stream may be the file itself."""


def _step(footage: Footage, planned: PlannedFault) -> _Step:
    """Do one fault; the frames are overwritten."""
    fault = FAULTS[planned.attribute]
    rng = np.random.default_rng(planned.seed)
    if isinstance(fault, PixelFault):
        outcome = fault.apply(footage, planned.severity, rng)
        severity = planned.severity * outcome.visibility
        severities = {**outcome.side_effects, planned.attribute: severity}
        return _Step(outcome.footage, outcome.parameters, severities, None)
    plan = fault.plan(footage, planned.severity, rng)
    *through, last = plan.encodings
    for encoding in through if last.is_deliverable else plan.encodings:
        footage = _transcoded(footage, encoding)
    severities = {**plan.side_effects, planned.attribute: planned.severity}
    return _Step(footage, plan.parameters, severities, last if last.is_deliverable else None)


def _transcoded(footage: Footage, encoding: Encoding) -> Footage:
    data = codecs.encode(footage, encoding)
    frames = codecs.decode(data, (footage.width, footage.height))
    return footage.with_frames(frames[: len(footage.frames)])


def _excerpt(footage: Footage) -> Footage:
    """Return a copy of the middle frames."""
    start = max(0, (len(footage.frames) - _EXCERPT_FRAMES) // 2)
    return footage.with_frames(footage.frames[start : start + _EXCERPT_FRAMES].copy())


def _shares_shown(
    excerpt: Footage, chain: Sequence[PlannedFault], carrier: Encoding
) -> tuple[float, ...]:
    """Return, for each fault, how much of the difference it made is left in the end, 0..1.

    The chain runs with the fault and without it, and the difference in the end is compared with the
    difference that it makes where nothing but faults of color come after it: those weaken the
    picture as much as the fault, so a dark blurred picture is no less blurred. Faults of time move
    or repeat frames and hide nothing. Neither kind loses a share itself.

    Args:
        excerpt: A few clean frames.
        chain: Faults in physical order.
        carrier: What a chain that ends in pixels is stored with.
    """
    pictures = [p for p in chain if dimension_of(p.attribute) is not Dimension.TEMPORAL]
    shares = dict.fromkeys(chain, 1.0)
    is_stored_anew = _is_changed_by_storing(pictures, carrier)
    hidden = [
        place
        for place, planned in enumerate(pictures)
        if not _is_of_color(planned)
        and (is_stored_anew or not all(map(_is_of_color, pictures[place + 1 :])))
    ]
    if not hidden:
        return tuple(shares[planned] for planned in chain)
    states = [excerpt]
    for planned in pictures:
        states.append(_after(states[-1], [planned]))
    end = _shown_as_file(states[-1], pictures, carrier)
    for place in hidden:
        rest = pictures[place + 1 :]
        curves = [later for later in rest if _is_of_color(later)]
        before, after = states[place], states[place + 1]
        left = _difference(end, _shown_as_file(_after(before, rest), rest, carrier))
        made = _difference(_after(after, curves), _after(before, curves))
        if made.any():
            shares[pictures[place]] = round(_amplitude_left(made, left), 3)
    return tuple(shares[planned] for planned in chain)


def _amplitude_left(made: _Difference, left: _Difference) -> float:
    """Return the amplitude that is left of a difference, as a share of what was made.

    What is left holds what later faults kept of it, and chaos: a codec decides otherwise on two
    slightly different pictures, which does not look like the fault. The projection on what was made
    knows no chaos. It is the share of the energy where some frequencies are kept and others are
    lost, so its root is the amplitude; where all are weakened alike it is the amplitude itself, as
    is the ratio of the two norms. Chaos makes that ratio too large, so the smaller one holds.
    """
    energy = float(np.vdot(made, made))
    kept = max(0.0, float(np.vdot(left, made)) / energy)
    return min(1.0, float(np.sqrt(kept)), float(np.sqrt(float(np.vdot(left, left)) / energy)))


def _is_of_color(planned: PlannedFault) -> bool:
    return dimension_of(planned.attribute) is Dimension.COLOR


def _after(footage: Footage, chain: Sequence[PlannedFault]) -> Footage:
    """Return what a player shows after some faults; the frames given stay as they are."""
    footage = _copied(footage)
    for planned in chain:
        footage = _shown(_step(footage, planned))
    return footage


def _copied(footage: Footage) -> Footage:
    return footage.with_frames(footage.frames.copy())


def _shown(step: _Step) -> Footage:
    """Return the frames that a player shows after a fault."""
    return step.footage if step.delivery is None else _transcoded(step.footage, step.delivery)


def _is_changed_by_storing(pictures: Sequence[PlannedFault], carrier: Encoding) -> bool:
    """Whether the file itself is compressed more than nobody sees."""
    is_encoded = bool(pictures) and not isinstance(FAULTS[pictures[-1].attribute], PixelFault)
    return not is_encoded and codecs.delivery_severity(carrier.quality) > 0


def _shown_as_file(
    footage: Footage, pictures: Sequence[PlannedFault], carrier: Encoding
) -> Footage:
    return _transcoded(footage, carrier) if _is_changed_by_storing(pictures, carrier) else footage


def _difference(first: Footage, second: Footage) -> _Difference:
    difference: _Difference = first.frames.astype(np.float32) - second.frames
    return difference


def moved_reference(footage: Footage, chain: Sequence[PlannedFault]) -> Frames:
    """Return the clean frames where and when the chain shows them: VMAF's reference."""
    for planned in chain:
        fault = FAULTS[planned.attribute]
        if planned.attribute in MOVES_FRAMES and isinstance(fault, PixelFault):
            rng = np.random.default_rng(planned.seed)
            outcome: Outcome = fault.apply(footage, planned.severity, rng)
            footage = outcome.footage
    return footage.frames
