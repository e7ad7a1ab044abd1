"""Synthesizes a data set of degraded clips with known labels, and reads it back.

A run is a folder: clips/*.mp4, manifest.jsonl (one clip a line), card.json. Clip number i depends
on the seed, i and the list of sources only, so a run can be cut short, resumed, extended or
repeated and always holds the same clips. Finished clips are journalled in progress.jsonl, which
becomes the manifest.
"""

import json
import logging
import os
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, field
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import Any, Literal, cast

import cv2
import numpy as np

from finevq.datasets.camera import film, handheld_path
from finevq.datasets.degradations.applying import DegradedClip, apply_chain, moved_reference
from finevq.datasets.degradations.chain import (
    PlannedFault,
    draw_chain,
    needs_margin,
    needs_motion,
    with_further_fault,
    without_margin,
)
from finevq.datasets.degradations.footage import Footage
from finevq.datasets.degradations.labels import ClipLabels, label_clip
from finevq.datasets.degradations.preview import contact_sheet
from finevq.datasets.degradations.temporal import SHAKE_MARGIN
from finevq.datasets.degradations.vmaf import measure_vmaf
from finevq.datasets.sources import (
    Source,
    SourceKind,
    probe_clip,
    read_photo,
    read_window,
    source_shares,
)
from finevq.errors import DatasetError, FineVQError, MissingExtraError
from finevq.vocabulary import ALL_ATTRIBUTES, FAULT_DIMENSIONS, Dimension

logger = logging.getLogger(__name__)

MANIFEST_NAME = "manifest.jsonl"
_JOURNAL_NAME = "progress.jsonl"
_CARD_NAME = "card.json"
_ENGINE_VERSION = 5
"""Raised whenever the same seed would give other clips or labels: runs must not be mixed."""

Split = Literal["train", "validation", "test"]


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
    night cameras are; that is no fault. 0..1."""
    workers: int = 1
    """Processes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticClip:
    """One clip of a synthesized data set with everything known about it."""

    path: Path
    split: Split
    source: str
    """Identity of the source: no source is in two splits."""
    source_kind: str
    """photo, drawing or clip."""
    source_quality: float
    """0..1 before our faults; assumed where not rated."""
    source_is_rated: bool
    mos: Mapping[Dimension, float]
    """Six, on FineVD's scale."""
    levels: Mapping[Dimension, str]
    """Six level words."""
    severities: Mapping[Dimension, float]
    """Five, 0..1."""
    attribute_severities: Mapping[str, float]
    """Attributes present, 0..1; absent ones are 0."""
    attributes: tuple[str, ...]
    """Existing (noticeable) ones, worst first."""
    distorted: Mapping[Dimension, bool]
    """Five."""
    most_impactful: str
    """One of five dimensions, or "none"."""
    vmaf: float | None
    """0..100, where measured."""
    width: int
    height: int
    fps: float
    num_frames: int
    codec: str
    """FFmpeg's encoder name of the delivered stream."""
    seed: int
    chain: tuple[Mapping[str, Any], ...] = field(default=())
    """attribute, severity, parameters of each fault in the order of application, and how much of it
    the file shows."""
    scene: int | None = None
    """Clips of one number show the same frames; None in a data set without copies."""
    is_gray: bool = False
    """The source was shown without color before any fault."""


def read_manifest(path: Path) -> list[SyntheticClip]:
    """Read a synthesized data set.

    Args:
        path: The manifest, or the folder that holds it.

    Raises:
        DatasetError: there is no manifest, or a line of it is not one of ours.
    """
    path = path / MANIFEST_NAME if path.is_dir() else path
    if not path.is_file():
        raise DatasetError(
            f"{path} does not exist; make it with: finevq data synthesize {path.parent}"
        )
    clips = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            clips.append(_clip_of(json.loads(line), path.parent))
        except (ValueError, KeyError, TypeError) as error:
            raise DatasetError(f"{path}, line {number}: not a clip record ({error!r})") from error
    return clips


