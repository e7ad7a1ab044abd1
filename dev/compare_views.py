"""What should the image encoder look at? Views compared by linear readers on the same features.

    python dev/compare_views.py --model runs/nano --stills runs/stills --human LIVE

Each view of a picture goes through the image encoder of a trained nano; a ridge regression (its
strength by cross-validation inside the training part) reads people's overall (photographs) and
the severity of each spatial dimension (stills) from it, and is judged on the validation part.
The encoder was trained on whole pictures and crops, which favours those; --imagenet takes the
weights that training started from, which favours none.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from finevq.model.checkpoint import load_model
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.training.config import DataConfig, NanoTrainingConfig
from finevq.training.pretrained import load_imagenet_weights
from finevq.training.samples import TrainingSample
from finevq.training.sources import human_samples, synthetic_samples
from finevq.video.decode import decode_video
from finevq.video.transforms import Whole, normalize
from finevq.vocabulary import FAULT_DIMENSIONS, Dimension

Picture = NDArray[np.uint8]
SPATIAL = [d for d in FAULT_DIMENSIONS if d is not Dimension.TEMPORAL]


def squashed(size: int) -> Callable[[Picture], list[Picture]]:
    """The whole picture as a square."""
    return lambda picture: [
        cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8)
    ]


def crops(size: int, count: int) -> Callable[[Picture], list[Picture]]:
    """Squares of native pixels: the centre, then corners."""
    places = [(0.5, 0.5), (0.0, 0.0), (1.0, 1.0), (1.0, 0.0), (0.0, 1.0)][:count]

    def cut(picture: Picture) -> list[Picture]:
        picture = at_least(picture, size)
        height, width = picture.shape[:2]
        corners = [(round(y * (height - size)), round(x * (width - size))) for x, y in places]
        return [picture[top : top + size, left : left + size] for top, left in corners]

    return cut


def fragments(grid: int, side: int) -> Callable[[Picture], list[Picture]]:
    """A mosaic of small native pieces, one of each cell of a grid.

    Source: Wu et al., FAST-VQA (ECCV 2022): grid mini-patch sampling.
    """

    def cut(picture: Picture) -> list[Picture]:
        picture = at_least(picture, grid * side)
        height, width = picture.shape[:2]
        rows = []
        for row in range(grid):
            top = round((row + 0.5) * height / grid - side / 2)
            lefts = [round((column + 0.5) * width / grid - side / 2) for column in range(grid)]
            rows.append(
                np.concatenate([picture[top : top + side, x : x + side] for x in lefts], axis=1)
            )
        return [np.concatenate(rows)]

    return cut


def at_least(picture: Picture, side: int) -> Picture:
    """Enlarge a picture whose shorter side is below `side`."""
    factor = max(1.0, side / min(picture.shape[:2]) + 1e-3)
    if factor == 1.0:
        return picture
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor), np.uint8)


PARTS = {
    "whole 192": squashed(192),
    "whole 256": squashed(256),
    "whole 384": squashed(384),
    "crop 224": crops(224, 1),
    "crop 320": crops(320, 1),
    "3 crops 320": crops(320, 3),
    "fragments 7 x 32": fragments(7, 32),
    "fragments 10 x 32": fragments(10, 32),
}
MIXTURES = [
    ("whole 256", "crop 320"),
    ("whole 256", "3 crops 320"),
    ("whole 256", "fragments 10 x 32"),
]
VIEWS = {
    **{name: [part] for name, part in PARTS.items()},
    **{" + ".join(names): [PARTS[name] for name in names] for names in MIXTURES},
}


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--stills", type=Path, required=True)
    parser.add_argument("--human", type=Path, required=True)
    parser.add_argument("--max-stills", type=int, default=1600, help="in training")
    parser.add_argument("--imagenet", action="store_true")
    parser.add_argument("--views", nargs="+", choices=VIEWS, default=list(VIEWS), metavar="VIEW")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    encoder = load_model(options.model, dtype=torch.float32).image_encoder.eval()
    if options.imagenet:
        load_imagenet_weights(encoder)
    config = NanoTrainingConfig(data=DataConfig(manifest=options.stills, human=options.human))
    photographs = [s for s in human_samples(config) if s.split != "test"]
    stills = synthetic_samples(options.stills)
    chosen = [s for s in stills if s.split == "train"][: options.max_stills]
    chosen += [s for s in stills if s.split == "validation"][: options.max_stills // 3]
    table = {}
    pictures = {sample.path: middle_frame(sample.path) for sample in [*photographs, *chosen]}
    for name in options.views:
        parts = VIEWS[name]
        row = {"people's overall": judged(encoder, parts, photographs, pictures, overall)}
        for dimension in SPATIAL:
            row[f"{dimension} severity"] = judged(
                encoder, parts, chosen, pictures, lambda s, d=dimension: -s.dimension_severities[d]
            )
        table[name] = row
        print(
            f"{name:32}", " ".join(f"{key} {value:.3f}" for key, value in row.items()), flush=True
        )
    if options.output:
        options.output.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")


def overall(sample: TrainingSample) -> float:
    """People's opinion."""
    return sample.mos[Dimension.OVERALL]


def middle_frame(path: str) -> Picture:
    """The picture in the middle of a clip."""
    decoded = decode_video(
        path,
        sampler=lambda table: {"frame": np.array([len(table) // 2])},
        transforms={"frame": Whole(1080)},
        threads=1,
    )
    frame: Picture = decoded.arrays["frame"][0]
    return frame


_FEATURES: dict[tuple[int, str], NDArray[np.float32]] = {}


@torch.no_grad()
def features(
    encoder: EfficientNetEncoder,
    view: Callable[[Picture], list[Picture]],
    path: str,
    pictures: dict[str, Picture],
) -> NDArray[np.float32]:
    """Mean feature of a view's squares."""
    key = (id(view), path)
    if key not in _FEATURES:
        squares = torch.from_numpy(normalize(np.stack(view(pictures[path]))))
        _FEATURES[key] = encoder(squares)[:, 0].mean(dim=0).numpy()
    return _FEATURES[key]


def judged(
    encoder: EfficientNetEncoder,
    parts: Sequence[Callable[[Picture], list[Picture]]],
    samples: Sequence[TrainingSample],
    pictures: dict[str, Picture],
    truth: Callable[[TrainingSample], float],
) -> float:
    """SRCC on validation samples of a ridge regression fitted on training samples."""
    x = np.stack(
        [
            np.concatenate([features(encoder, part, sample.path, pictures) for part in parts])
            for sample in samples
        ]
    )
    y = np.array([truth(sample) for sample in samples])
    train = np.array([sample.split == "train" for sample in samples])
    reader = make_pipeline(StandardScaler(), RidgeCV(np.logspace(1, 5, 9)))
    reader.fit(x[train], y[train])
    return float(spearmanr(reader.predict(x[~train]), y[~train]).statistic)


if __name__ == "__main__":
    main()
