"""Frozen records that cross package borders; each field carries its unit.

`Assessment.to_dict` is the JSON contract of `finevq assess --json`: names and nesting are a
promise.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from finevq.vocabulary import Dimension


@dataclass(frozen=True, kw_only=True, slots=True)
class MediaInfo:
    """Facts about a video file, as its container and its frames tell them."""

    codec: str
    """Short codec name, as FFmpeg spells it: h264, vp9, mjpeg, ..."""
    width: int
    """Pixels, as displayed: after rotation."""
    height: int
    """Pixels, as displayed: after rotation."""
    fps: float | None
    """Mean frames a second; None where the file has no meaningful rate (a still picture)."""
    num_frames: int
    """Frames that can be shown, edit lists applied."""
    duration_seconds: float
    """From the first frame's time to the end of the last."""
    rotation_degrees: int
    """Clockwise turn (0, 90, 180, 270) that the player applies; already applied to our frames."""
    pixel_format: str
    """As stored, in FFmpeg's spelling: yuv420p, yuv420p10le, ..."""
    container: str = ""
    """Format name of the container, in FFmpeg's spelling."""
    bit_rate: int | None = None
    """Bits a second of the video stream, or of the file where the stream does not say."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class VideoInputConfig:
    """What a model takes from a video: the bond between `finevq.video` and `finevq.model`."""

    num_frames: int = 8
    """Sparse frames for the image encoder."""
    views: tuple[Literal["whole", "detail"], ...] = ("whole",)
    """How each sparse frame is read: squashed whole, or a crop at native pixels, or both."""
    view_sizes: tuple[int, ...] = (448,)
    """Side of each view, in pixels."""
    motion: Literal["all_frames", "bursts", "sparse_frames", "none"] = "all_frames"
    """all_frames: the official inference rule; bursts: short stretches at the video's own rate;
    sparse_frames: the image encoder's own frames (official training form); none: no motion branch
    (official question-answering checkpoints)."""
    motion_size: int = 448
    """Side of a motion frame, in pixels."""
    resize: Literal["swscale", "pil"] = "swscale"
    """How whole pictures and motion frames are squashed: swscale is fast; pil is PIL's bicubic
    resize bit for bit, as the official code does it."""
    num_bursts: int = 1
    """bursts only: how many stretches; each becomes one motion token."""
    burst_frames: int = 16
    """bursts only: frames a stretch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calibration:
    """What makes a model's probabilities honest; fitted on validation data, never on test data."""

    temperatures: Mapping[str, float] = field(default_factory=dict)
    """Of each question family, by name; 1 where absent."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Probability from which a dimension counts as distorted, or an attribute (by its name) as
    present; 0.5 where absent."""


@dataclass(frozen=True, slots=True)
class Clip:
    """A video to score: where it is and how it is called in the results. Carries no label."""

    path: str
    """File path or URL."""
    name: str = ""
    """Name in results; the path where empty."""

    @property
    def label(self) -> str:
        """The name to show."""
        return self.name or self.path


