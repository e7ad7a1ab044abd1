"""Labels of videos, as FineVD has them: MOS and level by dimension, attributes by majority.

The file form is a CSV with `video`, and per dimension `mos_`, `level_`, `distorted_`, `attributes_`
(joined by |) and `agreement_`; FineVD's own public label file can be read too.
"""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from finevq.errors import DatasetError, MissingExtraError
from finevq.study.analysis import Analysis
from finevq.study.definition import NO_ATTRIBUTE, OTHER_ATTRIBUTE
from finevq.vocabulary import (
    ALL_ATTRIBUTES,
    DIMENSIONS,
    FAULT_DIMENSIONS,
    NO_FAULT,
    RELEASE_SPELLINGS,
    Dimension,
    dimension_of,
    level_index,
    levels_of,
)

if TYPE_CHECKING:  # they need the extra `study`, which reading a label file does not
    from finevq.study.results import BallotRecord, StudyResults

NO_DISTORTION = NO_FAULT
MAJORITY = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoLabels:
    """What subjects, together, say of a video."""

    video: str
    category: str = ""
    mos: Mapping[Dimension, float] = field(default_factory=dict)
    levels: Mapping[Dimension, str] = field(default_factory=dict)
    distorted: Mapping[Dimension, bool] = field(default_factory=dict)
    attributes: Mapping[Dimension, tuple[str, ...]] = field(default_factory=dict)
    agreement: Mapping[Dimension, float] = field(default_factory=dict)
    """Share of subjects who agree on whether the dimension is distorted, 0.5..1."""
    most_impactful: str = ""
    """A dimension, "none", or empty where unknown."""
    num_votes: int = 0

    @property
    def all_attributes(self) -> tuple[str, ...]:
        """Attributes of all dimensions."""
        return tuple(name for names in self.attributes.values() for name in names)

    def to_row(self) -> dict[str, Any]:
        """Return one row of the label file; None where something is unknown."""
        row: dict[str, Any] = {"video": self.video, "category": self.category}
        for dimension in DIMENSIONS:
            row[f"mos_{dimension}"] = _number(self.mos.get(dimension))
            row[f"level_{dimension}"] = self.levels.get(dimension, "")
        for dimension in FAULT_DIMENSIONS:
            is_bad = self.distorted.get(dimension)
            row[f"distorted_{dimension}"] = "" if is_bad is None else ("yes" if is_bad else "no")
            row[f"attributes_{dimension}"] = "|".join(self.attributes.get(dimension, ()))
            row[f"agreement_{dimension}"] = _number(self.agreement.get(dimension))
        row["most_impactful_dimension"] = self.most_impactful
        row["num_votes"] = self.num_votes
        return row


def make_labels(results: "StudyResults", analyses: Mapping[str, Analysis]) -> list[VideoLabels]:
    """Join quality and attributes; rejected subjects of a dimension have no say in it.

    Args:
        results: The study.
        analyses: One analysis per dimension; dimensions beyond the paper's six are left out.
    """
    known = {Dimension(name): a for name, a in analyses.items() if name in set(Dimension)}
    levels = {dimension: _levels(analysis, dimension) for dimension, analysis in known.items()}
    labels = []
    for clip in results.clips:
        of_clip = [ballot for ballot in results.ballots if ballot.clip == clip.name]
        if not of_clip or not all(clip.name in a.table.stimuli for a in known.values()):
            continue
        mos = {d: _quality(a, clip.name) for d, a in known.items()}
        decided = {
            d: _decide(d, [b for b in of_clip if not _is_rejected(known[d], b.subject)])
            for d in FAULT_DIMENSIONS
            if d in known and any(d in ballot.attributes for ballot in of_clip)
        }
        distorted = {dimension: decision[0] for dimension, decision in decided.items()}
        labels.append(
            VideoLabels(
                video=clip.name,
                category=clip.category,
                mos=mos,
                levels={d: levels[d][clip.name] for d in known if levels[d].get(clip.name)},
                distorted=distorted,
                attributes={dimension: decision[1] for dimension, decision in decided.items()},
                agreement={dimension: decision[2] for dimension, decision in decided.items()},
                most_impactful=_most_impactful(mos, distorted),
                num_votes=len(of_clip),
            )
        )
    return labels


