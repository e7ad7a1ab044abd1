"""What a study asks, of which clips, under which conditions: `study.yaml` as frozen records.

Everything has a default, the paper's where the paper says so (six dimensions, five levels); an
unknown key is an error with the nearest known one.
"""

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from finevq.errors import ConfigError, DatasetError, MissingExtraError, NoVideosFoundError
from finevq.vocabulary import ATTRIBUTES, DIMENSIONS, Dimension, levels_of

VIDEO_SUFFIXES = frozenset([".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts"]) | {
    ".flv",
    ".wmv",
    ".mpg",
    ".mpeg",
    ".3gp",
    ".ogv",
    ".y4m",
}

NO_ATTRIBUTE = "none"
OTHER_ATTRIBUTE = "other"
"""Choices that every list of attributes ends with."""

_MAPPING = "a mapping, as in {name: value}"
_KINDS: Mapping[str, tuple[Any, str]] = {
    "title": (str, "a text; put a number into quotes"),
    "seed": (int, "a whole number"),
    "dimensions": (list, "a list, as in [overall, blur]"),
    "session": (Mapping, _MAPPING),
    "viewing": (Mapping, _MAPPING),
    "consent": (str, "a text"),
    "contact": (str, "a text; put a number into quotes"),
    "questions": (list, "a list, as in [Age group]"),
    "repeat_share": ((int, float), "a number"),
    "source_pattern": (str, "a regular expression in quotes"),
    "clips": (Mapping, _MAPPING),
}
"""What a setting of study.yaml may be, for Python and in words."""

_CONSENT = (
    "You will watch short videos and say how good they look. You can stop at any time without "
    "giving a reason, and ask for your answers to be deleted. We keep your answers under a number, "
    "not under your name."
)


class Role(StrEnum):
    """What a clip is shown for."""

    TEST = "test"
    """Rated; part of the result."""
    TRAINING = "training"
    """Shown first, with feedback; never part of the result."""
    GOLD = "gold"
    """Among the others, with an answer that everybody who watches gets right."""
    REFERENCE = "reference"
    """A hidden reference: rated like the others, needed for DMOS."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DimensionScale:
    """One question of the rating page."""

    name: str
    label: str
    """Heading of the scale."""
    levels: tuple[str, ...]
    """Words of the scale, worst first; the vote is 1 for the first."""
    attributes: tuple[str, ...] = ()
    """Kinds of distortion to choose from; "none" and "other" with free text are added."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRules:
    """How a session runs."""

    clips_per_block: int = 40
    """A forced break comes after that many clips."""
    block_minutes: float = 30.0
    """A forced break comes after that time too. Source: ITU-R BT.500, sessions of half an hour."""
    break_minutes: float = 5.0
    gray_seconds: float = 1.0
    """Gray field before each clip."""
    rating_seconds: float = 60.0
    """Time limit of a rating; a later one is kept and marked late."""
    max_replays: int = 2
    """How often a clip may be watched again before it is rated."""
    min_rating_seconds: float = 2.0
    """A faster rating is flagged."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ViewingConditions:
    """What the display and the room have to be like; None where it does not matter."""

    width_pixels: int = 1280
    """Least width of the screen in CSS pixels."""
    height_pixels: int = 720
    """Least height of the screen in CSS pixels."""
    diagonal_inches: float | None = None
    distance_centimeters: float | None = 60.0
    """Source: FineVQ, section 3.2: about 2 feet."""
    brightness_nits: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipSpec:
    """A clip as the experimenter lists it."""

    name: str
    path: Path
    source: str
    """Name of the content; two clips of one source never follow each other."""
    role: Role = Role.TEST
    category: str = ""
    """For the distributions of the report."""
    answers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Dimension -> levels that are right; for training and gold clips."""
    note: str = ""
    """What a training clip's feedback says."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyDefinition:
    """Everything that a study is, apart from its clips."""

    title: str = "Video quality study"
    seed: int = 1
    """Decides every subject's order."""
    dimensions: tuple[DimensionScale, ...] = field(
        default_factory=lambda: tuple(standard_scale(d) for d in DIMENSIONS)
    )
    session: SessionRules = field(default_factory=SessionRules)
    viewing: ViewingConditions = field(default_factory=ViewingConditions)
    consent: str = _CONSENT
    contact: str = ""
    """Whom subjects ask, in particular for deletion."""
    questions: tuple[str, ...] = ("Age group", "Do you work with video or images?")
    """Free questions of the questionnaire; normal vision is always asked."""
    repeat_share: float = 0.05
    """Share of test clips that each subject sees twice, 0..0.5."""
    source_pattern: str = ""
    """Regular expression whose first group, in a file's stem, is the source; one source per file
    where empty."""
    clips: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Clip name -> role, source, category, answers, note."""

    def scale(self, name: str) -> DimensionScale:
        """Return a dimension by its name.

        Raises:
            ConfigError: there is no such dimension.
        """
        for dimension in self.dimensions:
            if dimension.name == name:
                return dimension
        known = ", ".join(dimension.name for dimension in self.dimensions)
        raise ConfigError(f"this study has no dimension {name!r}; it has {known}")


def standard_scale(dimension: Dimension) -> DimensionScale:
    """Return the paper's scale of a dimension.

    >>> standard_scale(Dimension.NOISE).levels
    ('severe', 'strong', 'mild', 'slight', 'undistorted')
    """
    offered = tuple(name for name in ATTRIBUTES.get(dimension, ()) if not name.startswith("other "))
    return DimensionScale(
        name=str(dimension),
        label=str(dimension).capitalize(),
        levels=levels_of(dimension),
        attributes=offered,
    )


def load_values(path: Path) -> dict[str, Any]:
    """Read the plain values of `study.yaml`, checked by `build_definition`.

    Raises:
        ConfigError: the file is missing, no mapping, or holds an impossible value.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml  # extra `study`
    except ImportError:
        raise MissingExtraError("reading study.yaml", "study") from None
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is no YAML: {error}") from None
    if values is not None and not isinstance(values, Mapping):
        raise ConfigError(f"{path} must be a mapping of settings, not {type(values).__name__}")
    build_definition(values or {})
    return dict(values or {})


