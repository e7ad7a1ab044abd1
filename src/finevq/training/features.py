"""Inputs of training, decoded and encoded once and kept on disk.

Sparse frames are kept as features of the frozen image encoder (ONNX Runtime, which is several times
faster than torch here), motion frames as small pictures, since the motion encoder is trained.
A file is known by its content: path, size and time of change do not matter, edits do.
"""

import hashlib
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from finevq.errors import FineVQError
from finevq.model.config import ModelConfig
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.settings import Settings
from finevq.training.stills import StillSet
from finevq.video.decode import decode_video
from finevq.video.inputs import read_inputs
from finevq.video.transforms import normalize

_log = logging.getLogger(__name__)
_ENCODER_FILE = "image_encoder.onnx"


@dataclass(frozen=True, slots=True)
class Features:
    """What is kept of one video."""

    views: NDArray[np.float16]
    """(views, F, features): the frozen encoder's."""
    motion_file: Path
    """A .npy of (M * T, H, W, 3) uint8, read when needed."""

    def motion(self) -> NDArray[np.uint8]:
        """Read the motion frames."""
        frames: NDArray[np.uint8] = np.load(self.motion_file)
        return frames


class FeatureStore:
    """A folder of features for one encoder and one way of sampling.

    Args:
        folder: Where to keep them; a subfolder is made for this encoder and sampling.
        config: The model's.
        encoder: The frozen image encoder.
        settings: Limits of reading videos.
    """

    def __init__(
        self, folder: Path, config: ModelConfig, encoder: EfficientNetEncoder, settings: Settings
    ) -> None:
        self._config = config
        self._decode = partial(decode_video, settings=settings)
        self._folder = folder / _fingerprint(config, encoder)
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / _ENCODER_FILE
        if not path.exists():
            _export_encoder(encoder, config, path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            path, options, providers=["CPUExecutionProvider"]
        )

    def load(
        self, paths: Sequence[str], *, mirrored: bool = False, workers: int = 2
    ) -> Iterator[tuple[str, Features | None]]:
        """Yield the features of each file, in order; None, with a log line, for a bad one.

        Args:
            paths: Videos or pictures.
            mirrored: Left and right exchanged: another view of the same quality.
            workers: Threads that decode and encode what is not kept yet (both let go of the
                interpreter's lock).
        """
        with ThreadPoolExecutor(workers) as executor:
            made = executor.map(lambda path: self._try_make(path, mirrored=mirrored), paths)
            yield from zip(paths, made, strict=True)

    def _try_make(self, path: str, *, mirrored: bool) -> Features | None:
        try:
            return self._make(path, mirrored=mirrored)
        except (FineVQError, OSError) as error:
            _log.warning("left out: %s: %s", path, error)
            return None

    def _make(self, path: str, *, mirrored: bool) -> Features:
        with open(path, "rb") as file:
            key = hashlib.file_digest(file, "sha256").hexdigest()[:24]
        stem = self._folder / f"{key}{'.mirrored' if mirrored else ''}"
        views_file, motion_file = Path(f"{stem}.views.npy"), Path(f"{stem}.motion.npy")
        if not (views_file.exists() and motion_file.exists()):
            pixels = read_inputs(path, self._config.video, decode=self._decode).whole
            turn = slice(None, None, -1 if mirrored else 1)
            views = [self._encode(view[:, :, turn]) for view in pixels.views]
            _save(motion_file, np.ascontiguousarray(pixels.motion[:, :, turn]))
            _save(views_file, np.stack(views).astype(np.float16))
        return Features(np.load(views_file), motion_file)

    def encode_stills(self, stills: StillSet, workers: int = 2) -> NDArray[np.float16]:
        """Return (N, crops, views, 1, features): the whole picture beside each of its crops.

        Args:
            stills: Pictures in two views, whole and detail.
            workers: Threads.
        """
        path = self._folder / f"stills-{stills.key}.npy"
        if not path.exists():
            with ThreadPoolExecutor(workers) as executor:
                rows = list(executor.map(lambda row: self._still(stills, row), range(len(stills))))
            _save(path, np.stack(rows).astype(np.float16))
        features: NDArray[np.float16] = np.load(path)
        return features

    def _still(self, stills: StillSet, row: int) -> NDArray[np.float32]:
        whole = self._encode(stills.whole[row][None])  # (1, features)
        details = self._encode(stills.detail[row])  # (crops, features)
        pairs = np.stack([np.repeat(whole, len(details), axis=0), details], axis=1)
        return pairs[:, :, None]

    def _encode(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        config = self._config.image_encoder
        images = normalize(frames, config.mean, config.std)  # (F, 3, H, W)
        features = np.asarray(self._session.run(["features"], {"images": images})[0])
        return features[:, 0]


def _save(path: Path, array: NDArray[np.generic]) -> None:
    # Under another name first, so that a killed run leaves no half-written file behind.
    partial = path.with_name(f"{path.name}.{threading.get_ident()}.part")
    with open(partial, "wb") as file:
        np.save(file, array)
    partial.replace(path)


def _fingerprint(config: ModelConfig, encoder: EfficientNetEncoder) -> str:
    images = config.image_encoder
    digest = hashlib.sha256(repr((asdict(config.video), images.mean, images.std)).encode())
    for name, tensor in sorted(encoder.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()[:16]


def _export_encoder(encoder: EfficientNetEncoder, config: ModelConfig, path: Path) -> None:
    side = config.video.view_sizes[0]
    partial = path.with_suffix(".part")
    torch.onnx.export(
        encoder.eval(),
        (torch.zeros(2, 3, side, side),),
        str(partial),
        input_names=["images"],
        output_names=["features"],
        dynamic_axes={"images": {0: "n", 2: "h", 3: "w"}, "features": {0: "n"}},
        dynamo=False,
    )
    partial.replace(path)
