"""Decoded model inputs, kept on disk: each video is decoded once and read back in every epoch.

An entry is known by what the file holds and by how it is sampled; names and dates do not matter.
Several processes may use a folder at once: entries appear by renaming, so nobody sees half of one,
and two processes that decode the same video write the same entry. The arrays carry checksums; an
entry that was damaged is decoded again.
"""

import hashlib
import json
import logging
import os
import secrets
import time
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from finevq.records import VideoInputConfig
from finevq.settings import Settings
from finevq.training.records import content_key
from finevq.video.decode import decode_video
from finevq.video.inputs import Decode, Pixels, read_inputs
from finevq.video.isolation import DecoderPool

_log = logging.getLogger(__name__)

_FORMAT = 1
"""Raised whenever the same video and sampling give other pixels or another layout."""
_SUFFIX = ".npz"
_PART_SUFFIX = ".part"
_STALE_SECONDS = 3600.0
"""Age from which a half-written file belongs to a process that is no more."""


class DecodedCache:
    """A folder of decoded inputs with a size limit.

    When the folder is full, entries that no run has used since this object was made go first, the
    oldest before the others. Entries of the present run stay: epochs come round, and throwing out
    what will be read next to keep what was just read would miss every time. What then finds no room
    is decoded in each epoch, and said once.

    Args:
        folder: Made where it does not exist; safe to delete.
        config: How videos are sampled.
        settings: Limits of reading videos, and whether decoding happens in another process.
        max_bytes: Size limit of the whole folder; 0 keeps nothing.
    """

    def __init__(
        self,
        folder: Path,
        config: VideoInputConfig,
        settings: Settings | None = None,
        max_bytes: int = 50 * 2**30,
    ) -> None:
        self._folder = folder
        self._config = config
        self._settings = settings or Settings()
        self._max_bytes = max_bytes
        self._sampling = _sampling_key(config)
        self._since = time.time()
        self._is_full = False
        self._pool: DecoderPool | None = None
        folder.mkdir(parents=True, exist_ok=True)

    def __getstate__(self) -> dict[str, Any]:
        # A worker process starts a decoder of its own; `_since` goes along, so that what one worker
        # keeps the others do not evict.
        return {**self.__dict__, "_pool": None}

    def load(self, path: Path) -> Pixels:
        """Return what a model takes from a video.

        Raises:
            VideoDecodeError: nothing can be read.
            VideoLimitError: the file exceeds a limit of the settings.
            InvalidInputError: there is no such file.
        """
        try:
            entry = self.entry_of(path)
        except OSError:
            return self._decode(path)  # which says what is wrong with the file
        pixels = _read(entry)
        if pixels is not None:
            self._touch(entry)
            return pixels
        pixels = self._decode(path)
        self._keep(entry, pixels)
        return pixels

    def entry_of(self, path: Path) -> Path:
        """Return where the inputs of a video are kept, or would be.

        Raises:
            OSError: the video cannot be read.
        """
        return self._folder / f"{content_key(path)}-{self._sampling}{_SUFFIX}"

    def num_bytes(self) -> int:
        """Return the size of all entries."""
        return sum(size for _, size, _ in self._entries())

    def close(self) -> None:
        """End the decoder process, where there is one."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _decode(self, path: Path) -> Pixels:
        return read_inputs(str(path), self._config, decode=self._decoder()).whole

    def _decoder(self) -> Decode:
        if not self._settings.isolate_decoder:
            settings = self._settings

            def decode(path: str, **wanted: Any) -> Any:  # noqa: ANN401  # as Decode says
                return decode_video(path, settings=settings, **wanted)

            return decode
        if self._pool is None:
            self._pool = DecoderPool(num_workers=1, settings=self._settings)
        return self._pool.decode

    def _touch(self, entry: Path) -> None:
        try:
            if entry.stat().st_mtime < self._since:
                os.utime(entry)
        except FileNotFoundError:
            pass  # evicted by another process after it was read

    def _keep(self, entry: Path, pixels: Pixels) -> None:
        arrays: dict[str, NDArray[Any]] = {
            "motion": pixels.motion,
            "span": np.array([pixels.start_seconds, pixels.end_seconds]),
            **{f"view_{number}": view for number, view in enumerate(pixels.views)},
        }
        needed = sum(array.nbytes for array in arrays.values())
        if not self._make_room(needed):
            return
        part = entry.with_name(f"{entry.stem}.{os.getpid()}.{secrets.token_hex(4)}{_PART_SUFFIX}")
        try:
            with part.open("wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]  # names of arrays, not options
            part.replace(entry)
        except OSError as error:  # no space left, for one: training goes on without
            _log.warning("decoded inputs cannot be kept in %s: %s", self._folder, error)
            part.unlink(missing_ok=True)

    def _make_room(self, needed: int) -> bool:
        if needed > self._max_bytes or self._is_full:
            return self._give_up(needed)
        entries = self._entries()
        excess = sum(size for _, size, _ in entries) + needed - self._max_bytes
        stale = sorted(entry for entry in entries if entry[0] < self._since)
        for _, size, path in stale:
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size
        return True if excess <= 0 else self._give_up(needed)

    def _give_up(self, needed: int) -> bool:
        if not self._is_full:
            _log.warning(
                "%s is full: %d of %d bytes are in use by this run and a video needs %d more; the "
                "rest is decoded again in each epoch. Raise the limit of the cache",
                self._folder,
                self.num_bytes(),
                self._max_bytes,
                needed,
            )
        self._is_full = True
        return False

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Return last use, size and file of each entry; sweep up after killed processes."""
        found = []
        with os.scandir(self._folder) as files:
            for file in files:
                try:
                    facts = file.stat()
                except FileNotFoundError:
                    continue
                if file.name.endswith(_SUFFIX):
                    found.append((facts.st_mtime, facts.st_size, Path(file.path)))
                elif file.name.endswith(_PART_SUFFIX) and (
                    time.time() - facts.st_mtime > _STALE_SECONDS
                ):
                    Path(file.path).unlink(missing_ok=True)
        return found


def _read(entry: Path) -> Pixels | None:
    """Read an entry; None where there is none, or none that is whole."""
    try:
        # numpy leaves a file that it opened itself open when it is no archive.
        with entry.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays: dict[str, NDArray[Any]] = {name: stored[name] for name in stored.files}
        start, end = arrays.pop("span").tolist()
        motion = arrays.pop("motion")
        views = tuple(arrays[f"view_{number}"] for number in range(len(arrays)))
    except FileNotFoundError:
        return None
    # A zip archive checks each array's CRC-32 while it is read.
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        _log.warning("%s is damaged and will be made again: %s", entry, error)
        entry.unlink(missing_ok=True)
        return None
    return Pixels(views=views, motion=motion, start_seconds=start, end_seconds=end)


def _sampling_key(config: VideoInputConfig) -> str:
    text = json.dumps({"format": _FORMAT, **asdict(config)}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