def build_definition(values: Mapping[str, Any]) -> StudyDefinition:
    """Build a definition of plain values, as YAML or the database gives them.

    Raises:
        ConfigError: a key is unknown or a value impossible.
    """
    _check_keys(values, StudyDefinition, "study")
    _check_kinds(values)
    chosen = dict(values)
    if "dimensions" in values:
        chosen["dimensions"] = tuple(_build_scale(value) for value in values["dimensions"])
    if "session" in values:
        chosen["session"] = _build(SessionRules, values["session"], "session")
    if "viewing" in values:
        chosen["viewing"] = _build(ViewingConditions, values["viewing"], "viewing")
    if "questions" in values:
        chosen["questions"] = tuple(str(text) for text in values["questions"])
    definition = StudyDefinition(**chosen)
    _check(definition)
    return definition


def list_clips(videos: Path, definition: StudyDefinition) -> tuple[ClipSpec, ...]:
    """List the clips of a folder or of a CSV manifest.

    A manifest has a column path, and optionally name, source, role and category.

    Raises:
        NoVideosFoundError: nothing to show.
        DatasetError: a file is missing, a name occurs twice, or a listed clip has no file.
        ConfigError: a role, dimension or level is unknown.
    """
    rows = _manifest_rows(videos) if videos.is_file() else _folder_rows(videos)
    clips = tuple(_clip_spec(row, definition) for row in rows)
    names = [clip.name for clip in clips]
    if repeated := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"several clips are called {', '.join(repeated[:5])}; names must differ")
    if unknown := sorted(set(definition.clips) - set(names)):
        raise DatasetError(
            f"study.yaml describes clips that are not in {videos}: {', '.join(unknown[:5])}"
        )
    if not any(clip.role in {Role.TEST, Role.REFERENCE} for clip in clips):
        raise NoVideosFoundError(f"no clip of {videos} has the role test; nothing would be rated")
    return clips


def _folder_rows(folder: Path) -> list[dict[str, str]]:
    if not folder.is_dir():
        raise NoVideosFoundError(f"{folder} is neither a folder of videos nor a CSV manifest")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in VIDEO_SUFFIXES)
    if not paths:
        raise NoVideosFoundError(
            f"no video in {folder}; known are {', '.join(sorted(VIDEO_SUFFIXES))}"
        )
    return [{"path": str(path), "name": path.relative_to(folder).as_posix()} for path in paths]