@dataclass(frozen=True, slots=True)
class AttributeEstimate:
    """How likely one kind of distortion is present."""

    name: str
    probability: float
    """0..1."""
    present: bool = False
    """Whether the model would name it: the probability reaches the model's threshold. Rare faults
    are named from less than even odds, or none would ever be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DimensionAssessment:
    """The quality of a video in one dimension."""

    score: float
    """Predicted MOS on the model's scale (nano and the 8b: 0..100, higher is better)."""
    level: str
    """Most likely level word of the dimension."""
    level_probabilities: Mapping[str, float]
    """Five words, worst first; sums to 1."""
    percentile: float
    """Share of FineVD's public videos with a lower MOS in this dimension, 0..100."""
    distorted: bool | None = None
    """Whether the dimension is noticeably degraded; None for overall."""
    distorted_probability: float | None = None
    """0..1; None for overall."""
    attributes: tuple[AttributeEstimate, ...] = ()
    """Kinds of distortion, most likely first; empty for overall."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        values: dict[str, Any] = {
            "score": self.score,
            "level": self.level,
            "level_probabilities": dict(self.level_probabilities),
            "percentile": self.percentile,
        }
        if self.distorted is not None:
            values["distorted"] = self.distorted
            values["distorted_probability"] = self.distorted_probability
            values["attributes"] = [asdict(estimate) for estimate in self.attributes]
        return values


@dataclass(frozen=True, slots=True)
class TimelineSegment:
    """Scores of a stretch of the video."""

    start_seconds: float
    end_seconds: float
    scores: Mapping[Dimension, float]
    """Same scale as `DimensionAssessment.score`."""

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return {
            "start_seconds": self.start_seconds,
            "end_seconds": self.end_seconds,
            "scores": {str(dimension): score for dimension, score in self.scores.items()},
        }


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture of a frame that the model saw, for reports."""

    time_seconds: float
    """When the frame is shown."""
    jpeg: bytes = field(repr=False)
    """Upright, sRGB."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model said so."""

    name: str
    version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Assessment:
    """Everything that the model says about one video."""

    video: str
    """As the caller named it."""
    model: ModelIdentity
    dimensions: Mapping[Dimension, DimensionAssessment]
    """All six, in the vocabulary's order."""
    most_impactful: str
    """The dimension whose fault hurts most, or "none"."""
    most_impactful_probabilities: Mapping[str, float] = field(default_factory=dict)
    """Five dimensions and "none"; sums to 1."""
    description: str
    """Two or three English sentences."""
    media: MediaInfo
    seconds: Mapping[str, float]
    """Wall time: decode, model."""
    timeline: tuple[TimelineSegment, ...] = ()
    """In order of time; empty unless asked for."""
    warnings: tuple[str, ...] = ()
    """What was wrong with the file although it could be assessed."""
    thumbnails: tuple[Thumbnail, ...] = field(default=(), repr=False)
    """In order of time; empty unless asked for; not part of the JSON contract."""

    @property
    def color(self) -> DimensionAssessment:
        """Saturation, exposure, contrast, cast."""
        return self.dimensions[Dimension.COLOR]

    @property
    def noise(self) -> DimensionAssessment:
        """Gaussian, impulse and stripe noise."""
        return self.dimensions[Dimension.NOISE]

    @property
    def artifact(self) -> DimensionAssessment:
        """Compression artifacts, blocking, ringing, moire."""
        return self.dimensions[Dimension.ARTIFACT]

    @property
    def blur(self) -> DimensionAssessment:
        """Defocus, motion, resolution, compression and exposure blur."""
        return self.dimensions[Dimension.BLUR]

    @property
    def temporal(self) -> DimensionAssessment:
        """Shake, stutter, flicker."""
        return self.dimensions[Dimension.TEMPORAL]

    @property
    def overall(self) -> DimensionAssessment:
        """The whole impression."""
        return self.dimensions[Dimension.OVERALL]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of `finevq assess --json`."""
        values: dict[str, Any] = {
            "video": self.video,
            "model": asdict(self.model),
            "dimensions": {str(name): part.to_dict() for name, part in self.dimensions.items()},
            "most_impactful": self.most_impactful,
            "most_impactful_probabilities": dict(self.most_impactful_probabilities),
            "description": self.description,
            "media": self.media.to_dict(),
            "seconds": dict(self.seconds),
        }
        if self.timeline:
            values["timeline"] = [segment.to_dict() for segment in self.timeline]
        if self.warnings:
            values["warnings"] = list(self.warnings)
        return values


@dataclass(frozen=True, slots=True)
class Failure:
    """A video that could not be assessed, in its place among the others."""

    video: str
    error_type: str
    """Class name of the error, as in `finevq.errors`."""
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON contract of a failed video."""
        return {"video": self.video, "error": {"type": self.error_type, "message": self.message}}


@dataclass(frozen=True, slots=True)
class Score:
    """What a `Scorer` says of one clip."""

    video: str
    values: Mapping[Dimension, float]
    """On the scorer's own scale; a scorer that knows one number gives overall only."""
