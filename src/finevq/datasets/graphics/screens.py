"""What computers show: windows, source text, slides with charts, documents."""

from itertools import pairwise

import numpy as np

from finevq.datasets.graphics.canvas import (
    Canvas,
    Color,
    Picture,
    Point,
    drawn_color,
    drawn_words,
    mixed,
)

_BLACK: Color = (18, 18, 20)
_WHITE: Color = (250, 250, 250)


def draw_desktop(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a desktop with some windows."""
    back = drawn_color(rng, value=(0.1, 0.8))
    canvas = Canvas(width, height, back)
    canvas.shade(back, drawn_color(rng, value=(0.1, 0.8)))
    is_dark = bool(rng.random() < 0.4)
    for _ in range(int(rng.integers(1, 5))):
        size = (float(rng.uniform(0.4, 1.1)), float(rng.uniform(0.35, 0.8)))
        corner = (
            float(rng.uniform(-0.1, max(canvas.aspect - size[0], 0.0) + 0.1)),
            float(rng.uniform(0.02, 0.4)),
        )
        _draw_window(canvas, rng, corner, size, is_dark=is_dark)
    bar = _BLACK if is_dark else (225, 228, 232)
    canvas.box((0, 0.955), (canvas.aspect, 0.045), bar)
    for index in range(int(rng.integers(4, 12))):
        canvas.box((0.02 + 0.055 * index, 0.962), (0.032, 0.032), drawn_color(rng), 0.006)
    canvas.text((canvas.aspect - 0.1, 0.966), _clock(rng), 0.02, _contrary(bar))
    return canvas.finish()


def draw_editor(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw an editor or a terminal full of colored words."""
    is_dark = bool(rng.random() < 0.75)
    page = drawn_color(
        rng,
        value=(0.03, 0.2) if is_dark else (0.93, 1.0),
        saturation=(0.0, 0.4 if is_dark else 0.05),
    )
    canvas = Canvas(width, height, page)
    bright = (0.7, 1.0) if is_dark else (0.2, 0.6)
    inks = [drawn_color(rng, value=bright, saturation=(0.0, 0.8)) for _ in range(5)]
    size = float(rng.uniform(0.018, 0.035))
    left = 0.0
    if rng.random() < 0.6:
        left = float(rng.uniform(0.15, 0.35))
        canvas.box((0, 0), (left, 1.0), mixed(page, _contrary(page), 0.06))
        for row in range(int(rng.integers(5, 30))):
            canvas.text((0.02, 0.03 + 1.6 * size * row), drawn_words(rng, 1), size, inks[0])
    y = 0.02
    indent = 0
    while y < 1.0:
        indent = int(np.clip(indent + rng.integers(-1, 2), 0, 5))
        number = mixed(page, _contrary(page), 0.35)
        canvas.text((left + 0.045, y), str(round(y / size)), size, number, "rt")
        x = left + 0.06 + indent * 2 * size
        for _ in range(int(rng.integers(0, 9))):
            word = drawn_words(rng, 1).lower()
            canvas.text((x, y), word, size, inks[int(rng.integers(len(inks)))])
            x += (len(word) + 1) * 0.62 * size
        y += 1.5 * size
    return canvas.finish()


def draw_slide(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a slide: a title, and points, bars, lines or a pie."""
    is_dark = bool(rng.random() < 0.4)
    bright = (0.05, 0.3) if is_dark else (0.85, 1.0)
    page = drawn_color(rng, value=bright, saturation=(0.0, 0.6 if is_dark else 0.15))
    canvas = Canvas(width, height, page)
    if rng.random() < 0.3:
        canvas.shade(page, mixed(page, drawn_color(rng, value=bright), 0.6))
    ink = _contrary(page)
    accent = drawn_color(rng, value=(0.5, 0.95))
    if rng.random() < 0.5:
        canvas.box((0, 0), (canvas.aspect, 0.18), accent)
    canvas.text((0.08, 0.06), drawn_words(rng, int(rng.integers(2, 5))), 0.07, ink)
    if rng.random() < 0.6:
        for row in range(int(rng.integers(3, 6))):
            y = 0.27 + 0.12 * row
            canvas.ellipse((0.1, y + 0.018), (0.009, 0.009), accent)
            canvas.text((0.13, y), drawn_words(rng, int(rng.integers(3, 6))), 0.035, ink)
        left = 0.55 * canvas.aspect
    else:
        left = 0.1
    _draw_chart(canvas, rng, (left, 0.26), (canvas.aspect - left - 0.1, 0.62), ink)
    return canvas.finish()


def draw_document(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a page of text in columns, as of a web site, with boxes where pictures stand."""
    canvas = Canvas(width, height, (210, 212, 216) if rng.random() < 0.5 else _WHITE)
    columns = int(rng.integers(1, 4))
    size = float(rng.uniform(0.016, 0.032))
    wide = (canvas.aspect - 0.12 - 0.05 * (columns - 1)) / columns
    ink = drawn_color(rng, value=(0.05, 0.3), saturation=(0.0, 0.3))
    canvas.box((0.03, 0), (canvas.aspect - 0.06, 1.0), _WHITE)
    canvas.text((0.06, 0.04), drawn_words(rng, 4), 0.055, ink)
    for column in range(columns):
        left, y = 0.06 + column * (wide + 0.05), 0.14
        while y < 0.98:
            if rng.random() < 0.05:
                tall = float(rng.uniform(0.1, 0.3))
                canvas.box((left, y), (wide, tall), drawn_color(rng))
                y += tall + size
            count = max(1, int(wide / (3.4 * size)))
            canvas.text((left, y), _fitting(drawn_words(rng, count), wide, size), size, ink)
            y += size * (2.6 if rng.random() < 0.15 else 1.5)
    return canvas.finish()


def _draw_window(
    canvas: Canvas, rng: np.random.Generator, corner: Point, size: Point, *, is_dark: bool
) -> None:
    page: Color = (38, 40, 46) if is_dark else _WHITE
    ink = _contrary(page)
    canvas.box(
        (corner[0] - 0.003, corner[1] - 0.003), (size[0] + 0.006, size[1] + 0.006), _BLACK, 0.012
    )
    canvas.box(corner, size, page, 0.01)
    canvas.box(corner, (size[0], 0.04), mixed(page, ink, 0.12), 0.01)
    for index, color in enumerate(((235, 90, 80), (240, 190, 70), (90, 190, 90))):
        canvas.ellipse((corner[0] + 0.025 + 0.026 * index, corner[1] + 0.02), (0.008, 0.008), color)
    canvas.text((corner[0] + size[0] / 2, corner[1] + 0.011), drawn_words(rng, 2), 0.018, ink, "mt")
    inside = (corner[0] + 0.03, corner[1] + 0.07)
    room = (size[0] - 0.06, size[1] - 0.1)
    kind = rng.random()
    if kind < 0.35:
        _draw_chart(canvas, rng, inside, room, ink)
        return
    rows = int(room[1] / 0.034)
    for row in range(rows):
        y = inside[1] + 0.034 * row
        if kind < 0.65 and row % 2:
            canvas.box((inside[0], y - 0.006), (room[0], 0.034), mixed(page, ink, 0.06))
        words = drawn_words(rng, max(1, int(rng.uniform(0.3, 1.0) * room[0] / 0.07)))
        canvas.text((inside[0], y), _fitting(words, room[0], 0.019), 0.019, ink)


def _draw_chart(
    canvas: Canvas, rng: np.random.Generator, corner: Point, size: Point, ink: Color
) -> None:
    left, top = corner
    bottom = top + size[1]
    count = int(rng.integers(4, 12))
    values = rng.uniform(0.1, 1.0, count)
    kind = rng.random()
    if kind < 0.4:
        step = size[0] / count
        for index, value in enumerate(values):
            tall = float(value) * size[1]
            canvas.box(
                (left + step * (index + 0.15), bottom - tall), (0.7 * step, tall), drawn_color(rng)
            )
    elif kind < 0.8:
        x = np.linspace(left, left + size[0], 40)
        for _ in range(int(rng.integers(1, 5))):
            walk = np.cumsum(rng.normal(0, 1, 40))
            y = bottom - size[1] * (walk - walk.min()) / (np.ptp(walk) + 1e-9)
            points = [(float(a), float(b)) for a, b in zip(x, y, strict=True)]
            canvas.line(points, drawn_color(rng), float(rng.uniform(0.003, 0.008)))
    else:
        radius = min(size) / 2
        center = (left + size[0] / 2, top + size[1] / 2)
        turns = np.concatenate([[0.0], np.cumsum(values) / values.sum()]) * 2 * np.pi
        for start, end in pairwise(turns):
            angles = np.linspace(start, end, 40)
            rim = [(center[0] + radius * np.cos(a), center[1] + radius * np.sin(a)) for a in angles]
            canvas.polygon([center, *rim], drawn_color(rng))
        return
    canvas.line([(left, top), (left, bottom), (left + size[0], bottom)], ink, 0.003)
    for share in np.linspace(0, 1, 5):
        y = bottom - float(share) * size[1]
        canvas.text((left - 0.01, y), f"{100 * share:.0f}", 0.018, ink, "rm")


def _contrary(color: Color) -> Color:
    """Return ink that can be read on a color."""
    return (235, 235, 238) if sum(color) < 380 else (30, 30, 36)


def _fitting(words: str, wide: float, size: float) -> str:
    return words[: max(1, int(wide / (0.55 * size)))]


def _clock(rng: np.random.Generator) -> str:
    return f"{int(rng.integers(24)):02d}:{int(rng.integers(60)):02d}"
