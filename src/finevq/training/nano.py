"""The recipe of nano, from labelled videos to a folder that `finevq assess --model` takes.

Steps: tokenizer and fresh model, ImageNet start, five passes of the encoder stage, features of
the then frozen image encoder, motion stage, fault stage, alignment stage, joint stage, head stage,
temperatures on validation data, numbers on test data, export. Each step that takes long keeps what
it has done, so a run that is killed goes on where it was.
"""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from finevq.errors import ConfigError, DatasetError, TrainingError
from finevq.model import folder as files
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.presets import nano
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.settings import Settings
from finevq.training import measures
from finevq.training.alignment_stage import train_alignment
from finevq.training.config import EncoderStageConfig, NanoTrainingConfig
from finevq.training.encoded import EncodedSet, standardization_of
from finevq.training.encoder_stage import StillSets, train_encoder
from finevq.training.fault_stage import train_fault_reader
from finevq.training.features import FeatureStore
from finevq.training.freed_memory import keep_freed_memory
from finevq.training.going_on import (
    Earlier,
    mix_with_earlier,
    own_ratings,
    seeing_as,
    take_over,
    with_ratings,
)
from finevq.training.head_stage import train_head
from finevq.training.joint_stage import train_joint
from finevq.training.motion_stage import train_motion
from finevq.training.nano_data import (
    SPLITS,
    encoded_rows,
    frozen_encoder,
    read_data,
    still_set,
    with_features,
)
from finevq.training.opinion_stage import OpinionStage
from finevq.training.opinions import (
    OpinionReader,
    RatedViews,
    overall_of,
    with_probable_opinions,
)
from finevq.training.predictions import predict
from finevq.training.pretrained import load_imagenet_weights
from finevq.training.release import EncodedSets, Finished, release
from finevq.training.samples import TrainingSample
from finevq.training.sources import (
    human_samples,
    taught_stills,
    without_held_out_sources,
)
from finevq.training.stills import StillSet
from finevq.training.stills_as_clips import crops_as_frames, joined, with_copies
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, Dimension

_log = logging.getLogger(__name__)


def train_nano(config: NanoTrainingConfig, output: Path, settings: Settings) -> dict[str, Any]:
    """Train, measure and export nano.

    Args:
        config: The recipe.
        output: The model folder; also holds the state of an interrupted run.
        settings: Limits of reading videos.

    Returns:
        What is written to metrics.json.

    Raises:
        ConfigError: the fault reader would have its share of the scores without having learnt.
        DatasetError: a data set cannot be read, or a split of it is empty.
        TrainingError: the loss is not a number.
    """
    if config.start is None and not config.faults.epochs:
        raise ConfigError(
            "faults.epochs is 0, but the fault reader has a share of the scores and has to learn: "
            "give 1 or more, or start from a nano whose reader has learnt (start)"
        )
    torch.set_num_threads(config.threads)
    keep_freed_memory()
    torch.manual_seed(config.seed)
    (output / "state").mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(output / files.TOKENIZER_FILE))
    prompter = NanoPrompter(tokenizer)
    fresh = nano(
        vocabulary_size=prompter.vocabulary_size,
        context_token_id=prompter.context_id,
        version=config.version,
    )
    model = FineVQ(fresh if config.start is None else seeing_as(fresh, config.start))
    earlier = None if config.start is None else take_over(model, config.start)
    is_kept = _is_kept(model, earlier, config.start_share)
    if earlier is None:
        load_imagenet_weights(frozen_encoder(model))
        histories = _teach_encoder(model, config, settings, output)
    else:
        histories = earlier.history if is_kept else earlier.encoder_history
    model.image_encoder.eval().requires_grad_(False)
    data = read_data(model, config, settings)
    if earlier is None:
        train_motion(
            model,
            [(sample, kept[0]) for sample, kept in data.rows("train", human=False)],
            config.motion,
            seed=config.seed,
            state=output / "state" / "motion.pt",
        )
    sets = {
        (split, human): data.encode(model, split, human=human)
        for split in SPLITS
        for human in (False, True)
        if data.rows(split, human=human)
    }
    kept = frozenset[str]() if earlier is None else earlier.names
    training = [part for (split, _), part in sets.items() if split == "train"]
    _fit_standardization(model, training, kept)
    learnt_from = joined(
        sets["train", False],
        data.stills.get("train"),
        share_with_faults=config.joint.stills_with_motion_faults,
        seed=config.seed,
    )
    learnt_from = with_copies(learnt_from, data.copies, seed=config.seed)
    if data.clip_copies:
        # Drawn as rarely as stills: other clips teach what their labels do, but not their orders.
        learnt_from = learnt_from.followed_by(encoded_rows(model, data.clip_copies))
    photographs = {split: part for (split, human), part in sets.items() if human}
    opinions = OpinionStage(model, learnt_from, photographs, config.opinion)
    if not is_kept:
        histories["joint"] = _teach_behind_encoders(
            model, prompter, learnt_from, sets, opinions, config, output, earlier
        )
    with_stills = {
        split: joined(
            sets[split, False], data.stills.get(split), share_with_faults=0.0, seed=config.seed
        )
        for split in ("validation", "test")
    }
    finished = Finished(
        model=model,
        prompter=prompter,
        sets=sets,
        with_stills=with_stills,
        opinions=opinions,
        histories=histories,
        kept=earlier if is_kept else None,
    )
    return release(finished, config, output, settings)


