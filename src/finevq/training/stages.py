"""A training stage as data: what it starts from, what learns, from what, and how.

One loop runs them all; the stages of the paper, of the official scripts and of nano differ in these
values alone (`finevq.training.presets`).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from finevq.model.lora import LoraLayers

StageName = Literal["stage1", "stage2", "qa", "joint"]
DataKind = Literal["synthetic", "official", "csv"]
Precision = Literal["fp32", "bf16"]
Selection = Literal["srcc", "accuracy", "loss"]


@dataclass(frozen=True, kw_only=True, slots=True)
class StartConfig:
    """The weights that a stage begins with."""

    model: str = "nano"
    """"nano", a model folder (ours or official), or the output folder of an earlier run, whose
    best weights are taken."""
    motion_encoder: Path | None = None
    """Weights of the public SlowFast-R50 checkpoint, where the model comes without a motion branch
    (InternVL2-8B as published)."""
    initialization: Literal["default", "official"] = "default"
    """Of parts that the model comes without. official: uniform, -0.1..0.1 in a stage with a score
    head and 0..0.01 in one without, biases 0; default: torch's, and a last bias of half the scale,
    so that the head starts alive."""
    final_relu: bool = False
    """Whether a new score head closes with a ReLU, as the official one does, which can die."""


@dataclass(frozen=True, kw_only=True, slots=True)
class InputsConfig:
    """What the model sees of a video in this stage."""

    motion: Literal["as_model", "sparse_frames", "none"] = "as_model"
    """as_model: what it will see in use. sparse_frames: the image encoder's frames, their features
    repeated to 32 steps: the official training, which is another function than its inference.
    none: without a motion branch (official question answering)."""
    has_score_head: bool = True
    """False drops it: the stage teaches words alone."""
    image_drop_path: float = 0.0
    """Share of pictures for which the ViT's last layer leaves a branch out in training; it rises to
    that from 0 in the first layer. Official: 0.1, adapted ViT or frozen. nano has no ViT."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PartsConfig:
    """Which boxes of the model learn as a whole; adapters learn besides."""

    image_encoder: bool = False
    motion_encoder: bool = False
    """Its BatchNorm layers keep their statistics in any case."""
    image_projectors: bool = True
    motion_projector: bool = True
    language_model: bool = False
    score_head: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class LoraConfig:
    """Low-rank adapters; rank 0: none."""

    image_rank: int = 0
    language_rank: int = 0
    alpha_per_rank: float = 2.0
    """alpha / r. The paper gives none; the official code has 2."""
    dropout: float = 0.05
    image_layers: tuple[LoraLayers, ...] = ("attention", "mlp")
    language_layers: tuple[LoraLayers, ...] = ("attention", "mlp")
    shares_down: bool = True
    """Queries, keys and values share A, as in the fused layers of the official code."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossConfig:
    """What is minimised: a weighted sum; weight 0 leaves a loss out."""

    token_weight: float = 0.0
    """Of the mean cross-entropy of answer tokens."""
    score_weight: float = 0.0
    """Of the mean error of scores, in units of the whole scale."""
    rank_weight: float = 0.0
    """Of the mean logistic loss of pairs in wrong or narrow order."""
    score_kind: Literal["l1", "huber"] = "l1"
    huber_delta: float = 0.05
    """Share of the scale below which the error counts squared."""
    rank_temperature: float = 0.05
    """Share of the scale that counts as a clear difference."""
    learns_opening: bool = True
    """Whether the fixed words before a level are learnt too, as in the official code."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerConfig:
    """AdamW under a learning rate that warms up and then falls as a cosine."""

    learning_rate: float = 2e-4
    """After the warm-up."""
    final_learning_rate: float = 0.0
    """After the last step."""
    warmup_share: float = 0.0
    """Of all steps."""
    weight_decay: float = 0.01
    """On matrices; never on biases and normalisations."""
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    max_gradient_norm: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StepsConfig:
    """How long, in which steps, and in which numbers."""

    epochs: int = 10
    batch_size: int = 8
    """Items of one optimizer step, over all processes: records, or videos where `data.group_videos`
    puts all questions on a video into one item."""
    micro_batch_size: int = 0
    """Items that go through the model at once in one process; gradients of the rest are
    accumulated. 0: the whole share of a process. It changes memory and time alone."""
    gradient_checkpointing: bool = False
    """Activations of transformer layers are computed again instead of kept."""
    precision: Precision = "fp32"
    """bf16: frozen weights and activations; what learns stays in float32."""
    keeps_features: bool = False
    """Features of frozen encoders are computed once a video and kept in memory."""
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordsConfig:
    """What is learnt from."""

    kind: DataKind = "synthetic"
    """synthetic: manifest of `finevq data synthesize`; official: jsonl of the official release;
    csv: a table of videos and MOS."""
    path: Path = Path("data/known/manifest.jsonl")
    """Manifest, jsonl file or folder of such, or table."""
    videos: Path | None = None
    """Folder that names of videos are relative to; the folder of `path` where None."""
    tasks: tuple[str, ...] = ()
    """Tasks to learn: rating, scoring, yes_no, which_exists, which_most, describe; all where
    empty."""
    max_train: int = 0
    """Use no more training records than these, the first ones; 0: all."""
    max_validation: int = 0
    group_videos: bool = False
    """All questions on a video are learnt at once: it is read once, which costs much less."""
    cache: Path = Path("runs/decoded")
    """Where decoded inputs are kept; safe to delete."""
    cache_bytes: int = 50 * 2**30
    workers: int = 2
    """Processes that decode; 0: none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ValidationConfig:
    """When and how a checkpoint is judged; on validation records only."""

    every_steps: int = 0
    """0: after each epoch."""
    judges_start: bool = False
    """Also before the first step: the start is then the weights to beat."""
    select_by: Selection = "srcc"
    """srcc: mean over the dimensions; accuracy: of whole answers, word by word; loss: lowest."""
    save_every_steps: int = 0
    """Further checkpoints to go on from, between validations."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DistributedConfig:
    """How several processes of torchrun share the work."""

    mode: Literal["ddp", "fsdp"] = "ddp"
    """ddp: each holds the model; fsdp: each holds a share of every layer."""
    device: str = "auto"
    """cpu, cuda, or auto: CUDA where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StageConfig:
    """Everything about one run."""

    stage: StageName
    preset: str = "custom"
    """Where the values came from; for the record."""
    start: StartConfig = field(default_factory=StartConfig)
    data: RecordsConfig = field(default_factory=RecordsConfig)
    inputs: InputsConfig = field(default_factory=InputsConfig)
    parts: PartsConfig = field(default_factory=PartsConfig)
    lora: LoraConfig = field(default_factory=LoraConfig)
    losses: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    steps: StepsConfig = field(default_factory=StepsConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    distributed: DistributedConfig = field(default_factory=DistributedConfig)
