"""Inline SVG charts of the report page: radar, histogram, timeline.

Only classes and attributes, no inline styles: the page's Content-Security-Policy forbids those.
Every chart says in words what it shows (`aria-label`), and each mark carries a `<title>`.
"""

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from finevq.records import Assessment, TimelineSegment
from finevq.report.words import clock, level_number
from finevq.vocabulary import DIMENSIONS, FAULT_DIMENSIONS, Dimension

_RADAR_RADIUS = 100.0
_NUM_BINS = 20
"""Bins of the histogram over the scores 0..100."""


def radar(assessment: Assessment) -> Markup:
    """Return the six scores as a polygon on axes from 0 (center) to 100."""
    count = len(DIMENSIONS)
    # Overall stands on top, the five faults around.
    order = (Dimension.OVERALL, *(d for d in DIMENSIONS if d is not Dimension.OVERALL))
    parts = [assessment.dimensions[dimension] for dimension in order]
    rings = Markup().join(
        Markup('<polygon class="ring" points="{}"/>').format(
            _polygon([share * _RADAR_RADIUS] * count)
        )
        for share in (0.2, 0.4, 0.6, 0.8, 1.0)
    )
    axes = Markup().join(
        Markup('<line class="ring" x2="{:.1f}" y2="{:.1f}"/>').format(
            *_point(_RADAR_RADIUS, i, count)
        )
        for i in range(count)
    )
    shape = Markup('<polygon class="shape" points="{}"/>').format(
        _polygon([_on_scale(part.score) for part in parts])
    )
    marks, labels = Markup(), Markup()
    for i, (dimension, part) in enumerate(zip(order, parts, strict=True)):
        x, y = _point(_on_scale(part.score), i, count)
        marks += Markup(
            '<circle class="dot l{}" cx="{:.1f}" cy="{:.1f}" r="4.5">'
            "<title>{} {:.1f}, {}</title></circle>"
        ).format(level_number(dimension, part), x, y, dimension, part.score, part.level)
        labels += _radar_label(dimension, part.score, i, count)
    words = ", ".join(f"{d} {p.score:.1f}" for d, p in zip(order, parts, strict=True))
    return Markup(
        '<svg class="radar" viewBox="-165 -138 330 276" role="img" '
        'aria-label="Scores on six axes from 0 to 100: {}">{}{}{}{}{}</svg>'
    ).format(words, rings, axes, shape, marks, labels)


