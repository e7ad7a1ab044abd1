"""Numbers and facts in the words that table and page share."""

from collections.abc import Sequence

from finevq.records import Assessment, AttributeEstimate, DimensionAssessment, Failure, MediaInfo
from finevq.vocabulary import NO_FAULT, Dimension, levels_of

_NOTED = 0.1
"""Probability below which an attribute is left out of a report."""


def level_number(dimension: Dimension, part: DimensionAssessment) -> int:
    """Return 0 (worst) to 4 (best) for a dimension's level."""
    return levels_of(dimension).index(part.level)


def likely_attributes(part: DimensionAssessment) -> tuple[AttributeEstimate, ...]:
    """Return the attributes that the model would name, most likely first."""
    return tuple(estimate for estimate in part.attributes if estimate.present)


def noted_attributes(part: DimensionAssessment) -> tuple[AttributeEstimate, ...]:
    """Return the attributes worth showing: named, above `_NOTED`, and always the two likeliest."""
    return tuple(
        estimate
        for rank, estimate in enumerate(part.attributes)
        if rank < 2 or estimate.present or estimate.probability >= _NOTED
    )


def percent(share: float) -> str:
    """Return a probability as a percentage that never claims certainty.

    >>> [percent(p) for p in (0.0, 0.004, 0.126, 0.996, 1.0)]
    ['<1 %', '<1 %', '13 %', '>99 %', '>99 %']
    """
    if share < 0.01:
        return "<1 %"
    return ">99 %" if share > 0.99 else f"{share * 100:.0f} %"


def duration(seconds: float) -> str:
    """Return a length of time as people say it.

    >>> [duration(s) for s in (0.04, 10.01, 75, 3661)]
    ['0.04 s', '10.0 s', '1 min 15 s', '1 h 1 min']
    """
    if seconds < 59.95:
        return f"{seconds:.1f} s" if seconds >= 0.95 else f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def clock(seconds: float) -> str:
    """Return a position in a video as a player shows it.

    >>> [clock(s) for s in (0.0, 2.5, 61.0, 3725.0)]
    ['0:00.0', '0:02.5', '1:01.0', '1:02:05']
    """
    minutes, rest = divmod(round(seconds, 1), 60)
    if minutes < 60:
        return f"{minutes:.0f}:{rest:04.1f}"
    return f"{minutes // 60:.0f}:{minutes % 60:02.0f}:{rest:02.0f}"


def number(value: float) -> str:
    """Return a rate with two decimals where it has any.

    >>> [number(v) for v in (25.0, 29.97003)]
    ['25', '29.97']
    """
    return f"{value:.2f}".rstrip("0").rstrip(".")


def media_facts(media: MediaInfo) -> tuple[tuple[str, str], ...]:
    """Return name and value of each fact that is known, as a person would want to read them."""
    is_still = media.num_frames == 1
    facts: list[tuple[str, str | None]] = [
        ("Picture" if is_still else "Size", f"{media.width} × {media.height}"),
        ("Length", None if is_still else duration(media.duration_seconds)),
        ("Frames", None if is_still else f"{media.num_frames:,}"),
        ("Rate", f"{number(media.fps)} fps" if media.fps and not is_still else None),
        ("Codec", media.codec),
        ("Pixels", media.pixel_format),
        ("Container", media.container.replace(",", ", ") or None),
        ("Bit rate", _bit_rate(media.bit_rate)),
        ("Rotation", f"{media.rotation_degrees}°" if media.rotation_degrees else None),
    ]
    return tuple((name, value) for name, value in facts if value)


def impact(assessment: Assessment) -> str:
    """Return a sentence on which fault hurts most."""
    if assessment.most_impactful == NO_FAULT:
        return "No fault stands out."
    return f"What hurts most: {assessment.most_impactful}."


def summary(outcomes: Sequence[Assessment | Failure]) -> str:
    """Return one sentence on a batch: how many, how good, how many failed."""
    assessed = [outcome for outcome in outcomes if isinstance(outcome, Assessment)]
    num_failed = len(outcomes) - len(assessed)
    sentence = f"{len(assessed)} {'video' if len(assessed) == 1 else 'videos'} assessed"
    if assessed:
        scores = [assessment.overall.score for assessment in assessed]
        mean = sum(scores) / len(scores)
        sentence += f", overall {min(scores):.1f} to {max(scores):.1f}, mean {mean:.1f}"
    return f"{sentence}; {num_failed} failed" if num_failed else sentence


def _bit_rate(bit_rate: int | None) -> str | None:
    if not bit_rate:
        return None
    return f"{bit_rate / 1e6:.1f} Mbit/s" if bit_rate >= 1e6 else f"{bit_rate / 1e3:.0f} kbit/s"