def _clip_of(record: Mapping[str, Any], folder: Path) -> SyntheticClip:
    values = dict(record)
    values.pop("index")
    values["path"] = folder / values["path"]
    for name in ("mos", "levels", "severities", "distorted"):
        values[name] = {Dimension(key): value for key, value in values[name].items()}
    values["attributes"] = tuple(values["attributes"])
    values["chain"] = tuple(values["chain"])
    return SyntheticClip(**values)


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
        DatasetError: the folder holds another run, or no clip could be made.
    """
    (out / "clips").mkdir(parents=True, exist_ok=True)
    _check_same_run(out, sources, config)
    for torn in [*out.glob(".*.part"), *(out / "clips").glob(".*.part")]:
        torn.unlink()  # left by a run that was killed while writing
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
    _write_atomically(path, json.dumps(identity, indent=1))


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
        _write_atomically(journal, "".join(json.dumps(r) + "\n" for r in done.values()))
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
    with ProcessPoolExecutor(
        config.workers, mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
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


def _end_with_parent() -> None:
    """End this worker when the main process is killed; it would wait for work for ever."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _run_isolated(
    index: int, sources: Sequence[Source], config: SynthesisConfig, out: Path
) -> _Outcome:
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn"), initializer=_end_with_parent
    ) as pool:
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
    dimensions = _SPATIAL if config.stills else FAULT_DIMENSIONS
    chain = draw_chain(rng, config.balance, dimensions)
    if config.copies:
        chain = without_margin(chain)
    source, footage = _drawn_footage(sources, chain, config, rng)
    # From a generator of its own: the same seeds film the same clips with and without gray ones.
    is_gray = bool(np.random.default_rng([config.seed, scene, 0]).random() < config.gray_share)
    footage = _without_color(footage) if is_gray else footage
    crf = _drawn_delivery_crf(rng)
    if copy:
        further = np.random.default_rng([config.seed, scene, copy])
        chain = with_further_fault(chain, further, config.balance, dimensions)
    clean = Footage(footage.frames.copy(), footage.fps) if config.with_vmaf else None
    degraded = apply_chain(footage, chain, crf)
    vmaf = None
    if clean is not None:
        vmaf = measure_vmaf(degraded.data, moved_reference(clean, chain), clean.fps)
    labels = label_clip(degraded.severities, vmaf=vmaf, source_quality=source.quality)
    name = f"clips/{index:06d}.mp4"
    _write_atomically(out / name, degraded.data)
    record = _record(index, name, source, footage, degraded, labels, vmaf, config.seed)
    if is_gray:
        record["is_gray"] = True
    return {**record, "scene": scene} if config.copies else record


def _without_color(footage: Footage) -> Footage:
    """Show luma alone (ITU-R BT.601, as OpenCV weighs it) in all three channels."""
    for frame in footage.frames:
        frame[:] = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None]
    return footage


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


_SHORT_SIDES = (240, 360, 432, 480, 540, 720, 1080, 1440, 2160)
_SHORT_SIDE_SHARES = (0.07, 0.27, 0.12, 0.2, 0.17, 0.12, 0.04, 0.006, 0.004)
_ASPECTS = (16 / 9, 9 / 16, 4 / 3, 3 / 4, 1.0)
_ASPECT_SHARES = (0.5, 0.2, 0.14, 0.06, 0.1)
_FPS = (24.0, 25.0, 30.0, 50.0, 60.0)
_FPS_SHARES = (0.15, 0.2, 0.5, 0.05, 0.1)
_FEWEST_FRAMES = 12
_STILL_FRAMES = 3
"""One before and one after the picture: codecs predict it, and motion blur has its motion."""
_SPATIAL = tuple(d for d in FAULT_DIMENSIONS if d is not Dimension.TEMPORAL)


def _drawn_footage(
    sources: Sequence[Source],
    chain: tuple[PlannedFault, ...],
    config: SynthesisConfig,
    rng: np.random.Generator,
) -> tuple[Source, Footage]:
    shares = source_shares(sources)
    problem: FineVQError | None = None
    for _ in range(8):
        source = sources[int(rng.choice(len(sources), p=shares))]
        try:
            if source.kind is SourceKind.CLIP:
                return source, _clip_footage(source, config, rng)
            return source, _photo_footage(source, chain, config, rng)
        except FineVQError as error:
            logger.warning("%s is left out: %s", source.name, error)
            problem = error
    raise cast(FineVQError, problem)


def _photo_footage(
    source: Source,
    chain: tuple[PlannedFault, ...],
    config: SynthesisConfig,
    rng: np.random.Generator,
) -> Footage:
    margin = 1.0 + 2.0 * SHAKE_MARGIN if needs_margin(chain) else 1.0
    picture = read_photo(source.path)
    rows, columns = picture.shape[:2]
    aspect = float(rng.choice(_ASPECTS, p=_ASPECT_SHARES))
    # The view may be at most as dense as the photograph, or a clean clip would be soft.
    room = 1.06
    largest = min(columns / max(aspect, 1.0), rows / max(1.0 / aspect, 1.0)) / room / margin
    short = min(_drawn_short_side(config, rng), int(largest))
    width, height = _even(short * max(aspect, 1.0)), _even(short * max(1.0 / aspect, 1.0))
    fps = float(rng.choice(_FPS, p=_FPS_SHARES))
    seconds = rng.uniform(2.0, 3.0) if fps <= 30 and short <= 720 else 2.0
    num_frames = round(fps * seconds)
    moves = needs_motion(chain) or config.copies > 0  # a copy's fault may need it
    sway = float(rng.uniform(0.8, 1.6) if moves else rng.uniform(0.3, 1.0))
    path = handheld_path(num_frames, fps, rng, sway, is_moving=moves)
    if config.stills:
        path = path.part(int(rng.integers(0, num_frames - _STILL_FRAMES + 1)), _STILL_FRAMES)
    size = (_even(width * margin), _even(height * margin))
    widest = min(columns / size[0], rows / size[1])
    view = float(np.clip(rng.uniform(0.6, 1.0) / room, min(1.0, 1.0 / widest), 1.0))
    frames = film(picture, size, path, rng, field_of_view=view)
    return Footage(frames, fps)


