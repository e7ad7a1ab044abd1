"""The architecture as data: one frozen tree, a branch for each box of the paper's figure 5.

A checkpoint folder holds this tree as config.json beside its weights; the two never travel apart.
`nano` and the paper's model differ only in these values.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from finevq.errors import CheckpointError
from finevq.records import VideoInputConfig
from finevq.trees import build_tree

__all__ = [
    "FaultFallConfig",
    "HaloConfig",
    "ImageEncoderConfig",
    "LanguageModelConfig",
    "ModelConfig",
    "MotionEncoderConfig",
    "ScoreHeadConfig",
    "VideoInputConfig",
]

NUM_MOTION_STATISTICS = 32
"""Length of what `motion_statistics` measures; here, where no torch is needed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageEncoderConfig:
    """Which network reads the sparse frames."""

    kind: Literal["efficientnet_lite0", "efficientnet_lite2", "intern_vit"]
    """efficientnet_lite*: one token of statistics a view; intern_vit: a grid of patch tokens."""
    image_size: int = 448
    """Side of the square input, in pixels (efficientnet_lite* takes any size)."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Subtracted from RGB in 0..1. Default: ImageNet."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Divides RGB in 0..1. Default: ImageNet."""
    vision: Mapping[str, Any] = field(default_factory=dict)
    """intern_vit only: keyword arguments of transformers' InternVLVisionConfig."""
    downsample_ratio: float = 0.5
    """intern_vit only: pixel shuffle factor of the patch grid."""
    projector_expansion: int = 2
    """Width between the projector's two layers, in token widths (official: 1)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionEncoderConfig:
    """A SlowFast network: two pathways over the same frames at two rates."""

    slow_width: int = 64
    """Channels of the slow stem; stage outputs are 4, 8, 16, 32 times that."""
    fast_ratio: int = 8
    """Slow channels divided by fast channels."""
    depths: tuple[int, ...] = (3, 4, 6, 3)
    """Residual blocks a stage."""
    time_ratio: int = 4
    """Fast frames divided by slow frames."""
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    """Subtracted from RGB in 0..1. The official code feeds both branches with ImageNet's."""
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    """Divides RGB in 0..1."""
    pooling: Literal["centre", "mean"] = "centre"
    """centre: the official stride-1 windows before the mean (weights the centre); mean: plain."""
    repeat_features: int = 1
    """Times that features are repeated along time before pooling. The official training form feeds
    8 frames and repeats by 4."""
    statistics: bool = False
    """Whether plain statistics of the frames' movement follow the network's features."""

    @property
    def feature_width(self) -> int:
        """Length of the feature: slow channels, fast channels, statistics where there are any."""
        slow = self.slow_width * 32
        return slow + slow // self.fast_ratio + (NUM_MOTION_STATISTICS if self.statistics else 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class LanguageModelConfig:
    """A decoder in Llama layout."""

    llama: Mapping[str, Any]
    """Keyword arguments of transformers' LlamaConfig; hidden_size and vocab_size at least."""

    @property
    def width(self) -> int:
        """Width of a token."""
        return int(self.llama["hidden_size"])


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreHeadConfig:
    """The regression from one hidden state to one score."""

    widths: tuple[int, ...] = (1024, 256, 64, 16)
    """Hidden layers between the token width and the single output."""
    final_relu: bool = True
    """Official: a ReLU after the last layer too, which can die; nano does without."""
    low: float = 0.0
    """Score (MOS scale) that an output of 0 means."""
    high: float = 100.0
    """Score (MOS scale) that an output of 1 means."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultFallConfig:
    """How overall falls where other dimensions are clearly bad."""

    below: float = 45.0
    """Score (MOS scale) of another dimension from which on it takes nothing."""
    halving: float = 0.0
    """So many points that the five others lack together to that take half of overall, as far as it
    is above `ruined`; twice as many take three quarters. 0: nothing falls so."""
    ruined: float = 12.0
    """Score that is left where all is lost. Source: `datasets.degradations.labels`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HaloConfig:
    """How a dimension without a fault of its own falls with the others.

    Raters do not separate dimensions cleanly: of FineVD's videos that are labelled as not distorted
    in a dimension, its MOS falls by .67 (temporal) to .96 (blur) for each point of overall.
    """

    share: float = 0.0
    """Share of what the worst dimension lacks that the others lack too. 0: nobody's score moves.
    Source: `datasets.degradations.labels`, by which nano learns."""
    trust: float = 0.5
    """Share that is kept of what such a dimension itself was said to lack."""
    faulty: float = 54.0
    """Score (MOS scale) up to which a dimension has a fault of its own, and stays as it is."""
    faultless: float = 60.0
    """Score from which it has none; between, there is a passage."""
    clean: float = 74.0
    """Score of a video that lacks nothing. Source: likewise."""
    dimensions: tuple[Literal["color", "noise", "artifact", "blur", "temporal"], ...] = (
        "color",
        "noise",
        "blur",
        "temporal",
    )
    """Which fall so. Not artifact: what it lacks where it has no fault is the slight compression of
    every file, which is read better than the halo."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelConfig:
    """The whole model."""

    name: str
    """Short name, as in results."""
    version: str
    """Changes whenever the same video may get another score."""
    video: VideoInputConfig
    image_encoder: ImageEncoderConfig
    motion_encoder: MotionEncoderConfig
    language_model: LanguageModelConfig
    score_head: ScoreHeadConfig
    prompt: Literal["nano", "internlm2-chat"]
    """Which template of `finevq.prompts` the model was trained on."""
    context_token_id: int
    """Placeholder in the text that a visual token replaces."""
    has_score_head: bool = True
    """False: the checkpoint was trained for words alone (official stage 1 and QA)."""
    compat: Literal["none", "official"] = "none"
    """official: scores are read where the official code reads them, at the fourth position from the
    end whatever stands there; none: at the token before the level word."""

    standardized_features: bool = False
    """Features are normalised by statistics of the training data (nano), not by LayerNorm."""
    num_summary_tokens: int = 0
    """Visual tokens that tell of all views and frames together (nano), beside those of each."""
    num_named_tokens: int = 0
    """Visual tokens that tell of one name each, in the order of `vocabulary.NAMES`, from all views,
    frames and motion together (nano); shown by the questions about it, not by the prefix."""
    opinion_share: float = 0.0
    """Share of overall that is read straight from image and motion features (nano), the rest by the
    score head; 0: the model has no such reader."""
    opinion_familiarity: bool = False
    """That share shrinks where pictures are unlike the photographs that opinions were learnt from
    (nano since version 7)."""
    fault_share: float = 0.0
    """Share of the other five scores that is read straight from features (nano since version
    13)."""
    presence_share: float = 0.0
    """Share of the log-odds of yes/no answers that is read so (nano since version 13)."""
    fault_fall: FaultFallConfig = FaultFallConfig()
    """How overall falls by the other scores (nano)."""
    halo: HaloConfig = HaloConfig()
    """How the other scores fall by the worst of them (nano since version 15)."""

    @property
    def has_fault_reader(self) -> bool:
        """Whether anything of faults is read straight from features."""
        return bool(self.fault_share or self.presence_share)

    @property
    def num_motion_tokens(self) -> int:
        """Visual tokens that the motion branch gives."""
        if self.video.motion == "none":
            return 0
        return self.video.num_bursts if self.video.motion == "bursts" else 1

    @property
    def num_visual_tokens(self) -> int:
        """V: places that the prefix keeps for the video."""
        images = self.video.num_frames * len(self.video.views) * self.num_image_tokens
        return images + self.num_summary_tokens + self.num_motion_tokens

    @property
    def num_image_tokens(self) -> int:
        """Visual tokens of one view of one sparse frame."""
        if self.image_encoder.kind != "intern_vit":
            return 1
        patch = self.image_encoder.vision.get("patch_size", 14)
        side = self.image_encoder.image_size // (patch if isinstance(patch, int) else patch[0])
        return int(side * self.image_encoder.downsample_ratio) ** 2

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready copy."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ModelConfig":
        """Rebuild a tree from its JSON form.

        Raises:
            CheckpointError: a field is missing, unknown or of the wrong kind.
        """
        built: ModelConfig = build_tree(cls, values, error=CheckpointError, where="config.json:")
        return built