def histogram(scores: Sequence[float]) -> Markup:
    """Return how many videos have which overall score, in bins of 5 over 0..100."""
    counts = [0] * _NUM_BINS
    for score in scores:
        counts[min(max(int(score / 100 * _NUM_BINS), 0), _NUM_BINS - 1)] += 1
    tallest = max(counts, default=0) or 1
    step, height = 30, 120
    bars = Markup()
    for i, count in enumerate(counts):
        if count:
            size = count / tallest * height
            low = i * 100 // _NUM_BINS
            bars += Markup(
                '<rect class="bar" x="{}" y="{:.1f}" width="{}" height="{:.1f}">'
                "<title>{} to {}: {}</title></rect>"
                '<text class="count" x="{}" y="{:.1f}">{}</text>'
            ).format(
                *(i * step + 1, height - size, step - 2, size),
                *(low, low + 100 // _NUM_BINS, _videos(count)),
                *(i * step + step / 2, height - size - 5, count),
            )
    ticks = Markup().join(
        Markup('<text class="tick" x="{}" y="{}">{}</text>').format(
            value / 100 * _NUM_BINS * step, height + 18, value
        )
        for value in (0, 20, 40, 60, 80, 100)
    )
    words = ", ".join(
        f"{i * 100 // _NUM_BINS} to {(i + 1) * 100 // _NUM_BINS}: {count}"
        for i, count in enumerate(counts)
        if count
    )
    return Markup(
        '<svg class="histogram" viewBox="-12 -20 {} {}" role="img" '
        'aria-label="Number of videos by overall score: {}">{}'
        '<line class="axis" x2="{}" y1="{}" y2="{}"/>{}</svg>'
    ).format(
        _NUM_BINS * step + 24, height + 44, words, bars, _NUM_BINS * step, height, height, ticks
    )


def timeline_lanes(
    segments: Sequence[TimelineSegment],
) -> list[tuple[Dimension, TimelineSegment, Markup]]:
    """Return a lane for each dimension: its name, its worst stretch, its scores as steps over time.

    All lanes share one scale, so their heights can be compared.
    """
    low, high = _range_of(segments)
    lanes = []
    for dimension in (Dimension.OVERALL, *FAULT_DIMENSIONS):
        if all(dimension in segment.scores for segment in segments):
            worst = min(segments, key=lambda s: s.scores[dimension])
            lanes.append((dimension, worst, _lane(dimension, segments, worst, low, high)))
    return lanes


def share_bar(share: float, *, css: str = "") -> Markup:
    """Return a bar that is filled to a share of 0..1; decoration beside a number in words."""
    return Markup(
        '<svg class="share {}" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="6"/>'
        '<rect class="fill" width="{:.1f}" height="6"/></svg>'
    ).format(css, min(max(share, 0.0), 1.0) * 100)


def level_bar(probabilities: Mapping[str, float]) -> Markup:
    """Return the probabilities of the five levels side by side, worst first."""
    words = ", ".join(f"{level} {share * 100:.0f} %" for level, share in probabilities.items())
    x, marks = 0.0, Markup()
    for i, (level, share) in enumerate(probabilities.items()):
        marks += Markup(
            '<rect class="part l{}" x="{:.2f}" width="{:.2f}" height="10"><title>{}</title></rect>'
        ).format(i, x, share * 100, f"{level} {share * 100:.0f} %")
        x += share * 100
    return Markup(
        '<svg class="levels" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" '
        'aria-label="Probability of each level: {}">{}</svg>'
    ).format(words, marks)


def _radar_label(dimension: Dimension, score: float, i: int, count: int) -> Markup:
    x, y = _point(_RADAR_RADIUS + 14, i, count)
    anchor = "middle" if abs(x) < 1 else ("start" if x > 0 else "end")
    shift = -14 if y < -50 and abs(x) < 1 else (6 if y > 50 and abs(x) < 1 else -2)
    return Markup(
        '<text class="label" text-anchor="{}" x="{:.1f}" y="{:.1f}">{}'
        '<tspan class="value" x="{:.1f}" dy="15">{:.1f}</tspan></text>'
    ).format(anchor, x, y + shift, escape(dimension), x, score)


def _on_scale(score: float) -> float:
    return min(max(score, 0.0), 100.0) / 100 * _RADAR_RADIUS


def _point(radius: float, i: int, count: int) -> tuple[float, float]:
    """Return a point on axis i; the first points up, the others follow clockwise."""
    angle = 2 * math.pi * i / count - math.pi / 2
    return radius * math.cos(angle), radius * math.sin(angle)


def _polygon(radii: Sequence[float]) -> str:
    points = (_point(radius, i, len(radii)) for i, radius in enumerate(radii))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _range_of(segments: Sequence[TimelineSegment]) -> tuple[float, float]:
    scores = [score for segment in segments for score in segment.scores.values()]
    low, high = min(scores), max(scores)
    return (low, high) if high - low > 5 else ((low + high) / 2 - 2.5, (low + high) / 2 + 2.5)


def _lane(
    dimension: Dimension,
    segments: Sequence[TimelineSegment],
    worst: TimelineSegment,
    low: float,
    high: float,
) -> Markup:
    start, end = segments[0].start_seconds, segments[-1].end_seconds
    scale = 100 / max(end - start, 1e-9)
    steps = Markup()
    for segment in segments:
        score = segment.scores[dimension]
        size = 12 + (score - low) / (high - low) * 28
        steps += Markup(
            '<rect class="step{}" x="{:.3f}" y="{:.1f}" width="{:.3f}" height="{:.1f}">'
            "<title>{} to {}: {} {:.1f}</title></rect>"
        ).format(
            *(" worst" if segment is worst else "", (segment.start_seconds - start) * scale),
            *(40 - size, (segment.end_seconds - segment.start_seconds) * scale, size),
            *(clock(segment.start_seconds), clock(segment.end_seconds), dimension, score),
        )
    words = (
        f"{dimension} over time: lowest from {clock(worst.start_seconds)} "
        f"to {clock(worst.end_seconds)} with {worst.scores[dimension]:.1f}"
    )
    return Markup(
        '<svg class="steps" viewBox="0 0 100 40" preserveAspectRatio="none" role="img" '
        'aria-label="{}">{}</svg>'
    ).format(words, steps)


def _videos(count: int) -> str:
    return "1 video" if count == 1 else f"{count} videos"