def _clip_footage(source: Source, config: SynthesisConfig, rng: np.random.Generator) -> Footage:
    facts = probe_clip(source.path)
    native = min(facts.width, facts.height)
    short = min(_drawn_short_side(config, rng), native)
    scale = short / native
    size = (_even(facts.width * scale), _even(facts.height * scale))
    seconds = float(rng.uniform(2.0, 3.0))
    start = float(rng.uniform(0, max(0.0, facts.duration_seconds - seconds - 0.2)))
    num_frames = _STILL_FRAMES if config.stills else round(facts.fps * seconds)
    frames = read_window(source.path, start, num_frames, size)
    needed = min(num_frames, _FEWEST_FRAMES)
    if len(frames) < needed:
        raise DatasetError(f"only {len(frames)} frames at {start:.1f} s; {needed} are needed")
    return Footage(frames, facts.fps)


def _drawn_short_side(config: SynthesisConfig, rng: np.random.Generator) -> int:
    side = int(rng.choice(_SHORT_SIDES, p=_SHORT_SIDE_SHARES))
    return min(side, config.max_short_side)


def _even(pixels: float) -> int:
    return max(32, round(pixels / 2) * 2)


def _write_atomically(path: Path, content: bytes | str) -> None:
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    partial.write_bytes(data)
    partial.replace(path)


def _write_manifest(
    out: Path, done: Mapping[int, Mapping[str, Any]], config: SynthesisConfig
) -> Path:
    wanted = [done[index] for index in sorted(done) if index < config.count]
    manifest = out / MANIFEST_NAME
    _write_atomically(manifest, "".join(json.dumps(record) + "\n" for record in wanted))
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
    _write_atomically(out / _CARD_NAME, json.dumps(card, indent=1))


def write_parquet(manifest: Path) -> Path:
    """Write the manifest once more as Parquet, beside it; nested values as JSON text.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa  # an optional extra
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("Parquet", "parquet") from None
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    flat = [
        {k: json.dumps(v) if isinstance(v, (dict, list)) else v for k, v in row.items()}
        for row in rows
    ]
    target = manifest.with_suffix(".parquet")
    partial = target.with_name(f".{target.name}.part")
    table = pa.Table.from_pylist(flat)
    parquet.write_table(table, partial)  # type: ignore[no-untyped-call]  # ships no types
    partial.replace(target)
    return target


def write_preview(
    path: Path,
    sources: Sequence[Source],
    *,
    seed: int = 0,
    variants: int = 1,
    attributes: Sequence[str] = (),
) -> Path:
    """Draw the contact sheet of `degradations.preview` on one of the photographs.

    Raises:
        DatasetError: an unknown attribute, no photograph among the sources, or a file name that
            is no picture's.
    """
    unknown = [name for name in attributes if name not in ALL_ATTRIBUTES]
    if unknown:
        raise DatasetError(f"unknown attribute {unknown[0]!r}; known: {', '.join(ALL_ATTRIBUTES)}")
    photos = [source for source in sources if source.kind is not SourceKind.CLIP]
    if not photos:
        raise DatasetError("the contact sheet needs a photograph or drawing among the sources")
    if path.suffix.lower() not in {".png", ".jpg", ".webp"}:
        raise DatasetError(f"{path}: the contact sheet is a picture; name it .png, .jpg or .webp")
    rng = np.random.default_rng(seed)
    picture = read_photo(photos[int(rng.integers(len(photos)))].path)
    height = min(566, int(picture.shape[0] / 1.05), int(picture.shape[1] / 1.05 * 9 / 16))
    size = (_even(height * 16 / 9), _even(height))
    frames = film(picture, size, handheld_path(36, 30.0, rng), rng, field_of_view=0.85)
    sheet = contact_sheet(
        Footage(frames, 30.0),
        attributes=attributes or ALL_ATTRIBUTES,
        variants=variants,
        seed=seed,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    return path


def _counts(values: Iterator[str]) -> dict[str, int]:
    return dict(Counter(values).most_common())