def _is_kept(model: FineVQ, earlier: Earlier | None, share: float) -> bool:
    """Whether all weights are an earlier model's, so that nothing is left to learn.

    Raises:
        ConfigError: a share beyond 0..1.
        TrainingError: the earlier model lacks some of the weights, or its numbers.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"start_share is {share}: a share of the weights lies in 0..1")
    if earlier is None:
        if share:
            _log.warning("start_share has no effect without an earlier model (start)")
        return False
    if share < 1.0:
        return False
    lacking = [name for name, _ in model.named_parameters() if name not in earlier.names]
    if lacking:
        raise TrainingError(
            f"start_share is 1, so nothing is learnt, but the earlier model has no {lacking[0]} "
            f"({len(lacking)} tensors in all); use a smaller share, or a model of this version"
        )
    if "data" not in earlier.metrics:
        raise TrainingError(
            "start_share is 1, so the card tells what the earlier model learnt from, but its "
            f"folder has no {files.METRICS_FILE} that says so; use the folder as it was trained"
        )
    return True


def _teach_behind_encoders(
    model: FineVQ,
    prompter: NanoPrompter,
    clips: EncodedSet,
    sets: EncodedSets,
    opinions: OpinionStage,
    config: NanoTrainingConfig,
    output: Path,
    earlier: Earlier | None,
) -> list[dict[str, float]]:
    """Train all behind the frozen encoders as it is released, but for the test photographs.

    Args: see `_teach_reading`.

    Returns:
        The joint stage's validation numbers.
    """
    opinions.fit(("train",))
    faults = output / "state" / "faults.pt"
    train_fault_reader(model, clips, config.faults, seed=config.seed, state=faults)
    history = _teach_reading(model, prompter, clips, sets, config, output, earlier)
    if earlier is not None and config.start_share:
        mix_with_earlier(model, earlier, config.start_share)
        numbers = _validate(model, prompter, sets)
        _log_numbers("with the earlier weights' share", numbers)
        history.append({**numbers, "kept": 1.0})
    # The released weights are these, rounded; everything after measures them.
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())
    # Validation photographs have chosen the epoch; now they may teach.
    opinions.fit(("train", "validation"))
    return history


def _teach_reading(
    model: FineVQ,
    prompter: NanoPrompter,
    clips: EncodedSet,
    sets: EncodedSets,
    config: NanoTrainingConfig,
    output: Path,
    earlier: Earlier | None,
) -> list[dict[str, float]]:
    """Train all behind the frozen encoders, and return the joint stage's validation numbers.

    Args:
        model: Encoders frozen.
        prompter: nano's template.
        clips: Clips and stills of the training split.
        sets: Photographs, and validation data.
        config: The recipe.
        output: The model folder.
        earlier: What the model goes on from.
    """
    photographs = sets.get(("train", True))
    judged = None
    learnt_from = clips
    if photographs is not None:
        reader = _opinion_reader(photographs.views, photographs.samples)
        mos_range = config.mos_low, config.mos_high
        judged = with_probable_opinions(
            clips.samples, clips.views, reader, mos_range, share=config.head.opinion_share
        )
        learnt_from, photographs = (
            replace(
                part, samples=with_probable_opinions(part.samples, part.views, reader, mos_range)
            )
            for part in (clips, photographs)
        )
    state = output / "state"
    taught = [part for part in (learnt_from, photographs) if part is not None]
    # What an earlier model says, before anything of it changes.
    said = [own_ratings(model, prompter, part) for part in taught] if earlier else []
    read_named = None
    if config.alignment.epochs:
        read_named = train_alignment(
            model,
            learnt_from,
            photographs,
            config.alignment,
            validation=[part for (split, _), part in sets.items() if split == "validation"],
            seed=config.seed,
            state=state / "alignment.pt",
        )
    if earlier is not None:
        learnt_from = with_ratings(
            learnt_from, said[0], read_named, of_photographed_alone=not earlier.knows_drawings
        )
        if photographs is not None:
            photographs = with_ratings(photographs, said[1], None)
    history = train_joint(
        model,
        prompter,
        learnt_from,
        photographs,
        config,
        state=state / "joint.pt",
        validate=lambda current: _validate(current, prompter, sets),
    )
    if judged is not None and config.head.epochs:
        train_head(
            model, prompter, clips, judged, config.head, seed=config.seed, state=state / "head.pt"
        )
        _log_numbers("after the head stage", _validate(model, prompter, sets))
    return history


def _log_numbers(when: str, numbers: Mapping[str, float]) -> None:
    shown = ", ".join(f"{name} {value:.3f}" for name, value in numbers.items())
    _log.info("%s: %s", when, shown)


def _teach_encoder(
    model: FineVQ, config: NanoTrainingConfig, settings: Settings, output: Path
) -> dict[str, list[dict[str, float]]]:
    """Fine-tune the image encoder on stills and photographs, where there are stills.

    In passes: from the second on with what a reader of the encoder so far says that people would
    say.

    Returns:
        Validation numbers, round by round, of each pass.
    """
    if not config.data.stills:
        _log.warning("no stills (data.stills): the image encoder keeps its ImageNet weights")
        return {}
    # Its name among the numbers, that of its state, how.
    passes = (
        ("encoder", "encoder", config.encoder),
        ("second encoder", "encoder_again", config.encoder_again),
        ("third encoder", "encoder_long", config.encoder_long),
        ("fourth encoder", "encoder_gentle", config.encoder_gentle),
        ("fifth encoder", "encoder_final", config.encoder_final),
    )
    histories: dict[str, list[dict[str, float]]] = {}
    for number, (title, name, stage) in enumerate(passes):
        if number and not stage.rounds:
            continue
        state = output / "state" / name
        taken = finished_encoder_pass(model, state)
        if taken is not None:
            histories[title] = taken
            continue
        sets = encoder_sets(model, config, stage, settings)
        if number:
            if sets.photographs is None:
                break
            judged = _judged(model, sets.clips, sets.photographs.samples, config, settings)
            sets = replace(sets, clips=replace(sets.clips, samples=judged))
        histories[title] = encoder_pass(model, sets, stage, config.seed + number, state)
    return histories


def encoder_sets(
    model: FineVQ, config: NanoTrainingConfig, stage: EncoderStageConfig, settings: Settings
) -> StillSets:
    """Read the pictures of a pass of the encoder stage.

    Args:
        model: Which views it takes.
        config: The recipe; has stills.
        stage: The pass: how many pictures, how many crops of each.
        settings: Limits of reading videos.

    Raises:
        DatasetError: a data set cannot be read, or has no picture to learn from or to select by.
    """
    stills = taught_stills(config)
    photographs = without_held_out_sources(human_samples(config), stills)
    read = partial(still_set, model, config=config, settings=settings)
    learnt_from = [sample for sample in stills if sample.split == "train"][: stage.max_stills]
    clips = read(learnt_from, "train", stage.crops)
    validation_clips = read(stills, "validation", stage.crops)
    if clips is None or validation_clips is None:
        shown = ", ".join(map(str, config.data.stills))
        raise DatasetError(f"{shown}: no picture in train or in validation")
    return StillSets(
        clips=clips,
        photographs=read(photographs, "train", stage.human_crops),
        validation_clips=validation_clips.part(range(min(len(validation_clips), 480))),
        validation_photographs=read(photographs, "validation", stage.human_crops),
    )


def finished_encoder_pass(model: FineVQ, state: Path) -> list[dict[str, float]] | None:
    """Take what an earlier run came to, so that no picture need be read.

    Args:
        model: Its image encoder gets the weights.
        state: As for `encoder_pass`.

    Returns:
        Validation numbers, round by round; None where the pass is not finished.
    """
    finished = _finished(state)
    if not finished.exists():
        return None
    saved = torch.load(finished, map_location="cpu", weights_only=True)
    frozen_encoder(model).load_state_dict(saved["weights"])
    return list(saved["history"])


def encoder_pass(
    model: FineVQ, sets: StillSets, stage: EncoderStageConfig, seed: int, state: Path
) -> list[dict[str, float]]:
    """Train the image encoder.

    Args:
        model: Its image encoder is trained.
        sets: Training and validation.
        stage: The pass.
        seed: Of the pass.
        state: Beginning of the names of two files: the state, and the weights once finished.

    Returns:
        Validation numbers, round by round.
    """
    encoder = frozen_encoder(model)
    history = train_encoder(
        encoder,
        model.config.image_encoder,
        sets,
        stage,
        seed=seed,
        state=state.with_suffix(".pt"),
    )
    torch.save({"weights": encoder.state_dict(), "history": history}, _finished(state))
    return history


def _finished(state: Path) -> Path:
    return state.with_name(f"{state.name}_weights.pt")


def _judged(
    model: FineVQ,
    stills: StillSet,
    photographs: Sequence[TrainingSample],
    config: NanoTrainingConfig,
    settings: Settings,
) -> list[TrainingSample]:
    """Return the stills with what people would probably say of each."""
    store = FeatureStore(config.data.cache, model.config, frozen_encoder(model), settings)
    rows = with_features(store, photographs, config, mirrored=True)
    views = np.stack([[kept.views for kept in variants] for _, variants in rows])
    reader = _opinion_reader(torch.from_numpy(views), [sample for sample, _ in rows])
    encoded = store.encode_stills(stills, config.data.workers)
    frames = crops_as_frames(encoded, encoded.shape[1])
    return with_probable_opinions(stills.samples, frames, reader, (config.mos_low, config.mos_high))


def _opinion_reader(views: torch.Tensor, photographs: Sequence[TrainingSample]) -> OpinionReader:
    return OpinionReader([RatedViews(views, overall_of(photographs))])


def _fit_standardization(model: FineVQ, training: Sequence[EncodedSet], kept: Set[str]) -> None:
    """Give every projector its features' statistics; weights that are kept keep theirs."""
    fitted = {module for name, module in model.named_modules() if f"{name}.mean" in kept}

    def fit(projector: nn.Module, features: Sequence[torch.Tensor]) -> None:
        standardization = standardization_of(projector)
        if standardization not in fitted:
            standardization.fit(torch.cat(list(features)))

    end = -EfficientNetEncoder.num_colors
    named = model.named_projector
    for number in range(len(model.config.video.views)):
        seen = [part.views[:, :, number, ..., :end].flatten(0, -2) for part in training]
        fit(model.image_projectors[number], seen)
    means = [part.views.float().mean(dim=3) for part in training]  # (N, variants, views, features)
    pictures = [part[..., :end].flatten(2).flatten(0, 1) for part in means]
    colors = [part[..., end:].flatten(2).flatten(0, 1) for part in means]
    motion = [part.motion.flatten(0, -2) for part in training]
    for projector, features in (
        (model.summary_projector, pictures),
        (model.color_projector, colors),
        (named.images, pictures),
        (named.colors, colors),
        (named.motion, motion),
        (model.motion_projector, motion),
        (model.fault_reader.images, pictures),
        (model.fault_reader.colors, colors),
        (model.fault_reader.motion, motion),
    ):
        fit(projector, features)


def _validate(model: FineVQ, prompter: NanoPrompter, sets: EncodedSets) -> dict[str, float]:
    """Return validation numbers; "selection" is the mean of all of them.

    Those are the six dimensions' SRCC, people's overall, and how well attributes are told apart,
    which goes on rising when scores do no more.
    """
    ratings = [questions.rating(dimension) for dimension in DIMENSIONS]
    attributes = [questions.attribute(name) for name in ALL_ATTRIBUTES]
    clips = sets["validation", False]
    answers = predict(model, prompter, clips, [*ratings, *attributes])
    numbers = dict(measures.score_correlations(answers, clips.samples))
    separation = measures.attribute_separation(answers, clips.samples)
    if np.isfinite(separation):
        numbers["attributes"] = separation
    if ("validation", True) in sets:
        photographs = sets["validation", True]
        overall = predict(model, prompter, photographs, [questions.rating(Dimension.OVERALL)])
        numbers["human"] = measures.human_correlation(overall, photographs.samples)
    numbers["selection"] = float(np.mean(list(numbers.values())))
    return numbers
