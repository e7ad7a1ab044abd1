"""Motion graphics: title cards, equalizers of music players, particles, triangles."""

import numpy as np
from scipy.spatial import Delaunay

from finevq.datasets.graphics.canvas import (
    Canvas,
    Color,
    Picture,
    drawn_color,
    drawn_words,
    mixed,
)

_BLACK: Color = (0, 0, 0)


def draw_equalizer(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw the picture of a music player: dots or bars on black or a faint glow, title, time."""
    hue = float(rng.random())
    canvas = Canvas(width, height, drawn_color(rng, value=(0.0, 0.08), hue=hue))
    accent = drawn_color(rng, value=(0.6, 1.0), hue=hue)
    for _ in range(int(rng.integers(0, 4))):
        center = (float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0.2, 0.8)))
        canvas.glow(
            center, float(rng.uniform(0.3, 1.0)), mixed(_BLACK, accent, rng.uniform(0.05, 0.3))
        )
    middle = float(rng.uniform(0.35, 0.7))
    count = int(rng.integers(24, 120))
    heights = np.abs(rng.normal(0, 1, count)) * np.hanning(count + 2)[1:-1] ** 0.3
    heights *= float(rng.uniform(0.05, 0.25))
    step = canvas.aspect / count
    style = int(rng.integers(3))
    for index, tall in enumerate(heights):
        x = (index + 0.5) * step
        color = mixed(accent, drawn_color(rng, hue=hue + 0.3 * index / count), 0.5)
        if style == 0:
            canvas.box((x - 0.3 * step, middle - tall), (0.6 * step, 2 * tall), color)
        elif style == 1:
            for side in (-1, 1):
                canvas.ellipse((x, middle + side * tall), (0.003, 0.003), color)
        else:
            angle, ring = 2 * np.pi * index / count, 0.18
            points = [
                (canvas.aspect / 2 + r * np.cos(angle), 0.45 + r * np.sin(angle))
                for r in (ring, ring + tall)
            ]
            canvas.line(points, color, 0.006)
    ink = mixed(accent, (255, 255, 255), 0.8)
    canvas.text((0.1, 0.8), drawn_words(rng, 2), float(rng.uniform(0.025, 0.06)), ink)
    canvas.text((0.1, 0.89), drawn_words(rng, 3), 0.03, mixed(accent, _BLACK, 0.3))
    canvas.text(
        (canvas.aspect - 0.1, 0.89), f"0{rng.integers(9)}:{rng.integers(10, 59)}", 0.03, ink, "rt"
    )
    return canvas.finish()


def draw_title(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a title card: large words on a gradient, with bars."""
    is_dark = bool(rng.random() < 0.6)
    bright = (0.0, 0.25) if is_dark else (0.5, 1.0)
    canvas = Canvas(width, height, _BLACK)
    canvas.shade(drawn_color(rng, value=bright), drawn_color(rng, value=bright))
    for _ in range(int(rng.integers(0, 8))):
        x, wide = float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0.01, 0.2))
        lean = float(rng.uniform(-0.5, 0.5))
        color = drawn_color(rng, value=(bright[0], min(1.0, bright[1] + 0.2)))
        canvas.polygon([(x, 0), (x + wide, 0), (x + wide + lean, 1), (x + lean, 1)], color)
    accent = drawn_color(rng, value=(0.7, 1.0))
    size = float(rng.uniform(0.06, 0.18))
    y = float(rng.uniform(0.2, 0.6))
    white = (250, 250, 250) if is_dark else (20, 20, 24)
    canvas.text(
        (canvas.aspect / 2, y), drawn_words(rng, int(rng.integers(1, 3))), size, white, "mt"
    )
    canvas.box((0.2 * canvas.aspect, y + 1.2 * size), (0.6 * canvas.aspect, 0.008), accent)
    canvas.text((canvas.aspect / 2, y + 1.4 * size), drawn_words(rng, 4), 0.4 * size, accent, "mt")
    return canvas.finish()


def draw_particles(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw points of light in the dark, some of them joined by lines."""
    hue = float(rng.random())
    canvas = Canvas(width, height, drawn_color(rng, value=(0.0, 0.1), hue=hue))
    points = [
        (float(x), float(y))
        for x, y in rng.uniform((0, 0), (canvas.aspect, 1.0), (int(rng.integers(30, 140)), 2))
    ]
    is_net = bool(rng.random() < 0.5)
    for index, point in enumerate(points):
        color = drawn_color(rng, value=(0.4, 1.0), hue=hue + float(rng.normal(0, 0.08)))
        if is_net:
            for other in points[index + 1 :]:
                if np.hypot(point[0] - other[0], point[1] - other[1]) < 0.16:
                    canvas.line([point, other], mixed(_BLACK, color, 0.5), 0.0015)
        radius = float(rng.exponential(0.012))
        canvas.glow(point, 0.01 + 6 * radius, mixed(_BLACK, color, 0.7))
        canvas.ellipse(point, (0.3 * radius + 0.001, 0.3 * radius + 0.001), (255, 255, 255))
    if rng.random() < 0.5:
        canvas.text((0.08, 0.85), drawn_words(rng, 2), 0.06, (240, 240, 240))
    return canvas.finish()


def draw_triangles(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a surface of triangles between two or three colors."""
    canvas = Canvas(width, height, _BLACK)
    bright = (0.1, 0.5) if rng.random() < 0.4 else (0.4, 1.0)
    colors = [drawn_color(rng, value=bright) for _ in range(3)]
    inner = rng.uniform((-0.1, -0.1), (canvas.aspect + 0.1, 1.1), (int(rng.integers(20, 200)), 2))
    corners = np.array([(-1, -1), (3, -1), (-1, 2), (3, 2)], np.float64)
    points = np.concatenate([inner, corners])
    for triangle in Delaunay(points).simplices:
        places = points[triangle]
        x, y = places.mean(0)
        color = mixed(colors[0], colors[1], float(np.clip(x / canvas.aspect, 0, 1)))
        color = mixed(color, colors[2], float(np.clip(y, 0, 1)) * 0.6)
        color = mixed(color, _BLACK, float(rng.uniform(0, 0.3)))
        canvas.polygon([(float(a), float(b)) for a, b in places], color)
    return canvas.finish()