def labels_of_votes(analyses: Mapping[str, Analysis]) -> list[VideoLabels]:
    """Return labels of votes without attributes: MOS and levels of the paper's dimensions."""
    known = {Dimension(name): a for name, a in analyses.items() if name in set(Dimension)}
    if not known:
        return []
    levels = {dimension: _levels(analysis, dimension) for dimension, analysis in known.items()}
    stimuli = next(iter(known.values())).table.stimuli
    return [
        VideoLabels(
            video=name,
            mos={d: _quality(a, name) for d, a in known.items() if name in a.table.stimuli},
            levels={d: levels[d][name] for d in known if levels[d].get(name)},
        )
        for name in stimuli
    ]


def write_labels(labels: Sequence[VideoLabels], path: Path) -> None:
    """Write labels as CSV, or as Parquet where the name ends so.

    Raises:
        MissingExtraError: Parquet without pyarrow.
    """
    rows = [video.to_row() for video in labels]
    if path.suffix == ".parquet":
        try:
            pyarrow: Any = import_module("pyarrow")  # extra `parquet`; ships no types
            parquet: Any = import_module("pyarrow.parquet")
        except ImportError:
            raise MissingExtraError("writing Parquet", "parquet") from None
        parquet.write_table(pyarrow.Table.from_pylist(rows, _parquet_schema(pyarrow)), path)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else ["video"])
        writer.writeheader()
        writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)


def _parquet_schema(pyarrow: Any) -> Any:  # noqa: ANN401  # pyarrow ships no types
    """Return the columns' types: also of a column in which nothing is known."""
    kinds = {"mos": pyarrow.float64(), "agreement": pyarrow.float64(), "num": pyarrow.int64()}
    names = VideoLabels(video="").to_row()
    return pyarrow.schema([(n, kinds.get(n.split("_")[0], pyarrow.string())) for n in names])


def read_labels(path: Path) -> list[VideoLabels]:
    """Read a label file of ours (CSV or Parquet), or FineVD's.

    Raises:
        DatasetError: the file is missing, is no label file, or has a MOS that is no number.
        MissingExtraError: Parquet without pyarrow.
    """
    try:
        rows = _parquet_rows(path) if path.suffix == ".parquet" else _csv_rows(path)
    except (OSError, ValueError, csv.Error) as error:  # damaged Parquet is a ValueError too
        raise DatasetError(f"{path} cannot be read: {error}") from None
    if not rows or "video" not in rows[0] or "mos_overall" not in rows[0]:
        raise DatasetError(f"{path} is no label file: it needs columns video and mos_overall")
    try:
        ranges = {d: _range(rows, f"mos_{d}") for d in DIMENSIONS if f"mos_{d}" in rows[0]}
        return [_read_row(row, ranges) for row in rows]
    except (ValueError, TypeError) as error:
        raise DatasetError(
            f"{path}: a MOS or agreement must be a number or empty ({error})"
        ) from None


def _csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _parquet_rows(path: Path) -> list[dict[str, str]]:
    try:
        parquet: Any = import_module("pyarrow.parquet")  # extra `parquet`; ships no types
    except ImportError:
        raise MissingExtraError("reading Parquet", "parquet") from None
    return [
        {name: "" if value is None else str(value) for name, value in row.items()}
        for row in parquet.read_table(path).to_pylist()
    ]


