"""Synthesizes a data set of degraded clips with known labels.

A run is a folder: clips/*.mp4, manifest.jsonl (one clip a line), card.json. Clip number i depends
on the seed, i and the list of sources only, so a run can be cut short, resumed, extended or
repeated and always holds the same clips. Finished clips are journalled in progress.jsonl, which
becomes the manifest.
"""

import json
import logging
import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from finevq.datasets.degradations.applying import DegradedClip, apply_chain, moved_reference
from finevq.datasets.degradations.chain import (
    NEEDS_MARGIN,
    draw_chain,
    with_further_fault,
    without_margin,
)
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.labels import ClipLabels, label_clip, lacking_color
from finevq.datasets.degradations.vmaf import measure_vmaf
from finevq.datasets.filming import Filming, draw_footage, without_color
from finevq.datasets.sources import Source
from finevq.datasets.synthetic import MANIFEST_NAME
from finevq.datasets.whole_files import remove_torn, write_whole
from finevq.datasets.worker_pool import open_pool
from finevq.errors import DatasetError, FineVQError
from finevq.vocabulary import ATTRIBUTES, FAULT_DIMENSIONS, PICTURE_FAULT_DIMENSIONS, Dimension

logger = logging.getLogger(__name__)

_JOURNAL_NAME = "progress.jsonl"
_CARD_NAME = "card.json"
_ENGINE_VERSION = 8
"""Raised whenever the same seed would give other clips or labels: runs must not be mixed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SynthesisConfig:
    """How a data set is made."""

    count: int = 1000
    """Number of clips."""
    seed: int = 0
    """Of everything."""
    balance: float = 0.85
    """0: faults as frequent as in FineVD; 1: uniform over dimensions and attributes."""
    with_vmaf: bool = False
    """Measure VMAF of each clip against its clean source (needs imageio-ffmpeg)."""
    max_short_side: int = 2160
    """Largest frame height (landscape) or width (portrait), in pixels."""
    stills: bool = False
    """Clips of three frames without faults of time: many pictures for little work."""
    copies: int = 0
    """Further degraded copies of each clip: the same frames with one more fault, so that which of
    two is worse is certain, unless it hides an earlier one. They count as clips; each clip is
    followed by its copies."""
    gray_share: float = 0.0
    """Share of the clips whose source is shown without any color first, as black-and-white film and
    night cameras are; labelled as `labels.WITHOUT_COLOR` says. 0..1."""
    attributes: tuple[str, ...] = ()
    """Each clip has a fault of one of these, drawn as often as it is named here, and further faults
    as usual: for what is rare, or has several kinds under one name. Empty: all as usual."""
    workers: int = 1
    """Processes."""


@dataclass(frozen=True, slots=True)
class _Failure:
    index: int
    source: str
    reason: str


def synthesize(
    out: Path,
    sources: Sequence[Source],
    config: SynthesisConfig,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Make or complete a data set.

    Args:
        out: Folder; created where it does not exist, completed where it holds the same run.
        sources: What `find_sources` found.
        config: How.
        on_progress: Called with (clips done, clips wanted).

    Returns:
        The manifest's path.

    Raises:
        DatasetError: the folder holds another run, no clip could be made, or an attribute that was
            asked for does not exist or cannot be shown by such clips.
    """
    _check_attributes(config)
    (out / "clips").mkdir(parents=True, exist_ok=True)
    _check_same_run(out, sources, config)
    for folder in (out, out / "clips"):
        remove_torn(folder)
    done = _finished(out)
    todo = [index for index in range(config.count) if index not in done]
    failures: list[_Failure] = []
    if on_progress:
        on_progress(len(done), config.count)
    with (out / _JOURNAL_NAME).open("a") as journal:
        for outcome in _run_all(todo, sources, config, out):
            if isinstance(outcome, _Failure):
                failures.append(outcome)
                logger.warning("clip %d of %s: %s", outcome.index, outcome.source, outcome.reason)
                continue
            done[outcome["index"]] = outcome
            journal.write(json.dumps(outcome) + "\n")
            journal.flush()
            if len(done) % 200 == 0:
                _write_manifest(out, done, config)
            if on_progress:
                on_progress(len(done), config.count)
    if not done:
        raise DatasetError(
            f"no clip could be made from {len(sources)} sources; the first reason: "
            f"{failures[0].reason if failures else 'count is 0'}"
        )
    manifest = _write_manifest(out, done, config)
    _write_card(out, done, failures, config)
    return manifest


