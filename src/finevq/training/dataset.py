"""Records with their decoded videos, batch by batch, from worker processes.

A video that cannot be read is skipped: its batch is smaller by one, and the batch names it. It is
never replaced by another, which would teach or measure something else than was asked for.
"""

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from finevq.errors import FineVQError
from finevq.model.config import ModelConfig
from finevq.training.decoded_cache import DecodedCache
from finevq.training.records import InstructionRecord
from finevq.training.stepping import ShareSampler, StepSampler
from finevq.video.inputs import Pixels

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Known:
    """An item whose features the model has kept: asked for without its pixels."""

    index: int
    """Place in the dataset."""


@dataclass(frozen=True, slots=True)
class LoadedVideo:
    """A video with what is to be learnt from it."""

    index: int
    """Place in the dataset."""
    records: tuple[InstructionRecord, ...]
    """All on this video."""
    pixels: Pixels | None
    """None for a `Known` item."""


@dataclass(frozen=True, slots=True)
class SkippedVideo:
    """A video that could not be read."""

    index: int
    """Place in the dataset."""
    record_ids: tuple[str, ...]
    path: str
    reason: str
    """Class and message of the error."""


class InstructionDataset(Dataset["LoadedVideo | SkippedVideo"]):
    """Map-style: place -> video and records.

    Args:
        records: What is to be learnt, in order.
        cache: Where decoded inputs come from.
        group_videos: One item a video with all its records, so that a video which many questions
            are about is encoded once; else one item a record.
    """

    def __init__(
        self,
        records: Sequence[InstructionRecord],
        cache: DecodedCache,
        *,
        group_videos: bool = False,
    ) -> None:
        self._cache = cache
        grouped: dict[object, list[InstructionRecord]] = {}
        for index, record in enumerate(records):
            grouped.setdefault(record.video if group_videos else index, []).append(record)
        self.items = [tuple(group) for group in grouped.values()]
        """Records of each item."""

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int | Known) -> LoadedVideo | SkippedVideo:
        """Load an item; a video that cannot be read gives a `SkippedVideo`."""
        if isinstance(place, Known):
            return LoadedVideo(place.index, self.items[place.index], None)
        index, records = place, self.items[place]
        path = records[0].video
        try:
            return LoadedVideo(index, records, self._cache.load(path))
        except (FineVQError, OSError) as error:
            ids = tuple(record.id for record in records)
            return SkippedVideo(index, ids, str(path), f"{type(error).__name__}: {error}")


@dataclass(frozen=True, slots=True)
class InstructionBatch:
    """B videos that could be read, and those that could not."""

    indices: tuple[int, ...]
    """(B,): places in the dataset."""
    records: tuple[tuple[InstructionRecord, ...], ...]
    """(B,): records of each video."""
    views: tuple[Tensor, ...]
    """For each view (B, F, H, W, 3) uint8, RGB; empty where B is 0 or all items are known."""
    motion: tuple[Tensor, ...]
    """(B,) of (M * T, H, W, 3) uint8, RGB; lengths differ where all frames are taken; empty where
    all items are known."""
    skipped: tuple[SkippedVideo, ...]

    def __len__(self) -> int:
        return len(self.records)


def collate(items: Sequence[LoadedVideo | SkippedVideo]) -> InstructionBatch:
    """Join items into a batch: either all are known, or none is."""
    loaded = [item for item in items if isinstance(item, LoadedVideo)]
    pixels = [item.pixels for item in loaded if item.pixels is not None]
    assert len(pixels) in (0, len(loaded))  # as `OnceRead` asks for them
    views = zip(*(read.views for read in pixels), strict=True)
    return InstructionBatch(
        indices=tuple(item.index for item in loaded),
        records=tuple(item.records for item in loaded),
        views=tuple(torch.from_numpy(np.stack(view)) for view in views),
        motion=tuple(torch.from_numpy(read.motion) for read in pixels),
        skipped=tuple(item for item in items if isinstance(item, SkippedVideo)),
    )


