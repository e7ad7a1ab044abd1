"""Makes examples/media/sample.mp4 and its degraded sibling from public-domain photographs.

The photographs inside the scikit-image wheel are small, so one of them cannot fill 1280x720
without being blown up. They hang as framed prints on a brick wall (a photographed texture of the
same wheel) at their own pixels, and the virtual hand-held camera of finevq walks along the wall.

Run it from the repository: python examples/make_sample.py
"""

import argparse
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from finevq.datasets.camera import CameraPath, film, handheld_path
from finevq.datasets.degradations import codecs
from finevq.datasets.degradations.blur import camera_blur
from finevq.datasets.degradations.codecs import Encoding
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.noise import gaussian_noise
from finevq.datasets.sources import read_photo, scikit_image_sources

FPS = 30.0
NUM_FRAMES = 135
SIZE = (1280, 720)
MEDIA = Path(__file__).resolve().parent / "media"


def make_wall() -> npt.NDArray[np.uint8]:
    """Hang the photographs on the wall.

    Returns:
        (H, W, 3) uint8 RGB, wide enough for a walk along it.
    """
    sources = {source.path.name: source.path for source in scikit_image_sources()}
    folder = next(iter(sources.values())).parent
    wall = _brick_wall(folder / "brick.png", height=940, width=2700)
    places = {
        "coffee.png": (150, 130, 1.0),
        "astronaut.png": (880, 220, 1.0),
        "chelsea.png": (420, 590, 0.62),
        "rocket.jpg": (1540, 160, 1.0),
    }
    for name, (left, top, scale) in places.items():
        picture = read_photo(sources[name])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        _hang(wall, _framed(picture), left, top)
    return wall


def _brick_wall(path: Path, height: int, width: int) -> npt.NDArray[np.uint8]:
    bricks = read_photo(path).astype(np.float32) * np.array([0.98, 0.80, 0.68], np.float32)
    tile = np.vstack([bricks, bricks[::-1]])
    tile = np.hstack([tile, tile[:, ::-1]])
    rows, columns = -(-height // tile.shape[0]), -(-width // tile.shape[1])
    wall = np.tile(tile, (rows, columns, 1))[:height, :width]
    # Light falls from a lamp at the upper left.
    y, x = np.mgrid[0:height, 0:width]
    light = 1.12 - 0.32 * np.hypot(x / width - 0.35, 0.6 * (y / height - 0.2))
    lit: npt.NDArray[np.uint8] = np.clip(wall * light[..., None], 0, 255).astype(np.uint8)
    return lit


def _framed(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    mat = cv2.copyMakeBorder(picture, 26, 26, 26, 26, cv2.BORDER_CONSTANT, value=(236, 233, 226))
    return cv2.copyMakeBorder(mat, 9, 9, 9, 9, cv2.BORDER_CONSTANT, value=(46, 34, 26))


def _hang(wall: npt.NDArray[np.uint8], framed: npt.NDArray[np.uint8], left: int, top: int) -> None:
    height, width = framed.shape[:2]
    shadow = np.zeros(wall.shape[:2], np.float32)
    shadow[top + 14 : top + height + 14, left + 10 : left + width + 10] = 0.55
    shadow = cv2.GaussianBlur(shadow, (0, 0), 10)
    wall[:] = (wall * (1.0 - shadow[..., None])).astype(np.uint8)
    wall[top : top + height, left : left + width] = framed


def walk(rng: np.random.Generator) -> CameraPath:
    """Return a calm walk along the wall: from left to right with a hand's sway."""
    path = handheld_path(NUM_FRAMES, FPS, rng, sway=0.5)
    progress = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, NUM_FRAMES))
    return replace(path, x=path.x + 1.15 * (progress - 0.5))


def degraded(footage: Footage, rng: np.random.Generator) -> Footage:
    """Put the lens out of focus and the sensor under too little light."""
    footage = camera_blur(footage, 0.42, rng).footage
    return gaussian_noise(footage, 0.30, rng).footage


def main() -> None:
    """Write the two clips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=MEDIA, help="folder of the two clips")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(2025)
    frames = film(make_wall(), SIZE, walk(rng), rng, field_of_view=0.86, parallax=0.0)
    fine = Encoding(codec="libx264", quality=21.5, options={"preset": "slow"})
    poor = Encoding(codec="libx264", quality=36, options={"preset": "veryfast"})
    (out / "sample.mp4").write_bytes(codecs.encode(Footage(frames, FPS), fine))
    worse = degraded(Footage(frames, FPS), rng)
    (out / "sample_degraded.mp4").write_bytes(codecs.encode(worse, poor))
    for name in ("sample.mp4", "sample_degraded.mp4"):
        print(f"{out / name}: {(out / name).stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
