"""Every choice of a training run, with its default."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """What is learnt from."""

    manifest: Path
    """manifest.jsonl of `finevq data synthesize`: clips with known degradations."""
    stills: tuple[Path, ...] = ()
    """manifest.jsonl of each `finevq data synthesize --stills`, for the image encoder and all
    behind it; sets of further sources join the first. Empty: the encoder keeps its
    ImageNet weights."""
    further_stills: tuple[Path, ...] = ()
    """The same of sources with faults of their own, which no label names: they teach behind the
    stills, and what of them is not of the training split is left out. Empty: without."""
    copies: Path | None = None
    """manifest.jsonl of `finevq data synthesize --stills --copies N`: pictures beside further
    degraded copies of themselves, whose order is certain. None: without."""
    clip_copies: tuple[Path, ...] = ()
    """manifest.jsonl of each `finevq data synthesize --copies N`: the same of clips, whose further
    faults may be of time. Empty: without."""
    human: Path | None = None
    """Folder with images/ and mos.csv (image, mos, mos_std): people's opinions. None: without."""
    human_folds: int = 5
    """The photographs are dealt into so many folds, by a hash of their names."""
    test_fold: int = 0
    """Fold that no training and no selection sees."""
    validation_fold: int = 1
    """Fold that selects the epoch."""
    people_select: bool = True
    """False: that fold is learnt from like the others, and known faults alone select."""
    max_clips: int = 1_000_000
    """Use no more synthetic training clips than this (for trials)."""
    cache: Path = Path("runs/features")
    """Where decoded inputs are kept; safe to delete."""
    workers: int = 2
    """Processes that decode."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncoderStageConfig:
    """The first stage: the image encoder learns faults and opinions from single pictures."""

    rounds: int = 3
    """Validated, and saved, after each."""
    steps_per_round: int = 75
    batch_size: int = 24
    """Degraded pictures a step."""
    human_batch_size: int = 12
    """Photographs a step."""
    human_weight: float = 0.7
    crop: int = 256
    """Side of the native-pixel crop, cut anew from the stored one in each step."""
    crops: int = 2
    """Stored crops of a degraded picture."""
    max_stills: int = 6000
    """Degraded pictures that this pass learns from, the first of them. All of them teach what lies
    behind the encoder, for which a picture costs one look instead of many."""
    human_crops: int = 8
    """Stored crops of a photograph."""
    learning_rate: float = 3e-4
    """Peak, of the encoder."""
    head_learning_rate: float = 1.5e-3
    weight_decay: float = 0.02
    dropout: float = 0.2
    average_decay: float = 0.99


_LATER_PASS = partial(
    EncoderStageConfig, batch_size=32, human_batch_size=8, human_weight=0.35, learning_rate=2e-4
)
"""A pass that a reader's opinions of all pictures take part in: photographs need less of it."""
_GENTLE_PASS = partial(_LATER_PASS, rounds=5, max_stills=20000, learning_rate=1e-4)
"""Such a pass, short and at half the rate."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MotionStageConfig:
    """The second stage: the motion encoder learns temporal faults, alone."""

    epochs: int = 4
    clean_per_faulty: float = 1.5
    """Clips without a temporal fault for each clip with one; the rest would teach little more."""
    batch_size: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-3
    dropout: float = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class FaultStageConfig:
    """Beside all others: the fault reader learns from mean features, alone."""

    epochs: int = 25
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    correlation_weight: float = 0.5
    severity_weight: float = 3.0
    """Of the error of severities, which are read for it alone."""
    presence_weight: float = 1.0
    """Of the cross-entropy of what is there."""
    num_pairs: int = 64
    """Pairs of a step whose order is certain."""
    rank_weight: float = 0.5
    """Of that order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AlignmentStageConfig:
    """The third stage: projectors learn, under a linear reader, what the tokens should say."""

    epochs: int = 3
    batch_size: int = 64
    """Clips and stills a step."""
    human_batch_size: int = 8
    """Photographs a step: few, since they are few and soon known by heart."""
    human_weight: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.3
    feature_dropout: float = 0.5
    presence_weight: float = 4.0
    """Of the cross-entropy of what is there."""
    num_pairs: int = 16
    """Pairs of a step whose order is certain."""
    rank_weight: float = 0.5
    """Of that order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JointStageConfig:
    """The fourth stage: projectors, language model and score head learn together."""

    epochs: int = 6
    batch_size: int = 24
    """Synthetic clips and stills a step."""
    stills_per_clip: float = 2.0
    """Stills drawn in each epoch, for each clip; each epoch draws others."""
    stills_with_motion_faults: float = 0.3
    """Share of stills that are shown with the motion of a clip with a fault of time."""
    human_batch_size: int = 6
    """Photographs a step; 0: people's opinions come from the reader of opinions alone."""
    num_pairs: int = 6
    """Samples of a step that are joined by one of the same source that is worse in every respect:
    whatever the scores are, their order is certain."""
    rank_weight: float = 0.3
    """Of that order."""
    num_absent: int = 10
    """Absent attributes that are asked about at each visit, beside all present ones."""
    learning_rate: float = 1e-3
    """Peak; warmed up, then cosine to nothing."""
    projector_rate: float = 0.1
    """Share of it for the projectors, which are aligned already."""
    weight_decay: float = 0.05
    feature_dropout: float = 0.4
    """Share of encoder features that are hidden, anew in each step."""
    view_dropout: float = 0.1
    """Share of sparse-frame tokens that are replaced by another frame's."""
    score_weight: float = 1.0
    correlation_weight: float = 0.5
    token_weight: float = 0.5
    belief_weight: float = 2.0
    """Of the cross-entropy of yes/no answers."""
    average_decay: float = 0.99
    """Of the running average of weights, which is what is kept."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadStageConfig:
    """After it: the score head learns anew, without photographs."""

    epochs: int = 20
    batch_size: int = 256
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    opinion_share: float = 0.9
    """What the opinion reader says is so much of overall here."""
    num_pairs: int = 128
    """Pairs of a step whose order is certain."""
    rank_weight: float = 0.5
    """Of that order."""
    max_samples: int = 12000
    """Clips and stills, drawn at random."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpinionStageConfig:
    """The last stage: a linear reader of people's opinions, with a share of overall of its own."""

    unseen_weight: float = 3.0
    """Of a photograph that the encoder did not learn from, against one that it did."""
    order_weight: float = 0.3
    """Of a pair whose certain order is not kept, against an opinion."""
    margin: float = 3.0
    """Points of MOS from which an order counts as kept."""
    learns_test: bool = True
    """Once the numbers on test data are written down, test photographs teach the reader, too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NanoTrainingConfig:
    """The whole recipe of nano."""

    data: DataConfig
    start: Path | None = None
    """Folder of an earlier nano to go on from: its encoders stay, all behind them learns further.
    None: from ImageNet weights."""
    start_share: float = 0.0
    """The earlier model's share of the final weights, 0..1: a mean of both knows the new sources
    nearly as well as the new weights do and the earlier ones better. Source: Wortsman et al.,
    Robust Fine-Tuning of Zero-Shot Models, CVPR 2022. 1: nothing is learnt, numbers are
    measured and files written anew, as after a change of how answers are joined."""
    encoder: EncoderStageConfig = field(default_factory=EncoderStageConfig)
    encoder_again: EncoderStageConfig = field(default_factory=partial(_LATER_PASS, rounds=4))
    """The same again, with the opinions that a reader of the first pass has of every picture, so
    that photographs need not be shown so often. 0 rounds: without."""
    encoder_long: EncoderStageConfig = field(
        default_factory=partial(_LATER_PASS, rounds=9, max_stills=20000)
    )
    """And once more, the longest, from more pictures, with the opinions of the second pass's
    reader. 0 rounds: without."""
    encoder_gentle: EncoderStageConfig = field(default_factory=_GENTLE_PASS)
    """And a short one at half the rate, with the opinions of the third pass's reader. 0 rounds:
    without."""
    encoder_final: EncoderStageConfig = field(default_factory=_GENTLE_PASS)
    """And the like of it from there, with the opinions of the fourth pass's reader. 0 rounds:
    without."""
    motion: MotionStageConfig = field(default_factory=MotionStageConfig)
    faults: FaultStageConfig = field(default_factory=FaultStageConfig)
    alignment: AlignmentStageConfig = field(default_factory=AlignmentStageConfig)
    joint: JointStageConfig = field(default_factory=JointStageConfig)
    head: HeadStageConfig = field(default_factory=HeadStageConfig)
    opinion: OpinionStageConfig = field(default_factory=OpinionStageConfig)
    seed: int = 0
    mos_low: float = 9.8
    """Lowest MOS of the scale; levels are five equal bins. Source: FineVD's public labels."""
    mos_high: float = 77.6
    """Highest MOS of the scale."""
    human_mean: float = 49.8
    """Opinion of a photograph that is mapped to 50, the mean of FineVD's MOS."""
    human_std: float = 20.5
    """Difference of opinions that is mapped to 13, the standard deviation of FineVD's MOS."""
    version: str = "0"
    """Goes into results of the exported model."""
    threads: int = 2
    """Of torch."""
