"""Single pictures of many samples, decoded once into two large files that training reads from."""

import hashlib
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from finevq.errors import DatasetError, FineVQError
from finevq.records import VideoInputConfig
from finevq.settings import Settings
from finevq.training.samples import TrainingSample
from finevq.video.decode import decode_video
from finevq.video.sampling import FrameTable
from finevq.video.transforms import DetailCrop, FrameTransform, Squash

_log = logging.getLogger(__name__)
_PROGRESS_EVERY = 2000

Views = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""(S, S, 3) whole picture and (crops, D, D, 3) native pixels."""


@dataclass(frozen=True, slots=True)
class StillSet:
    """Samples with one picture each, row by row; the pictures stay on disk."""

    samples: Sequence[TrainingSample]
    whole: NDArray[np.uint8]
    """(N, S, S, 3) RGB: the squashed picture."""
    detail: NDArray[np.uint8]
    """(N, crops, D, D, 3) RGB: native pixels at places drawn once."""
    key: str
    """Changes with the pictures and with how they are seen."""

    def __len__(self) -> int:
        return len(self.samples)

    def part(self, rows: Sequence[int]) -> "StillSet":
        """Return some rows."""
        chosen = list(rows)
        samples = [self.samples[row] for row in chosen]
        key = hashlib.sha256(repr((self.key, chosen)).encode()).hexdigest()[:16]
        return StillSet(samples, self.whole[chosen], self.detail[chosen], key)


def read_stills(
    samples: Sequence[TrainingSample],
    config: VideoInputConfig,
    folder: Path,
    settings: Settings,
    *,
    crops: int,
    workers: int,
) -> StillSet:
    """Decode the middle frame of each sample, or take what was decoded before.

    Args:
        samples: Clips or photographs; one that cannot be read is left out, with a log line.
        config: Sizes of the views.
        folder: Where to keep the pictures; safe to delete.
        settings: Limits of reading.
        crops: Detail crops of each picture.
        workers: Processes that decode.

    Raises:
        DatasetError: not one sample can be read.
    """
    key = _fingerprint(samples, config, crops)
    target = folder / f"stills-{key}"
    if not (target / "rows.json").exists():
        target.mkdir(parents=True, exist_ok=True)
        _decode_all(samples, config, target, settings, crops=crops, workers=workers)
    rows = json.loads((target / "rows.json").read_text())
    if not rows:
        raise DatasetError(f"none of {len(samples)} pictures can be read; see the log for reasons")
    kept = [samples[row] for row in rows]
    return StillSet(
        kept,
        np.load(target / "whole.npy", mmap_mode="r")[: len(kept)],
        np.load(target / "detail.npy", mmap_mode="r")[: len(kept)],
        key,
    )


def _decode_all(
    samples: Sequence[TrainingSample],
    config: VideoInputConfig,
    target: Path,
    settings: Settings,
    *,
    crops: int,
    workers: int,
) -> None:
    sizes = dict(zip(config.views, config.view_sizes, strict=True))
    shapes = {
        "whole": (len(samples), sizes["whole"], sizes["whole"], 3),
        "detail": (len(samples), crops, sizes["detail"], sizes["detail"], 3),
    }
    files = {
        name: np.lib.format.open_memmap(target / f"{name}.npy", "w+", np.uint8, shape)
        for name, shape in shapes.items()
    }
    rows: list[int] = []
    make = partial(_try_views, config=config, settings=settings, crops=crops)
    with ProcessPoolExecutor(workers) as executor:
        made = executor.map(make, [sample.path for sample in samples], chunksize=16)
        for row, views in enumerate(made):
            if isinstance(views, str):
                _log.warning("left out: %s: %s", samples[row].path, views)
                continue
            files["whole"][len(rows)], files["detail"][len(rows)] = views
            rows.append(row)
            if len(rows) % _PROGRESS_EVERY == 0:
                _log.info("%d of %d pictures decoded", len(rows), len(samples))
    for file in files.values():
        file.flush()
    # Last: without it the folder counts as unfinished.
    (target / "rows.json").write_text(json.dumps(rows))


def _try_views(
    path: str, *, config: VideoInputConfig, settings: Settings, crops: int
) -> Views | str:
    try:
        return _views(path, config, settings, crops)
    except (FineVQError, OSError) as error:
        return str(error)


def _views(path: str, config: VideoInputConfig, settings: Settings, crops: int) -> Views:
    sizes = dict(zip(config.views, config.view_sizes, strict=True))
    seed = int.from_bytes(hashlib.sha256(Path(path).name.encode()).digest()[:8], "big")
    places = np.random.default_rng(seed).uniform(0.0, 1.0, (crops, 2))
    transforms: dict[str, FrameTransform] = {
        "whole": Squash(sizes["whole"]),
        "detail": DetailCrop(sizes["detail"], positions=[(x, y) for x, y in places]),
    }

    def sampler(table: FrameTable) -> dict[str, NDArray[np.int64]]:
        middle = len(table) // 2
        return {"whole": np.array([middle]), "detail": np.full(crops, middle)}

    decoded = decode_video(
        path, sampler=sampler, transforms=transforms, settings=settings, threads=1
    )
    return decoded.arrays["whole"][0], decoded.arrays["detail"]


def _fingerprint(samples: Sequence[TrainingSample], config: VideoInputConfig, crops: int) -> str:
    digest = hashlib.sha256(repr((asdict(config), crops)).encode())
    for sample in samples:
        digest.update(f"{sample.path}\0{Path(sample.path).stat().st_size}\0".encode())
    return digest.hexdigest()[:16]