def _check_attributes(config: SynthesisConfig) -> None:
    """Refuse attributes that no clip of the run could have."""
    allowed = PICTURE_FAULT_DIMENSIONS if config.stills else FAULT_DIMENSIONS
    names = [name for dimension in allowed for name in ATTRIBUTES[dimension]]
    if config.copies:
        names = [name for name in names if name not in NEEDS_MARGIN]
    for attribute in config.attributes:
        if attribute not in names:
            raise DatasetError(
                f"attribute {attribute!r} is none that such clips can have; give one of these: "
                + ", ".join(names)
            )


def _check_same_run(out: Path, sources: Sequence[Source], config: SynthesisConfig) -> None:
    """Refuse to mix runs: the same folder must mean the same seed, options and sources."""
    identity = {
        "engine": _ENGINE_VERSION,
        "seed": config.seed,
        "balance": config.balance,
        "with_vmaf": config.with_vmaf,
        "max_short_side": config.max_short_side,
        "stills": config.stills,
        # Absent where there are none, so that older folders can still be completed.
        **({"copies": config.copies} if config.copies else {}),
        **({"gray_share": config.gray_share} if config.gray_share else {}),
        **({"attributes": list(config.attributes)} if config.attributes else {}),
        "sources": [[source.name, source.quality] for source in sources],
    }
    path = out / "run.json"
    if path.is_file():
        if json.loads(path.read_text()) != identity:
            raise DatasetError(
                f"{out} holds a run with another seed, engine version, options or sources; "
                "use a new folder, or the options in its run.json to complete it"
            )
        return
    write_whole(path, json.dumps(identity, indent=1))


def _finished(out: Path) -> dict[int, dict[str, Any]]:
    """Read the journal; a torn last line and clips that vanished are simply made again."""
    done: dict[int, dict[str, Any]] = {}
    journal = out / _JOURNAL_NAME
    if not journal.is_file():
        return done
    lines = journal.read_text().splitlines(keepends=True)
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if (out / record["path"]).is_file():
            done[record["index"]] = record
    if lines and not lines[-1].endswith("\n"):
        write_whole(journal, "".join(json.dumps(r) + "\n" for r in done.values()))
    return done


_Outcome = dict[str, Any] | _Failure


