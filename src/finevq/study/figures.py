"""Small figures as SVG text: histogram, bars, points and curves; no library, no script.

Every figure has a title for screen readers; colors are two, told apart by shape as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 420, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 14, 14, 42


@dataclass(frozen=True, kw_only=True, slots=True)
class Axis:
    """One axis of a figure."""

    label: str
    low: float
    high: float
    is_count: bool = False
    """Only whole numbers make sense."""

    def ticks(self, count: int = 5) -> list[float]:
        """Return round numbers within the axis.

        >>> Axis(label="", low=0, high=100).ticks()
        [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
        >>> Axis(label="", low=0, high=2.1, is_count=True).ticks()
        [0.0, 1.0, 2.0]
        """
        span = self.high - self.low
        if span <= 0:
            return [self.low]
        rough = span / count
        power = 10.0 ** np.floor(np.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
        step = max(step, 1.0) if self.is_count else step
        first = np.ceil(self.low / step) * step
        return [float(round(t, 10)) for t in np.arange(first, self.high + step * 0.001, step)]


def histogram(values: Sequence[float], axis: Axis, title: str, num_bins: int = 20) -> str:
    """Draw how often values occur."""
    counts, edges = np.histogram(
        [v for v in values if v == v], bins=num_bins, range=(axis.low, axis.high)
    )
    top = max(float(counts.max(initial=0)), 1.0) * 1.08
    vertical = Axis(label="clips", low=0, high=top, is_count=True)
    bars = "".join(
        f'<rect class="bar" x="{_x(left, axis) + 0.5:.1f}" y="{_y(count, vertical):.1f}" '
        f'width="{max(_x(right, axis) - _x(left, axis) - 1, 1):.1f}" '
        f'height="{_y(0, vertical) - _y(count, vertical):.1f}"/>'
        for count, left, right in zip(counts, edges, edges[1:], strict=False)
        if count
    )
    return _frame(title, axis, vertical, bars)


def bar_chart(
    names: Sequence[str],
    values: Sequence[float],
    label: str,
    title: str,
    *,
    marked: Sequence[bool] = (),
    limit: float | None = None,
) -> str:
    """Draw one bar per name; marked ones are hatched, a limit is a dashed line."""
    horizontal = Axis(label="", low=0, high=max(len(names), 1))
    top = max([*(v for v in values if v == v), limit or 0.0, 1e-9]) * 1.1
    vertical = Axis(label=label, low=0, high=top)
    wide = (_x(1, horizontal) - _x(0, horizontal)) * 0.72
    parts = []
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        kind = "bar marked" if index < len(marked) and marked[index] else "bar"
        left, height = _x(index + 0.14, horizontal), _y(0, vertical) - _y(value, vertical)
        if value == value:
            parts.append(
                f'<rect class="{kind}" x="{left:.1f}" y="{_y(value, vertical):.1f}" '
                f'width="{wide:.1f}" height="{max(height, 0):.1f}">'
                f"<title>{escape(name)}: {value:.3g}</title></rect>"
            )
        if len(names) <= 30 and (len(names) <= 12 or index % 2 == 0):
            parts.append(_text(left + wide / 2, HEIGHT - _BOTTOM + 15, name, "middle"))
    if limit is not None:
        parts.append(
            _line(_LEFT, _y(limit, vertical), WIDTH - _RIGHT, _y(limit, vertical), "limit")
        )
    return _frame(title, horizontal, vertical, "".join(parts), with_ticks=False)


def scatter(
    points: Sequence[tuple[str, float, float]],
    horizontal: Axis,
    vertical: Axis,
    title: str,
    marked: Sequence[bool] = (),
) -> str:
    """Draw named points; marked ones are crosses with their names."""
    parts = []
    for index, (name, x, y) in enumerate(points):
        if x != x or y != y:
            continue
        left, top = _x(x, horizontal), _y(y, vertical)
        if index < len(marked) and marked[index]:
            parts.append(
                f'<path class="cross" d="M{left - 5:.1f} {top - 5:.1f}l10 10m0 -10l-10 10"/>'
                + _text(left + 8, top + 4, name, "start")
            )
        else:
            parts.append(f'<circle class="point" cx="{left:.1f}" cy="{top:.1f}" r="4">')
            parts.append(f"<title>{escape(name)}</title></circle>")
    return _frame(title, horizontal, vertical, "".join(parts))


def curve(
    points: Sequence[tuple[float, float]],
    horizontal: Axis,
    vertical: Axis,
    title: str,
    here: float | None = None,
) -> str:
    """Draw a line; `here` marks a place on the horizontal axis."""
    path = " ".join(f"{_x(x, horizontal):.1f},{_y(y, vertical):.1f}" for x, y in points)
    body = f'<polyline class="curve" points="{path}"/>'
    if here is not None:
        left = _x(here, horizontal)
        body += _line(left, _TOP, left, HEIGHT - _BOTTOM, "limit")
        body += _text(left + 5, _TOP + 12, f"now {here:g}", "start")
    return _frame(title, horizontal, vertical, body)


def intervals(
    values: Sequence[tuple[float, float, float]], axis: Axis, title: str, label: str
) -> str:
    """Draw sorted values with their intervals.

    Args:
        values: (value, low, high) each.
        axis: Of the values, vertical.
        title: For screen readers.
        label: Of the horizontal axis.
    """
    usable = sorted(v for v in values if v[0] == v[0])
    horizontal = Axis(label=label, low=0, high=max(len(usable), 1), is_count=True)
    parts = []
    for index, (value, low, high) in enumerate(usable):
        left = _x(index + 0.5, horizontal)
        if low == low:
            parts.append(_line(left, _y(low, axis), left, _y(high, axis), "whisker"))
        parts.append(f'<circle class="point" cx="{left:.1f}" cy="{_y(value, axis):.1f}" r="2.5"/>')
    return _frame(title, horizontal, axis, "".join(parts))


def _x(value: float, axis: Axis) -> float:
    span = (axis.high - axis.low) or 1.0
    return _LEFT + (value - axis.low) / span * (WIDTH - _LEFT - _RIGHT)


def _y(value: float, axis: Axis) -> float:
    span = (axis.high - axis.low) or 1.0
    inside = min(max(value, axis.low), axis.high)
    return HEIGHT - _BOTTOM - (inside - axis.low) / span * (HEIGHT - _TOP - _BOTTOM)


def _frame(
    title: str, horizontal: Axis, vertical: Axis, body: str, *, with_ticks: bool = True
) -> str:
    grid = "".join(
        _line(_LEFT, _y(t, vertical), WIDTH - _RIGHT, _y(t, vertical), "grid")
        + _text(_LEFT - 6, _y(t, vertical) + 4, f"{t:g}", "end")
        for t in vertical.ticks(4)
    )
    below = (
        "".join(
            _text(_x(t, horizontal), HEIGHT - _BOTTOM + 15, f"{t:g}", "middle")
            for t in horizontal.ticks()
        )
        if with_ticks
        else ""
    )
    labels = _text((_LEFT + WIDTH - _RIGHT) / 2, HEIGHT - 8, horizontal.label, "middle", "label")
    turned = (
        f'<text class="label" text-anchor="middle" '
        f'transform="translate(11 {(HEIGHT - _BOTTOM + _TOP) / 2:.0f}) rotate(-90)">'
        f"{escape(vertical.label)}</text>"
    )
    base = _line(_LEFT, HEIGHT - _BOTTOM, WIDTH - _RIGHT, HEIGHT - _BOTTOM, "axis")
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">'
        f"{grid}{body}{base}{below}{labels}{turned}</svg>"
    )


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
