"""Does the right dimension fall when a picture is distorted by code that nano never learnt from?

    python benchmarks/standard_distortions.py --pictures FOLDER [--model nano] [--max-pictures 20]

nano learnt from faults of `finevq.datasets.degradations`. Here pictures are distorted by Pillow,
scipy and scikit-image instead, in the ways of the usual picture databases and at two strengths. Of
each distortion: how often a dimension that it is about falls, how often it falls most, and how
often overall falls. Floor: one dimension of five drawn blindly falls most in 20 % (two: 40 %).
Source of the kinds: Lin et al., KADID-10k (QoMEX 2019), table II; the strengths are ours.
"""

import argparse
import io
import json
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage
from skimage import color, util

import finevq
from finevq.inference.session import Session
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

_SIZE = (512, 384)
_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}

Distort = Callable[[Image.Image, int], Image.Image]
"""A picture and a strength, 0 or 1, to the distorted picture."""


@dataclass(frozen=True, slots=True)
class Distortion:
    """A way to spoil a picture."""

    dimensions: tuple[Dimension, ...]
    """What it is about; any of them is right."""
    apply: Distort


@dataclass(frozen=True, slots=True)
class Fall:
    """What one distorted picture lost."""

    of_dimension: float
    """Of those that the distortion is about, the one that fell most."""
    of_others: float
    """The largest fall of any other dimension, overall aside."""
    of_overall: float


def _from_floats(values: NDArray[np.float64]) -> Image.Image:
    return Image.fromarray((values.clip(0.0, 1.0) * 255.0).round().astype(np.uint8))


def _floats(picture: Image.Image) -> NDArray[np.float64]:
    floats: NDArray[np.float64] = np.asarray(picture, np.float64) / 255.0
    return floats


def _noise(mode: str, strengths: Sequence[float]) -> Distort:
    def distort(picture: Image.Image, strength: int) -> Image.Image:
        name = "amount" if mode == "s&p" else "var"
        generator = np.random.default_rng(strength)
        options = {name: strengths[strength], "rng": generator}
        return _from_floats(util.random_noise(_floats(picture), mode=mode, **options))

    return distort


def _color_noise(picture: Image.Image, strength: int) -> Image.Image:
    planes = color.rgb2ycbcr(_floats(picture))
    spread = (14.0, 28.0)[strength]
    planes[..., 1:] += np.random.default_rng(strength).normal(0.0, spread, planes[..., 1:].shape)
    return _from_floats(color.ycbcr2rgb(planes))


def _stored(kind: str, options: Sequence[Mapping[str, object]]) -> Distort:
    def distort(picture: Image.Image, strength: int) -> Image.Image:
        stored = io.BytesIO()
        picture.save(stored, kind, **options[strength])
        return Image.open(stored).convert("RGB")

    return distort


def _gaussian_blur(picture: Image.Image, strength: int) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur((1.5, 3.5)[strength]))


def _lens_blur(picture: Image.Image, strength: int) -> Image.Image:
    radius = (2, 5)[strength]
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return _filtered(picture, (x * x + y * y <= radius * radius).astype(np.float64))


def _motion_blur(picture: Image.Image, strength: int) -> Image.Image:
    return _filtered(picture, np.eye((7, 15)[strength]))


def _filtered(picture: Image.Image, kernel: NDArray[np.float64]) -> Image.Image:
    return _from_floats(ndimage.convolve(_floats(picture), kernel[..., None] / kernel.sum()))