def _run_all(
    todo: Sequence[int], sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> Iterator[_Outcome]:
    if config.workers <= 1:
        for index in todo:
            yield _make_guarded(index, sources, config, out)
        return
    remaining = list(todo)
    while remaining:
        finished: set[int] = set()
        try:
            for outcome in _run_pool(remaining, sources, config, out):
                finished.add(outcome.index if isinstance(outcome, _Failure) else outcome["index"])
                yield outcome
            return
        except BrokenProcessPool:
            # A decoder or encoder took its process down. Which clip it was is not known, so those
            # that were under way run one by one in a pool of their own; a second crash names it.
            remaining = [index for index in remaining if index not in finished]
            suspects = remaining[: 2 * config.workers]
            for index in suspects:
                yield _run_isolated(index, sources, config, out)
            remaining = remaining[len(suspects) :]


def _run_pool(
    todo: Sequence[int], sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> Iterator[_Outcome]:
    with open_pool(config.workers) as pool:
        waiting = iter(todo)
        running: set[Future[_Outcome]] = set()
        while True:
            for index in waiting:
                running.add(pool.submit(_make_guarded, index, sources, config, out))
                if len(running) >= 2 * config.workers:
                    break
            if not running:
                return
            finished, running = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()


def _run_isolated(
    index: int, sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> _Outcome:
    with open_pool(1) as pool:
        try:
            return pool.submit(_make_guarded, index, sources, config, out).result()
        except BrokenProcessPool:
            return _Failure(index, "?", "the process crashed while making this clip")


def _make_guarded(
    index: int, sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> _Outcome:
    """Make one clip; whatever goes wrong with it becomes a record (boundary of a worker)."""
    cv2.setNumThreads(1)
    os.environ.setdefault("SVT_LOG", "1")  # errors only; SVT-AV1 prints a banner a clip otherwise
    try:
        return make_clip(index, sources, config, out)
    except FineVQError as error:
        return _Failure(index, "?", str(error))
    except Exception:
        return _Failure(index, "?", traceback.format_exc())


def make_clip(
    index: int, sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> dict[str, Any]:
    """Make clip number `index` and return its record.

    A source that cannot be read is replaced by the next draw of the same generator.

    Raises:
        VideoDecodeError: eight sources in a row could not be read.
    """
    scene, copy = divmod(index, config.copies + 1)
    rng = np.random.default_rng([config.seed, scene])
    dimensions = PICTURE_FAULT_DIMENSIONS if config.stills else FAULT_DIMENSIONS
    chain = draw_chain(rng, config.balance, dimensions, config.attributes)
    if config.copies:
        chain = without_margin(chain)
    filming = Filming(
        max_short_side=config.max_short_side,
        is_still=config.stills,
        always_moves=config.copies > 0,  # a copy's fault may need it
    )
    source, footage = draw_footage(sources, chain, filming, rng)
    # From a generator of its own: the same seeds film the same clips with and without gray ones.
    is_gray = bool(np.random.default_rng([config.seed, scene, 0]).random() < config.gray_share)
    footage = without_color(footage) if is_gray else footage
    crf = _drawn_delivery_crf(rng)
    if copy:
        further = np.random.default_rng([config.seed, scene, copy])
        chain = with_further_fault(chain, further, config.balance, dimensions)
    clean = Footage(footage.frames.copy(), footage.fps) if config.with_vmaf else None
    degraded = apply_chain(footage, chain, crf)
    if is_gray:
        degraded = replace(degraded, severities=lacking_color(degraded.severities))
    vmaf = None
    if clean is not None:
        vmaf = measure_vmaf(degraded.data, moved_reference(clean, chain), clean.fps)
    labels = label_clip(degraded.severities, vmaf=vmaf, source_quality=source.quality)
    name = f"clips/{index:06d}.mp4"
    write_whole(out / name, degraded.data)
    record = _record(index, name, source, footage, degraded, labels, vmaf, config.seed)
    if is_gray:
        record["is_gray"] = True
    return {**record, "scene": scene} if config.copies else record


def _drawn_delivery_crf(rng: np.random.Generator) -> float:
    """Store faults of pixels half the time nearly lossless, else as everyday video is stored."""
    return float(rng.integers(10, 18) if rng.random() < 0.5 else rng.integers(18, 27))


def _record(
    index: int,
    name: str,
    source: Source,
    footage: Footage,
    degraded: DegradedClip,
    labels: ClipLabels,
    vmaf: float | None,
    seed: int,
) -> dict[str, Any]:
    return {
        "index": index,
        "path": name,
        "split": source.split,
        "source": source.name,
        "source_kind": str(source.kind),
        "source_quality": source.quality,
        "source_is_rated": source.is_rated,
        **{key: value for key, value in asdict(labels).items()},
        "attribute_severities": dict(degraded.severities),
        "vmaf": vmaf,
        "width": degraded.width,
        "height": degraded.height,
        "fps": footage.fps,
        "num_frames": degraded.num_frames,
        "codec": degraded.codec,
        "seed": seed,
        "chain": [
            {
                "attribute": f.attribute,
                "severity": f.severity,
                "shown": f.shown,
                "parameters": dict(f.parameters),
            }
            for f in degraded.faults
        ],
    }


def _write_manifest(
    out: Path, done: Mapping[int, Mapping[str, Any]], config: SynthesisConfig
) -> Path:
    wanted = [done[index] for index in sorted(done) if index < config.count]
    manifest = out / MANIFEST_NAME
    write_whole(manifest, "".join(json.dumps(record) + "\n" for record in wanted))
    return manifest


def _write_card(
    out: Path,
    done: Mapping[int, Mapping[str, Any]],
    failures: Sequence[_Failure],
    config: SynthesisConfig,
) -> None:
    """Write what the data set holds, in numbers."""
    records = [done[index] for index in sorted(done) if index < config.count]
    card = {
        "config": {**asdict(config), "workers": None},
        "clips": len(records),
        "splits": _counts(r["split"] for r in records),
        "sources_in_split": {
            split: len({r["source"] for r in records if r["split"] == split})
            for split in ("train", "validation", "test")
        },
        "faults_in_clip": _counts(str(len(r["chain"])) for r in records),
        "attributes": _counts(name for r in records for name in r["attributes"]),
        "most_impactful": _counts(r["most_impactful"] for r in records),
        "codecs": _counts(r["codec"] for r in records),
        "short_sides": _counts(str(min(r["width"], r["height"])) for r in records),
        "mos": {
            str(d): {
                "mean": round(float(np.mean([r["mos"][d] for r in records])), 2),
                "sd": round(float(np.std([r["mos"][d] for r in records])), 2),
            }
            for d in Dimension
        },
        "failures": [asdict(failure) for failure in failures],
    }
    write_whole(out / _CARD_NAME, json.dumps(card, indent=1))


def _counts(values: Iterator[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
