"""What a data set knows about its videos: the records that adapters return.

Labels live here and only here. What a scorer gets is `finevq.records.Clip`, made by
`LabelledVideo.clip`, which carries a path and a name and nothing else.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from finevq.records import Clip
from finevq.vocabulary import Dimension


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoFacts:
    """What the label file says about the container; None where it does not say."""

    width: int | None = None
    """Pixels, as published (some data sets publish them before rotation)."""
    height: int | None = None
    """Pixels."""
    fps: float | None = None
    num_frames: int | None = None
    bit_rate: float | None = None
    """Bits a second."""
    bit_depth: int | None = None
    pixel_format: str = ""

    @property
    def is_portrait(self) -> bool | None:
        """Whether the picture is higher than wide; None where unknown."""
        if self.width is None or self.height is None:
            return None
        return self.height > self.width


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledVideo:
    """One row of a data set."""

    name: str
    """File name as published, with its suffix where the label file has one; unique in the set."""
    mos: Mapping[Dimension, float]
    """On the data set's own scale, higher is better; at least overall."""
    split: str = ""
    """train, val, test, test_1080p; empty where the data set publishes no split."""
    source: str = ""
    """Which original the video was cut from; empty: it is its own source."""
    category: str = ""
    """Kind of content, where published."""
    flags: tuple[str, ...] = ()
    """Reasons to leave the video out of usual tables, such as "gray"."""
    existing_distortion: str = ""
    """Attribute that annotators named, in the standard spelling; empty where not published."""
    options_shown: tuple[str, ...] = ()
    """Options of the which-question, in the order shown, in the standard spelling."""
    most_impactful: str = ""
    """Dimension whose fault hurts most, or "none"; empty where not published."""
    impact_options_shown: tuple[str, ...] = ()
    """Options of the most-impact question, in the order shown; empty where not published."""
    is_distorted: Mapping[Dimension, bool] = field(default_factory=dict)
    """Answer of the yes/no question of a dimension, where published."""
    facts: VideoFacts = VideoFacts()

    @property
    def cluster(self) -> str:
        """What is resampled together in a bootstrap."""
        return self.source or self.name

    def clip(self, path: Path | None = None) -> Clip:
        """Return what a scorer may see: where the video is and its name, no label."""
        return Clip(path=str(path) if path else self.name, name=self.name)


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelSet:
    """All videos of a data set, in the order of the published label file."""

    name: str
    """Name in the catalogue."""
    scale: tuple[float, float]
    """Ends of the MOS scale, not the extremes of the labels."""
    videos: tuple[LabelledVideo, ...]
    source: str
    """The file or folder that was read, as the caller named it."""

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """Dimensions that every video has a MOS for, in the vocabulary's order."""
        return tuple(d for d in Dimension if all(d in video.mos for video in self.videos))

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the published splits, in order of appearance."""
        return tuple(dict.fromkeys(video.split for video in self.videos if video.split))

    def of_split(self, split: str) -> "LabelSet":
        """Return the videos of one published split."""
        return self.keep([video.split == split for video in self.videos])

    def without_flagged(self) -> "LabelSet":
        """Return the videos that usual tables use."""
        return self.keep([not video.flags for video in self.videos])

    def keep(self, wanted: Sequence[bool]) -> "LabelSet":
        """Return the videos whose place is marked, in the same order."""
        chosen = tuple(v for v, is_kept in zip(self.videos, wanted, strict=True) if is_kept)
        return LabelSet(name=self.name, scale=self.scale, videos=chosen, source=self.source)

    def mos(self, dimension: Dimension = Dimension.OVERALL) -> list[float]:
        """Return the MOS of one dimension, in order."""
        return [video.mos[dimension] for video in self.videos]

    def clips(self, paths: Mapping[str, Path] | None = None) -> list[Clip]:
        """Return what a scorer may see, in order; `paths` says where the named files are."""
        return [video.clip((paths or {}).get(video.name)) for video in self.videos]

    @property
    def fingerprint(self) -> str:
        """Sixteen hex digits over names and MOS: two equal tables rest on the same labels."""
        rows = [[v.name, {str(d): m for d, m in sorted(v.mos.items())}] for v in self.videos]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
