"""Do the files of a data set fit its labels: what is missing, extra, broken, turned.

Problems are listed by name; nothing is repaired or replaced.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from finevq.datasets.contract import VIDEO_SUFFIXES, Adapter
from finevq.datasets.labels import LabelSet
from finevq.errors import VideoError
from finevq.records import MediaInfo
from finevq.vocabulary import NO_FAULT

Probe = Callable[[Path], MediaInfo]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Verification:
    """What was found."""

    num_labelled: int
    num_found: int
    label_problems: list[str] = field(default_factory=list)
    """Counts, ids, ranges: sentences."""
    missing: list[str] = field(default_factory=list)
    """Labelled videos without a file."""
    unlabelled: list[str] = field(default_factory=list)
    """Video files without a label."""
    unreadable: dict[str, str] = field(default_factory=dict)
    """Video to the reader's message."""
    mismatched: dict[str, str] = field(default_factory=dict)
    """Video to how its container differs from the label file."""
    rotated: list[str] = field(default_factory=list)
    """Videos with a rotation flag."""
    portrait: list[str] = field(default_factory=list)
    """Videos higher than wide, as displayed."""

    @property
    def is_sound(self) -> bool:
        """Whether every labelled video has a readable file that fits its label."""
        problems = (self.label_problems, self.missing, self.unreadable, self.mismatched)
        return not any(problems)


def check_labels(labels: LabelSet, adapter: Adapter) -> list[str]:
    """Return what is wrong with the labels themselves: counts, ids, MOS range, answers."""
    problems = []
    if adapter.num_videos is not None and len(labels) != adapter.num_videos:
        problems.append(
            f"{len(labels)} videos are labelled, {adapter.title} publishes {adapter.num_videos}"
        )
    counts = Counter(video.name for video in labels.videos)
    if twice := sorted(name for name, count in counts.items() if count > 1):
        problems.append(f"named twice: {', '.join(twice)}")
    is_usual = labels.scale == adapter.scale
    low, high = adapter.mos_limits if is_usual and adapter.mos_limits else labels.scale
    outside = [
        f"{video.name} ({dimension} {mos:g})"
        for video in labels.videos
        for dimension, mos in video.mos.items()
        if not low <= mos <= high
    ]
    if outside:
        problems.append(f"MOS outside {low:g}..{high:g}: {', '.join(outside)}")
    unanswerable = [
        video.name
        for video in labels.videos
        if video.options_shown and video.existing_distortion not in video.options_shown
    ]
    if unanswerable:
        problems.append(f"the right answer is not among the options: {', '.join(unanswerable)}")
    at_odds = [
        video.name
        for video in labels.videos
        if video.most_impactful
        and (video.most_impactful == NO_FAULT) != (video.existing_distortion == NO_FAULT)
    ]
    if at_odds:
        problems.append(f"one answer says none, the other names a fault: {', '.join(at_odds)}")
    return problems


def locate(labels: LabelSet, adapter: Adapter, root: Path) -> dict[str, Path]:
    """Return the file of each labelled video that is under `root`.

    Files are matched by the adapter's id, then by bare name where that is unique; suffix and
    sub-folder do not matter.
    """
    files = video_files(root)
    stems = Counter(Path(video.name).stem for video in labels.videos)
    by_id = {file.stem: file for file in reversed(files) if stems[file.stem] == 1}
    for file in files:
        by_id[adapter.id_of_file(file.relative_to(root))] = file
        by_id[file.relative_to(root).as_posix()] = file
    found = {}
    for video in labels.videos:
        name = Path(video.name)
        keys: tuple[str, ...] = (
            video.name,
            name.with_suffix("").as_posix() if name.suffix else video.name,
        )
        if stems[name.stem] == 1:
            keys = (*keys, name.stem)
        match = next((by_id[key] for key in keys if key in by_id), None)
        if match is not None:
            found[video.name] = match
    return found


def video_files(root: Path) -> list[Path]:
    """Return the video files under a folder, sorted; empty where it is none."""
    if not root.is_dir():
        return []
    return sorted(f for f in root.rglob("*") if f.suffix.lower() in VIDEO_SUFFIXES)


def verify(
    labels: LabelSet,
    adapter: Adapter,
    root: Path,
    *,
    probe: Probe,
    progress: Progress | None = None,
) -> Verification:
    """Check labels and files of a data set.

    Args:
        labels: What the adapter read.
        adapter: Whose set it is.
        root: Folder with the videos.
        probe: Reads the facts of a file; raises a VideoError where it cannot.
        progress: Called with (files done, files).
    """
    paths = locate(labels, adapter, root)
    used = set(paths.values())
    unreadable, mismatched = {}, {}
    rotated, portrait = [], []
    facts = {video.name: video for video in labels.videos}
    for index, (name, path) in enumerate(paths.items()):
        try:
            media = probe(path)
        except VideoError as error:
            unreadable[name] = str(error)
            continue
        finally:
            if progress:
                progress(index + 1, len(paths))
        if media.rotation_degrees:
            rotated.append(name)
        if media.height > media.width:
            portrait.append(name)
        expected = facts[name].facts
        sides = {media.width, media.height}
        if expected.width and expected.height and sides != {expected.width, expected.height}:
            mismatched[name] = (
                f"{media.width}x{media.height}, labels say {expected.width}x{expected.height}"
            )
    return Verification(
        num_labelled=len(labels),
        num_found=len(paths),
        label_problems=check_labels(labels, adapter),
        missing=[video.name for video in labels.videos if video.name not in paths],
        unlabelled=[str(f.relative_to(root)) for f in video_files(root) if f not in used],
        unreadable=unreadable,
        mismatched=mismatched,
        rotated=rotated,
        portrait=portrait,
    )


def to_json(found: Verification) -> Mapping[str, object]:
    """Return a JSON-ready copy."""
    from dataclasses import asdict

    return {**asdict(found), "is_sound": found.is_sound}