def _manifest_rows(manifest: Path) -> list[dict[str, str]]:
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            rows = [
                {k.lower(): v or "" for k, v in row.items() if k} for row in csv.DictReader(file)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(
            f"{manifest} cannot be read as a manifest, which is a CSV file in UTF-8 ({error}); "
            "to rate single videos, put them into a folder"
        ) from None
    if not rows:
        raise NoVideosFoundError(f"the manifest {manifest} lists nothing")
    if "path" not in rows[0]:
        raise DatasetError(f"the manifest {manifest} needs a column 'path'")
    for row in rows:
        path = manifest.parent / row["path"]
        if not path.is_file():
            raise DatasetError(f"the manifest {manifest} lists {row['path']}, which is no file")
        row["name"] = row.get("name") or row["path"]
        row["path"] = str(path)
    return rows


def _clip_spec(row: Mapping[str, str], definition: StudyDefinition) -> ClipSpec:
    name = row["name"]
    described = definition.clips.get(name, {})
    known = {"role", "source", "category", "answers", "note"}
    if unknown := set(described) - known:
        raise ConfigError(f"clip {name!r}: unknown {unknown.pop()!r}; known are {sorted(known)}")
    role = described.get("role") or row.get("role") or Role.TEST
    if role not in set(Role):
        raise ConfigError(f"clip {name!r}: role {role!r} is none of {', '.join(Role)}")
    answers = {
        dimension: _right_levels(name, definition.scale(dimension), right)
        for dimension, right in described.get("answers", {}).items()
    }
    if role in {Role.TRAINING, Role.GOLD} and not answers:
        raise ConfigError(
            f"clip {name!r}: a {role} clip needs answers, as in answers: {{overall: [good, fair]}}"
        )
    return ClipSpec(
        name=name,
        path=Path(row["path"]),
        source=str(described.get("source") or row.get("source") or _source_of(name, definition)),
        role=Role(role),
        category=str(described.get("category") or row.get("category") or ""),
        answers=answers,
        note=str(described.get("note", "")),
    )


def _right_levels(clip: str, scale: DimensionScale, right: str | Sequence[str]) -> tuple[str, ...]:
    levels = (right,) if isinstance(right, str) else tuple(right)
    for level in levels:
        if level not in scale.levels:
            raise ConfigError(
                f"clip {clip!r}: {level!r} is no level of {scale.name}: {', '.join(scale.levels)}"
            )
    return levels


def _source_of(name: str, definition: StudyDefinition) -> str:
    stem = Path(name).stem
    if definition.source_pattern and (match := re.search(definition.source_pattern, stem)):
        return match.group(1)
    return stem


def _build_scale(value: str | Mapping[str, Any]) -> DimensionScale:
    if isinstance(value, str):
        if value not in set(Dimension):
            raise ConfigError(
                f"dimension {value!r} is none of {', '.join(DIMENSIONS)}; "
                "give your own as {name: ..., levels: [...]}"
            )
        return standard_scale(Dimension(value))
    if not isinstance(value, Mapping):
        raise ConfigError(f"dimension {value!r} is neither a name nor {_MAPPING}")
    _check_keys(value, DimensionScale, "dimension")
    levels = tuple(str(level) for level in value.get("levels", ()))
    name = str(value.get("name", ""))
    if not name or not 2 <= len(levels) <= 11:
        raise ConfigError(f"dimension {name!r} needs a name and 2 to 11 levels, worst first")
    return DimensionScale(
        name=name,
        label=str(value.get("label", name.capitalize())),
        levels=levels,
        attributes=tuple(str(attribute) for attribute in value.get("attributes", ())),
    )


_Record = TypeVar("_Record")


def _build(kind: type[_Record], values: Mapping[str, Any], place: str) -> _Record:
    _check_keys(values, kind, place)
    for name, value in values.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if (not is_number or value < 0) and not (value is None and kind is ViewingConditions):
            raise ConfigError(f"{place}.{name} is {value!r}; it must be a number, 0 or more")
    return kind(**values)


def _check_kinds(values: Mapping[str, Any]) -> None:
    """Make sure that each setting is a text, number, list or mapping, as it should be."""
    for name, value in values.items():
        kind, word = _KINDS[name]
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigError(f"{name} is {value!r}; it must be {word}")
    for name, described in values.get("clips", {}).items():
        if not isinstance(described, Mapping):
            raise ConfigError(f"clips.{name} is {described!r}; it must be {_MAPPING}")
        if not isinstance(described.get("answers", {}), Mapping):
            raise ConfigError(f"clips.{name}.answers is no mapping of dimensions to levels")


def _check_keys(values: Mapping[str, Any], kind: type, place: str) -> None:
    known = [spec.name for spec in fields(kind)]
    for name in values:
        if name not in known:
            nearest = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; known: {', '.join(known)}"
            raise ConfigError(f"unknown setting {name!r} in {place}{hint}")


def _check(definition: StudyDefinition) -> None:
    if not definition.dimensions:
        raise ConfigError("a study needs at least one dimension")
    names = [scale.name for scale in definition.dimensions]
    if len(set(names)) != len(names):
        raise ConfigError(f"dimensions occur twice: {', '.join(names)}")
    if definition.seed < 0:
        raise ConfigError(f"seed is {definition.seed}; it must be 0 or more")
    if not 0 <= definition.repeat_share <= 0.5:
        raise ConfigError(f"repeat_share is {definition.repeat_share}; allowed is 0 to 0.5")
    if definition.session.clips_per_block < 1:
        raise ConfigError("session.clips_per_block must be at least 1")
    try:
        re.compile(definition.source_pattern)
    except re.error as error:
        raise ConfigError(f"source_pattern is no regular expression: {error}") from None