def _read_row(
    row: Mapping[str, str], ranges: Mapping[Dimension, tuple[float, float]]
) -> VideoLabels:
    mos = {d: float(row[f"mos_{d}"]) for d in ranges if row[f"mos_{d}"]}
    levels = {
        d: row.get(f"level_{d}") or levels_of(d)[level_index(score, *ranges[d])]
        for d, score in mos.items()
        if ranges[d][1] > ranges[d][0]
    }
    attributes: dict[Dimension, tuple[str, ...]] = {}
    for dimension in FAULT_DIMENSIONS:
        if names := row.get(f"attributes_{dimension}", ""):
            attributes[dimension] = tuple(names.split("|"))
    existing = row.get("existing_distortion", NO_DISTORTION) or NO_DISTORTION
    existing = RELEASE_SPELLINGS.get(existing, existing)
    if existing in ALL_ATTRIBUTES:
        attributes.setdefault(dimension_of(existing), (existing,))
    return VideoLabels(
        video=row["video"],
        category=row.get("category", ""),
        mos=mos,
        levels=levels,
        distorted={
            d: row[f"distorted_{d}"] == "yes" for d in FAULT_DIMENSIONS if row.get(f"distorted_{d}")
        },
        attributes=attributes,
        agreement={
            d: float(row[f"agreement_{d}"]) for d in FAULT_DIMENSIONS if row.get(f"agreement_{d}")
        },
        most_impactful=row.get("most_impactful_dimension", ""),
        num_votes=int(row.get("num_votes") or 0),
    )


def _range(rows: Iterable[Mapping[str, str]], column: str) -> tuple[float, float]:
    values = [float(row[column]) for row in rows if row[column]]
    return (min(values), max(values)) if values else (0.0, 0.0)


def _levels(analysis: Analysis, dimension: Dimension) -> dict[str, str]:
    """Bin by five equal widths between the lowest and the highest MOS, as FineVD does.

    Where all MOS are equal there are no bins, and no levels.
    """
    scores = {n: _quality(analysis, n) for n in analysis.table.stimuli}
    known = [score for score in scores.values() if score == score]
    if not known or max(known) <= min(known):
        return {}
    words = levels_of(dimension)
    return {
        name: words[level_index(score, min(known), max(known))] if score == score else ""
        for name, score in scores.items()
    }


def _quality(analysis: Analysis, video: str) -> float:
    return float(analysis.estimate.quality[analysis.table.stimuli.index(video)])


def _is_rejected(analysis: Analysis, subject: str) -> bool:
    if subject not in analysis.table.subjects:
        return False
    return bool(analysis.estimate.rejected[analysis.table.subjects.index(subject)])


def _decide(
    dimension: Dimension, ballots: "Sequence[BallotRecord]"
) -> tuple[bool, tuple[str, ...], float]:
    """Return whether distorted, by which attributes, and how many agree that it is or is not."""
    choices = [ballot.attributes.get(dimension, (NO_ATTRIBUTE,)) for ballot in ballots]
    if not choices:
        return False, (), 0.0
    share = sum(NO_ATTRIBUTE not in chosen for chosen in choices) / len(choices)
    if share <= MAJORITY:
        return False, (), 1.0 - share
    counts = Counter(name for chosen in choices for name in chosen if name != NO_ATTRIBUTE)
    named = [name for name, count in counts.items() if count / len(choices) > MAJORITY]
    # A fault that all see and name differently keeps its most frequent name.
    named = named or [counts.most_common(1)[0][0]]
    return True, tuple(f"other {dimension}" if n == OTHER_ATTRIBUTE else n for n in named), share


def _most_impactful(mos: Mapping[Dimension, float], distorted: Mapping[Dimension, bool]) -> str:
    """Return the distorted dimension with the lowest MOS."""
    if not distorted:
        return ""
    bad = [dimension for dimension, is_bad in distorted.items() if is_bad]
    return str(min(bad, key=lambda dimension: mos[dimension])) if bad else NO_DISTORTION


def _number(value: float | None) -> float | None:
    return None if value is None or value != value else value


def _cell(value: object) -> object:
    return f"{value:.4f}" if isinstance(value, float) else value
