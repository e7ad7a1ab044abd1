"""Cartoons: hills, streets and figures in flat colors, by day and by night."""

import numpy as np

from finevq.datasets.graphics.canvas import Canvas, Color, Picture, Point, drawn_color, mixed

_INK: Color = (24, 20, 28)


def draw_hills(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw layers of hills under a sky, with trees on the nearest."""
    canvas = Canvas(width, height, (0, 0, 0))
    is_night = bool(rng.random() < 0.4)
    hue = float(rng.random()) if rng.random() < 0.3 else float(rng.normal(0.3, 0.05))
    far, near = _draw_sky(canvas, rng, is_night=is_night)
    layers = int(rng.integers(3, 7))
    for layer in range(layers):
        share = layer / (layers - 1)
        ground = mixed(far, drawn_color(rng, value=(0.4, 0.75), hue=hue), 0.25 + 0.75 * share)
        ground = mixed(ground, near, 0.75) if is_night else ground
        ridge = _ridge(rng, canvas.aspect, 0.45 + 0.42 * share, 0.16 - 0.08 * share)
        canvas.polygon([*ridge, (canvas.aspect, 1.0), (0.0, 1.0)], ground)
        if share > 0.4:
            picks = rng.choice(len(ridge), int(rng.integers(2, 9)), replace=False)
            for index in sorted(picks):
                _draw_tree(canvas, rng, ridge[index], 0.08 + 0.2 * share, ground)
    return canvas.finish()


def draw_street(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw rows of houses with windows, some of them lit at night."""
    canvas = Canvas(width, height, (0, 0, 0))
    is_night = bool(rng.random() < 0.5)
    far, near = _draw_sky(canvas, rng, is_night=is_night)
    for row in range(int(rng.integers(2, 4))):
        left = -0.05
        while left < canvas.aspect:
            wide, top = float(rng.uniform(0.12, 0.4)), float(rng.uniform(0.12, 0.55) + 0.12 * row)
            wall = drawn_color(rng, value=(0.45, 0.95), saturation=(0.1, 0.7))
            wall = mixed(wall, near, 0.8) if is_night else mixed(far, wall, 0.4 + 0.3 * row)
            canvas.box((left, top), (wide, 1.0 - top), wall)
            if rng.random() < 0.5:
                roof = mixed(wall, _INK, 0.4)
                middle = left + wide / 2
                canvas.polygon([(left, top), (left + wide, top), (middle, top - 0.1)], roof)
            _draw_windows(canvas, rng, (left, top), wide, wall, is_night=is_night)
            left += wide + float(rng.uniform(-0.02, 0.06))
    canvas.box((0, 0.9), (canvas.aspect, 0.1), mixed((90, 90, 98), near, 0.6 if is_night else 0.0))
    for x in np.arange(0.05, canvas.aspect, 0.2):
        canvas.box((float(x), 0.945), (0.09, 0.008), (225, 220, 200))
    return canvas.finish()


def draw_figures(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw some round figures with faces, outlined as in cartoons, in a plain room."""
    canvas = Canvas(width, height, (0, 0, 0))
    is_dark = bool(rng.random() < 0.3)
    bright = (0.08, 0.3) if is_dark else (0.5, 0.95)
    wall = drawn_color(rng, value=bright, saturation=(0.1, 0.6))
    canvas.shade(mixed(wall, (255, 255, 255), 0.0 if is_dark else 0.25), wall)
    canvas.box((0, 0.72), (canvas.aspect, 0.28), mixed(wall, _INK, 0.35))
    for _ in range(int(rng.integers(0, 5))):  # pictures on the wall
        corner = (float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0.05, 0.35)))
        size = (float(rng.uniform(0.1, 0.35)), float(rng.uniform(0.1, 0.25)))
        canvas.box(corner, size, _INK)
        inner = (corner[0] + 0.012, corner[1] + 0.012)
        canvas.box(inner, (size[0] - 0.024, size[1] - 0.024), drawn_color(rng, value=bright))
    for x in np.sort(rng.uniform(0.15, canvas.aspect - 0.15, int(rng.integers(1, 5)))):
        skin = drawn_color(rng, value=(0.6, 1.0), saturation=(0.2, 0.8))
        _draw_figure(canvas, rng, float(x), float(rng.uniform(0.1, 0.24)), skin)
    return canvas.finish()


def _draw_sky(canvas: Canvas, rng: np.random.Generator, *, is_night: bool) -> tuple[Color, Color]:
    """Paint sky, sun or moon, clouds or stars.

    Returns:
        The color that far things fade to, and the one that the night lays on near things.
    """
    if is_night:
        top = drawn_color(
            rng, value=(0.02, 0.15), saturation=(0.5, 1.0), hue=rng.normal(0.65, 0.06)
        )
        bottom = mixed(top, drawn_color(rng, value=(0.2, 0.45), hue=rng.normal(0.7, 0.1)), 0.5)
    else:
        top = drawn_color(rng, value=(0.65, 1.0), hue=rng.normal(0.58, 0.06))
        bottom = mixed(top, drawn_color(rng, value=(0.9, 1.0), saturation=(0.05, 0.5)), 0.7)
    canvas.shade(top, bottom)
    center = (float(rng.uniform(0.1, canvas.aspect - 0.1)), float(rng.uniform(0.08, 0.4)))
    radius = float(rng.uniform(0.03, 0.09))
    light: Color = (235, 235, 215) if is_night else (255, 236, 150)
    canvas.glow(center, radius * 4.0, mixed((0, 0, 0), light, 0.5))
    canvas.ellipse(center, (radius, radius), light)
    for _ in range(int(rng.integers(40, 200)) if is_night else 0):
        size = float(rng.uniform(0.0008, 0.0025))
        star = (float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0, 0.6)))
        canvas.ellipse(star, (size, size), (240, 240, 255))
    for _ in range(int(rng.integers(0, 6))):
        x, y = float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0.05, 0.4))
        cloud = mixed(bottom, (255, 255, 255), 0.1 if is_night else 0.7)
        for _ in range(int(rng.integers(3, 7))):
            puff = float(rng.uniform(0.02, 0.06))
            at = (x + float(rng.normal(0, 0.06)), y + float(rng.normal(0, 0.012)))
            canvas.ellipse(at, (1.6 * puff, puff), cloud)
    return bottom, mixed(top, _INK, 0.5)


def _ridge(rng: np.random.Generator, aspect: float, level: float, reach: float) -> list[Point]:
    """Draw the outline of hills: a few waves, the finer the flatter."""
    x = np.linspace(0.0, aspect, 160)
    y = np.full_like(x, level)
    for wave in range(1, 7):
        phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.6, 1.4) * wave
        y += reach / wave**1.3 * np.sin(2 * np.pi * x / aspect * length + phase)
    return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


def _draw_tree(
    canvas: Canvas, rng: np.random.Generator, foot: Point, tall: float, ground: Color
) -> None:
    x, y = foot
    tall *= float(rng.uniform(0.6, 1.3))
    leaf = mixed(ground, drawn_color(rng, value=(0.2, 0.6), hue=rng.normal(0.33, 0.06)), 0.35)
    trunk = mixed(ground, (80, 50, 30), 0.5)
    canvas.box((x - 0.03 * tall, y - 0.4 * tall), (0.06 * tall, 0.42 * tall), trunk)
    if rng.random() < 0.5:
        for level in range(3):
            low, half = y - tall * (0.3 + 0.2 * level), tall * (0.25 - 0.06 * level)
            canvas.polygon([(x - half, low), (x + half, low), (x, low - 0.35 * tall)], leaf)
        return
    for _ in range(6):
        at = (x + float(rng.normal(0, 0.1 * tall)), y - tall * float(rng.uniform(0.5, 0.85)))
        canvas.ellipse(
            at, (0.17 * tall, 0.15 * tall), mixed(leaf, _INK, float(rng.uniform(0, 0.25)))
        )


def _draw_windows(
    canvas: Canvas,
    rng: np.random.Generator,
    corner: Point,
    wide: float,
    wall: Color,
    *,
    is_night: bool,
) -> None:
    columns = max(1, int(wide / float(rng.uniform(0.05, 0.1))))
    step, pane = wide / columns, float(rng.uniform(0.35, 0.6))
    lit_share = float(rng.uniform(0.1, 0.6)) if is_night else 0.0
    for y in np.arange(corner[1] + 0.04, 0.86, 0.09):
        for column in range(columns):
            is_lit = rng.random() < lit_share
            dark = mixed(wall, (20, 30, 60), 0.6)
            color = drawn_color(rng, value=(0.85, 1.0), hue=0.13) if is_lit else dark
            x = corner[0] + (column + 0.5 - pane / 2) * step
            canvas.box((x, float(y)), (pane * step, 0.05), color)


def _draw_figure(
    canvas: Canvas, rng: np.random.Generator, x: float, radius: float, skin: Color
) -> None:
    y = float(rng.uniform(0.3, 0.55))
    outline = radius * 0.05
    shirt = drawn_color(rng)
    for color, grow in ((_INK, outline), (shirt, 0.0)):
        canvas.ellipse((x, y + 1.75 * radius), (0.85 * radius + grow, 1.1 * radius + grow), color)
    for color, grow in ((_INK, outline), (skin, 0.0)):
        canvas.ellipse((x, y), (radius + grow, 1.05 * radius + grow), color)
    canvas.ellipse(
        (x + 0.3 * radius, y - 0.35 * radius),
        (0.35 * radius, 0.3 * radius),
        mixed(skin, (255, 255, 255), 0.25),
    )
    look = float(rng.uniform(-0.08, 0.08)) * radius
    for side in (-1, 1):
        eye = (x + side * 0.36 * radius, y - 0.1 * radius)
        canvas.ellipse(eye, (0.2 * radius, 0.26 * radius), _INK)
        canvas.ellipse(eye, (0.17 * radius, 0.23 * radius), (250, 250, 250))
        canvas.ellipse((eye[0] + look, eye[1]), (0.08 * radius, 0.1 * radius), _INK)
    bend = float(rng.uniform(-0.2, 0.3)) * radius
    mouth = [
        (x + t * 0.4 * radius, y + 0.5 * radius + bend * (1 - t * t))
        for t in np.linspace(-1, 1, 15)
    ]
    canvas.line(mouth, _INK, 0.07 * radius)
    hair = drawn_color(rng, value=(0.1, 0.8))
    for angle in np.linspace(np.pi * 1.05, np.pi * 1.95, int(rng.integers(5, 14))):
        root = (x + 0.95 * radius * np.cos(angle), y + 1.0 * radius * np.sin(angle))
        tip = (x + 1.3 * radius * np.cos(angle), y + 1.35 * radius * np.sin(angle))
        canvas.line([root, tip], hair, 0.09 * radius)
