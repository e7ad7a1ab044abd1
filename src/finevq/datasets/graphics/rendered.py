"""Rendered worlds: spheres traced by rays, the tiles of a game."""

from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.graphics.canvas import (
    Canvas,
    Picture,
    drawn_color,
    drawn_words,
    mixed,
)

_Floats: TypeAlias = npt.NDArray[np.float32]


def draw_spheres(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Trace some shining spheres on a checkered floor, with their shadows (Whitted, 1980)."""
    is_dark = bool(rng.random() < 0.35)
    sky = _floats(drawn_color(rng, value=(0.02, 0.2) if is_dark else (0.5, 1.0))) / 255
    tiles = _floats([drawn_color(rng, value=(0.2, 1.0)) for _ in range(2)]) / 255
    count = int(rng.integers(2, 8))
    radii = _floats(rng.uniform(0.3, 1.0, count))
    across, away = rng.uniform(-3, 3, count), rng.uniform(3.0, 9.0, count)
    centers = _floats(np.stack([across, radii - 1.0, away], 1))
    colors = _floats([drawn_color(rng, value=(0.3, 1.0)) for _ in range(count)]) / 255
    light = _floats([rng.uniform(-4, 4), rng.uniform(3, 6), rng.uniform(-2, 3)])
    fine = (2 * width, 2 * height)
    x, y = np.meshgrid(
        np.linspace(-width / height, width / height, fine[0], dtype=np.float32),
        np.linspace(1.0, -1.0, fine[1], dtype=np.float32),
    )
    rays = np.stack([x, y - 0.25, np.full_like(x, 2.2)], -1)
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    distance = np.where(rays[..., 1] < -1e-3, -1.0 / np.minimum(rays[..., 1], -1e-3), np.inf)
    places = rays * np.where(np.isfinite(distance), distance, 0)[..., None]
    checker = (np.floor(places[..., 0]) + np.floor(places[..., 2])).astype(int) % 2
    base, normal = tiles[checker], np.broadcast_to(_floats([0, 1, 0]), rays.shape).copy()
    for center, radius, color in zip(centers, radii, colors, strict=True):
        hit = _nearest_hit(rays, center, radius)
        is_nearer = hit < distance
        distance = np.where(is_nearer, hit, distance)
        places[is_nearer] = rays[is_nearer] * hit[is_nearer][:, None]
        normal[is_nearer] = (places[is_nearer] - center) / radius
        base[is_nearer] = color
    to_light = light - places
    to_light /= np.linalg.norm(to_light, axis=-1, keepdims=True)
    lit = np.clip((normal * to_light).sum(-1), 0, 1)
    for center, radius in zip(centers, radii, strict=True):
        offset = places + 1e-3 * normal - center
        along = (offset * to_light).sum(-1)
        is_shaded = (along < 0) & ((offset**2).sum(-1) - along**2 < radius**2)
        lit = np.where(is_shaded, 0.15 * lit, lit)
    halfway = to_light - rays
    halfway /= np.linalg.norm(halfway, axis=-1, keepdims=True)
    shine = np.clip((normal * halfway).sum(-1), 0, 1) ** 60 * (lit > 0.2)
    ambient = 0.08 if is_dark else 0.3
    picture = base * (ambient + 0.75 * lit[..., None]) + 0.7 * shine[..., None]
    fog = 1.0 - np.exp(-np.where(np.isfinite(distance), distance, 1e3) / 22.0)[..., None]
    return _developed(picture * (1 - fog) + sky * fog, (width, height))


def draw_game(rng: np.random.Generator, width: int, height: int) -> Picture:
    """Draw a game of tiles seen from above, in large pixels, with score and lives."""
    tile = 16
    columns, rows = int(rng.integers(14, 30)), int(rng.integers(9, 18))
    is_dark = bool(rng.random() < 0.4)
    bright = (0.08, 0.35) if is_dark else (0.35, 0.9)
    kinds = []
    for _ in range(5):
        color = np.array(drawn_color(rng, value=bright), np.float64)
        pattern = rng.choice([0.8, 0.9, 1.0, 1.1], (tile, tile, 1), p=[0.1, 0.2, 0.55, 0.15])
        kinds.append(np.clip(color * pattern, 0, 255))
    field = _fractal(rng, 64, first=4)[:rows, :columns]
    chosen = np.clip((field * 5).astype(int), 0, 4)
    world = np.concatenate(
        [np.concatenate([kinds[kind] for kind in row], 1) for row in chosen]
    ).astype(np.uint8)
    for _ in range(int(rng.integers(4, 16))):
        half = rng.random((12, 6)) < 0.55
        sprite = np.concatenate([half, half[:, ::-1]], 1)
        y, x = rng.integers(0, rows * tile - 12), rng.integers(0, columns * tile - 12)
        world[y : y + 12, x : x + 12][sprite] = drawn_color(rng, value=(0.6, 1.0))
    grown = cv2.resize(world, (width, height), interpolation=cv2.INTER_NEAREST)
    canvas = Canvas(width, height, (0, 0, 0))
    canvas.box((0, 0), (canvas.aspect, 0.09), (10, 10, 14))
    score = f"SCORE {int(rng.integers(10**6)):06d}"
    canvas.text((0.03, 0.025), score, 0.04, (250, 250, 250))
    canvas.text(
        (canvas.aspect / 2, 0.025), drawn_words(rng, 2).upper(), 0.04, drawn_color(rng), "mt"
    )
    for life in range(int(rng.integers(1, 6))):
        center = (canvas.aspect - 0.05 - 0.06 * life, 0.045)
        canvas.ellipse(center, (0.02, 0.02), mixed((230, 50, 60), (255, 255, 255), 0.1))
    display = canvas.finish()
    edge = round(0.09 * height)
    return np.concatenate([display[:edge], np.asarray(grown, np.uint8)[edge:]])


def _floats(values: npt.ArrayLike) -> _Floats:
    """Return values in single precision: twice as fast, and finer than a pixel."""
    return np.asarray(values, np.float32)


def _nearest_hit(rays: _Floats, center: _Floats, radius: float) -> _Floats:
    """Return how far each ray from the origin goes until it meets a sphere; infinity: never."""
    along = rays @ center
    discriminant = along**2 - (center @ center - radius**2)
    near = along - np.sqrt(np.maximum(discriminant, 0))
    hit: _Floats = np.where((discriminant > 0) & (near > 0), near, np.inf)
    return hit


def _fractal(rng: np.random.Generator, size: int, first: int = 3) -> _Floats:
    """Return (size, size) noise of all scales, 0..1 (value noise; Perlin, SIGGRAPH 1985)."""
    total = np.zeros((size, size))
    cells, weight = first, 1.0
    while cells < size:
        coarse = rng.random((cells, cells))
        total += weight * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
        cells, weight = cells * 2, weight * 0.5
    noise: _Floats = (total - total.min()) / (np.ptp(total) + 1e-9)
    return noise


def _developed(picture: _Floats, size: tuple[int, int]) -> Picture:
    """Shrink a rendering to its size, smooth edges, and round it to eight bits."""
    small = cv2.resize(np.clip(picture, 0, 1), size, interpolation=cv2.INTER_AREA)
    return np.rint(small * 255).astype(np.uint8)
