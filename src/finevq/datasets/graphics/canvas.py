"""What drawings are made on: shapes, text and light, with soft edges.

Coordinates are shares of the picture's height, y down, so x runs from 0 to the aspect ratio.
Everything is drawn at twice the size and shrunk at the end, as a renderer smooths its edges.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Picture: TypeAlias = npt.NDArray[np.uint8]
"""(H, W, 3) RGB."""
Color: TypeAlias = tuple[int, int, int]
"""RGB, 0..255."""
Point: TypeAlias = tuple[float, float]

_OVERSAMPLING = 2


class Canvas:
    """A picture in the making."""

    def __init__(self, width: int, height: int, color: Color) -> None:
        self.aspect = width / height
        self._size = (width, height)
        self._unit = height * _OVERSAMPLING
        self._image = Image.new("RGB", (width * _OVERSAMPLING, self._unit), color)
        self._draw = ImageDraw.Draw(self._image)

    def polygon(self, points: Sequence[Point], color: Color) -> None:
        """Fill a polygon."""
        self._draw.polygon(self._pixels(points), fill=color)

    def line(self, points: Sequence[Point], color: Color, width: float) -> None:
        """Draw a line through some points."""
        pixels = max(1, round(width * self._unit))
        self._draw.line(self._pixels(points), fill=color, width=pixels, joint="curve")

    def ellipse(self, center: Point, radii: Point, color: Color) -> None:
        """Fill an ellipse."""
        (x, y), (a, b) = center, radii
        self._draw.ellipse(self._pixels([(x - a, y - b), (x + a, y + b)]), fill=color)

    def box(self, corner: Point, size: Point, color: Color, radius: float = 0.0) -> None:
        """Fill a rectangle, its corners rounded where a radius is given."""
        end = (corner[0] + max(size[0], 0.0), corner[1] + max(size[1], 0.0))
        pixels = self._pixels([corner, end])
        if radius:
            self._draw.rounded_rectangle(pixels, radius * self._unit, fill=color)
        else:
            self._draw.rectangle(pixels, fill=color)

    def text(
        self, position: Point, words: str, size: float, color: Color, anchor: str = "lt"
    ) -> None:
        """Write a line of text; `size` is the height of its letters, `anchor` is Pillow's."""
        font = ImageFont.load_default(max(8.0, size * self._unit))
        self._draw.text(self._pixels([position])[0], words, font=font, fill=color, anchor=anchor)

    def shade(self, top: Color, bottom: Color, start: float = 0.0, end: float = 1.0) -> None:
        """Fill the rows from start to end with a gradient."""
        first, last = round(start * self._unit), round(end * self._unit)
        ramp = np.linspace(top, bottom, max(last - first, 1))
        # Dithered, as renderers do it, or eight bits would show bands: a fault of its own.
        ramp = ramp[:, None, :] + np.random.default_rng(0).uniform(-0.5, 0.5, (1, 64, 3))
        tile = Image.fromarray(np.clip(np.rint(ramp), 0, 255).astype(np.uint8))
        for x in range(0, self._image.width, tile.width):
            self._image.paste(tile, (x, first))

    def glow(self, center: Point, radius: float, color: Color) -> None:
        """Add light that fades to nothing at a radius."""
        x, y = center[0] * self._unit, center[1] * self._unit
        reach = radius * self._unit
        left, top = max(0, int(x - reach)), max(0, int(y - reach))
        right = min(self._image.width, int(x + reach) + 1)
        bottom = min(self._image.height, int(y + reach) + 1)
        if left >= right or top >= bottom:
            return
        columns, rows = np.arange(left, right) - x, np.arange(top, bottom) - y
        distance = np.hypot(columns[None, :], rows[:, None]) / reach
        light = np.clip(1.0 - distance, 0.0, 1.0)[..., None] ** 2 * np.array(color, np.float64)
        part = np.asarray(self._image.crop((left, top, right, bottom)), np.float64)
        lit = Image.fromarray(np.clip(np.rint(part + light), 0, 255).astype(np.uint8))
        self._image.paste(lit, (left, top))

    def finish(self) -> Picture:
        """Return the picture at its size."""
        return np.array(self._image.resize(self._size, Image.Resampling.BOX))

    def _pixels(self, points: Sequence[Point]) -> list[tuple[float, float]]:
        return [(x * self._unit, y * self._unit) for x, y in points]


def mixed(one: Color, other: Color, share: float) -> Color:
    """Return a color between two; 0 is the first.

    >>> mixed((0, 0, 0), (200, 100, 50), 0.5)
    (100, 50, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def drawn_color(
    rng: np.random.Generator,
    *,
    value: tuple[float, float] = (0.4, 1.0),
    saturation: tuple[float, float] = (0.3, 0.9),
    hue: float | None = None,
) -> Color:
    """Draw a color between bounds of HSV; hue in turns, 0 is red; drawn, too, where not given."""
    turn = float(rng.random()) if hue is None else hue % 1.0
    chroma, bright = float(rng.uniform(*saturation)), float(rng.uniform(*value))

    def channel(n: int) -> int:  # the closed form of HSV to RGB (Smith, SIGGRAPH 1978)
        k = (n + 6.0 * turn) % 6.0
        return round(255 * bright * (1.0 - chroma * max(0.0, min(k, 4.0 - k, 1.0))))

    return channel(5), channel(3), channel(1)


_WORDS = (
    "about after again always answer before bright change city clear cloud color corner count "
    "data day deep early earth edge evening every field first five fold forest four frame garden "
    "glass green half hand harbor high hill home hour island journey key lake large late learn "
    "left letter light line little long map market meadow measure middle minute moon morning "
    "mountain name near new night north number ocean open orange order paper part path people "
    "picture place plan point quiet rain report right river road room round sand school sea "
    "second seven shadow ship short silver simple sky small snow song sound south space spring "
    "star stone storm story street summer sun table ten three time today tower town train tree "
    "under valley voice wall water week west wide wind window winter wood word world year zero"
)


def drawn_words(rng: np.random.Generator, count: int) -> str:
    """Draw some words, the first with a capital letter."""
    return " ".join(rng.choice(_WORDS.split(), count)).capitalize()