def _pixelate(picture: Image.Image, strength: int) -> Image.Image:
    block = (4, 8)[strength]
    small = picture.resize((picture.width // block, picture.height // block), Image.Resampling.BOX)
    return small.resize(picture.size, Image.Resampling.NEAREST)


def _enhanced(enhance: Callable[[Image.Image], ImageEnhance._Enhance]) -> Callable[..., Distort]:
    def with_factors(weak: float, strong: float) -> Distort:
        return lambda picture, strength: enhance(picture).enhance((weak, strong)[strength])

    return with_factors


def _curved(*exponents: float) -> Distort:
    return lambda picture, strength: _from_floats(_floats(picture) ** exponents[strength])


def _shifted(*steps: float) -> Distort:
    return lambda picture, strength: _from_floats(_floats(picture) + steps[strength])


def _color_shift(picture: Image.Image, strength: int) -> Image.Image:
    planes = _floats(picture)
    planes[..., 1] = np.roll(planes[..., 1], (5, 12)[strength], axis=1)
    return _from_floats(planes)


def _color_diffusion(picture: Image.Image, strength: int) -> Image.Image:
    planes = color.rgb2lab(_floats(picture))
    for channel in (1, 2):
        planes[..., channel] = ndimage.gaussian_filter(planes[..., channel], (6.0, 14.0)[strength])
    return _from_lab(planes)


def _from_lab(planes: NDArray[np.float64]) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # colours that no screen shows are cut off, as meant
        return _from_floats(color.lab2rgb(planes))


def _more_lab_color(picture: Image.Image, strength: int) -> Image.Image:
    planes = color.rgb2lab(_floats(picture))
    planes[..., 1:] *= (2.0, 3.5)[strength]
    return _from_lab(planes)


def _cast(picture: Image.Image, strength: int) -> Image.Image:
    gains = np.array([(1.15, 1.0, 0.8), (1.35, 1.0, 0.6)][strength])
    return _from_floats(_floats(picture) * gains)


def _posterised(picture: Image.Image, strength: int) -> Image.Image:
    return picture.quantize((16, 6)[strength], dither=Image.Dither.NONE).convert("RGB")


_COLOR, _NOISE = (Dimension.COLOR,), (Dimension.NOISE,)
_ARTIFACT, _BLUR = (Dimension.ARTIFACT,), (Dimension.BLUR,)

DISTORTIONS: Mapping[str, Distortion] = {
    "gaussian blur": Distortion(_BLUR, _gaussian_blur),
    "lens blur": Distortion(_BLUR, _lens_blur),
    "motion blur": Distortion(_BLUR, _motion_blur),
    "white noise": Distortion(_NOISE, _noise("gaussian", (0.004, 0.02))),
    "noise of colour": Distortion(_NOISE, _color_noise),
    "impulse noise": Distortion(_NOISE, _noise("s&p", (0.01, 0.05))),
    "multiplicative noise": Distortion(_NOISE, _noise("speckle", (0.02, 0.09))),
    "JPEG": Distortion(_ARTIFACT, _stored("JPEG", ({"quality": 20}, {"quality": 7}))),
    "JPEG 2000": Distortion(
        (*_ARTIFACT, *_BLUR),
        _stored(
            "JPEG2000",
            tuple(
                {"quality_mode": "rates", "quality_layers": [rate], "irreversible": True}
                for rate in (60, 180)
            ),
        ),
    ),
    "pixelate": Distortion((*_ARTIFACT, *_BLUR), _pixelate),
    "few colours": Distortion((*_ARTIFACT, *_COLOR), _posterised),
    "channel moved": Distortion((*_ARTIFACT, *_COLOR), _color_shift),
    "colours run": Distortion((*_ARTIFACT, *_COLOR), _color_diffusion),
    "less saturation": Distortion(_COLOR, _enhanced(ImageEnhance.Color)(0.4, 0.0)),
    "more saturation": Distortion(_COLOR, _enhanced(ImageEnhance.Color)(2.0, 3.5)),
    "more saturation (Lab)": Distortion(_COLOR, _more_lab_color),
    "cast": Distortion(_COLOR, _cast),
    "brighter": Distortion(_COLOR, _curved(0.55, 0.3)),
    "darker": Distortion(_COLOR, _curved(1.9, 3.2)),
    "mean moved up": Distortion(_COLOR, _shifted(0.15, 0.35)),
    "mean moved down": Distortion(_COLOR, _shifted(-0.15, -0.35)),
    "less contrast": Distortion(_COLOR, _enhanced(ImageEnhance.Contrast)(0.5, 0.2)),
    "more contrast": Distortion(_COLOR, _enhanced(ImageEnhance.Contrast)(1.7, 2.8)),
}


def main() -> None:
    """Measure, print a table, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=Path, required=True, help="Folder of good photographs.")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--max-pictures", type=int, default=20)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    found = sorted(p for p in options.pictures.iterdir() if p.suffix.lower() in _SUFFIXES)
    chosen = found[: options.max_pictures]
    if not chosen:
        parser.error(f"--pictures: {options.pictures} holds none of {', '.join(sorted(_SUFFIXES))}")
    session = finevq.load(options.model)
    falls: dict[str, list[Fall]] = {name: [] for name in DISTORTIONS}
    with tempfile.TemporaryDirectory() as folder:
        for path in chosen:
            for name, found_falls in falls_of(session, path, Path(folder)).items():
                falls[name] += found_falls
    table = {name: shares(rows) for name, rows in falls.items()}
    table["all"] = shares([fall for rows in falls.values() for fall in rows])
    print(f"{len(chosen)} pictures; shares of {'dimension':>14} {'falls most':>11} {'overall':>8}")
    for name, row in table.items():
        values = (row["dimension_falls"], row["falls_most"], row["overall_falls"])
        print(f"{name:<28}{values[0]:>12.2f}{values[1]:>12.2f}{values[2]:>9.2f}")
    if options.output:
        options.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def falls_of(session: Session, path: Path, folder: Path) -> dict[str, list[Fall]]:
    """Distort one picture in all ways and return what it lost by each."""
    picture = _cropped(Image.open(path).convert("RGB"))
    before = _scores(session, picture, folder)
    falls: dict[str, list[Fall]] = {}
    for name, distortion in DISTORTIONS.items():
        for strength in (0, 1):
            after = _scores(session, distortion.apply(picture, strength), folder)
            lost = {dimension: before[dimension] - after[dimension] for dimension in before}
            others = [d for d in FAULT_DIMENSIONS if d not in distortion.dimensions]
            fall = Fall(
                max(lost[dimension] for dimension in distortion.dimensions),
                max(lost[dimension] for dimension in others),
                lost[Dimension.OVERALL],
            )
            falls.setdefault(name, []).append(fall)
    return falls


def shares(falls: Sequence[Fall]) -> dict[str, float]:
    """Return how often the right dimension fell, fell most, and overall fell."""
    return {
        "pictures": len(falls),
        "dimension_falls": float(np.mean([fall.of_dimension > 0 for fall in falls])),
        "falls_most": float(np.mean([fall.of_dimension >= fall.of_others for fall in falls])),
        "overall_falls": float(np.mean([fall.of_overall > 0 for fall in falls])),
    }


def _cropped(picture: Image.Image) -> Image.Image:
    """Return the picture at the databases' size: its middle, scaled down."""
    scale = max(_SIZE[0] / picture.width, _SIZE[1] / picture.height)
    size = (round(picture.width * scale), round(picture.height * scale))
    left, top = (size[0] - _SIZE[0]) // 2, (size[1] - _SIZE[1]) // 2
    scaled = picture.resize(size, Image.Resampling.LANCZOS)
    return scaled.crop((left, top, left + _SIZE[0], top + _SIZE[1]))


def _scores(session: Session, picture: Image.Image, folder: Path) -> dict[Dimension, float]:
    path = folder / "picture.png"
    picture.save(path)
    assessment = session.assess(str(path))
    return {dimension: assessment.dimensions[dimension].score for dimension in Dimension}


if __name__ == "__main__":
    main()