class OnceRead(Sampler["list[int | Known]"]):
    """Asks for a batch without its pixels where the model has kept the features of all its items.

    Args:
        batches: Places of the items, batch by batch.
        is_known: Whether the features of the item at a place are kept.
    """

    def __init__(
        self,
        batches: StepSampler | ShareSampler | Sequence[list[int]],
        is_known: Callable[[int], bool],
    ) -> None:
        self._batches = batches
        self._is_known = is_known

    def __iter__(self) -> Iterator[list[int | Known]]:
        """Yield batch after batch; workers read ahead along it, features never go away."""
        for places in self._batches:
            known = all(self._is_known(place) for place in places)
            yield [Known(place) if known else place for place in places]

    def __len__(self) -> int:
        return len(self._batches)


def make_loader(
    dataset: InstructionDataset,
    *,
    batch_size: int,
    workers: int,
    sampler: Sampler[int] | Sequence[int] | None = None,
    batch_sampler: Iterable[Sequence[int | Known]] | None = None,
    pin_memory: bool = False,
) -> DataLoader[InstructionBatch]:
    """Return a loader whose workers decode ahead; batches come in the sampler's order.

    Args:
        dataset: What is loaded.
        batch_size: Items a batch; ignored where `batch_sampler` is given.
        workers: Processes that decode; 0 decodes in this one.
        sampler: Order of items; as they stand where None.
        batch_sampler: Items of each batch, instead of `sampler`.
        pin_memory: For copies to a GPU.
    """
    batching: dict[str, object] = {"batch_size": batch_size, "sampler": sampler}
    if batch_sampler is not None:
        batching = {"batch_sampler": batch_sampler}
    return DataLoader(
        dataset,  # type: ignore[arg-type]  # items become batches in `collate`
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        # A forked child of a process with threads may hang; workers start fresh, once a run.
        multiprocessing_context="forkserver" if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=pin_memory,
        **batching,  # type: ignore[arg-type]  # one of two ways to say it
    )


def _one_thread(worker: int) -> None:
    del worker
    torch.set_num_threads(1)  # as many workers as there are cores, not as many threads squared


class SkippedVideos:
    """Which videos were skipped in a run: each named once, all counted."""

    def __init__(self) -> None:
        self._by_path: dict[str, SkippedVideo] = {}

    def add(self, skipped: Iterable[SkippedVideo]) -> None:
        """Take note of videos; a new one is logged."""
        for video in skipped:
            if video.path not in self._by_path:
                _log.warning("skipped %s: %s", video.path, video.reason)
                self._by_path[video.path] = video

    def __len__(self) -> int:
        return len(self._by_path)

    def __iter__(self) -> Iterator[SkippedVideo]:
        return iter(self._by_path.values())

    def write(self, path: Path) -> None:
        """Write one JSON object a video."""
        text = "".join(json.dumps(asdict(video)) + "\n" for video in self)
        path.write_text(text, encoding="utf-8")


def image_inputs(
    batch: InstructionBatch, config: ModelConfig, device: torch.device
) -> list[Tensor]:
    """Return what `FineVQ.encode_images` takes: for each view (B, F, 3, H, W), normalised."""
    images = config.image_encoder
    return [_normalised(view.to(device), images.mean, images.std) for view in batch.views]


def motion_inputs(
    batch: InstructionBatch, config: ModelConfig, device: torch.device
) -> Tensor | None:
    """Return what `FineVQ.encode_motion` takes: (B, M, 3, T, H, W), normalised.

    None for a model without a motion branch.

    Raises:
        ValueError: videos of different lengths in one batch of a model that takes all frames.
    """
    video = config.video
    if video.motion == "none":
        return None
    if video.motion == "sparse_frames":
        frames = batch.views[0].unsqueeze(1)  # (B, 1, F, H, W, 3)
    else:
        if len({len(clip) for clip in batch.motion}) > 1:
            raise ValueError(
                "videos of different lengths cannot share a batch when all frames are read; use "
                "batches of one, or motion = sparse_frames as in the official training"
            )
        stretches = video.num_bursts if video.motion == "bursts" else 1
        frames = torch.stack(batch.motion).unflatten(1, (stretches, -1))
    motion = config.motion_encoder
    return _normalised(frames.to(device), motion.mean, motion.std).transpose(2, 3)


def _normalised(frames: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Return (..., 3, H, W) float32 of (..., H, W, 3) uint8."""
    shift, scale = (torch.tensor(values, device=frames.device) * 255 for values in (mean, std))
    return frames.float().sub_(shift).div_(scale).movedim(-1, -3)
