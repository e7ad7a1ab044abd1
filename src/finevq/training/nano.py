"""The recipe of nano, from labelled videos to a folder that `finevq assess --model` takes.

Steps: tokenizer and fresh model, ImageNet start, encoder stage, features of the then frozen image
encoder, motion stage, alignment stage, joint stage, head stage, temperatures on validation data,
numbers on test data, export. Each step that takes long keeps what it has done, so a run that is
killed goes on where it was.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from finevq.errors import DatasetError
from finevq.model import folder as files
from finevq.model.export import export_onnx
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.model.presets import nano
from finevq.prompts import questions
from finevq.prompts.prompter import NanoPrompter
from finevq.prompts.tokenizer import train_tokenizer
from finevq.records import Calibration
from finevq.settings import Settings
from finevq.training import measures
from finevq.training.alignment_stage import train_alignment
from finevq.training.calibrate import calibration_errors, fit_temperatures, fit_thresholds
from finevq.training.card import write_card
from finevq.training.card_pictures import CardFacts, draw_card
from finevq.training.config import EncoderStageConfig, NanoTrainingConfig
from finevq.training.encoded import EncodedSet, standardization_of
from finevq.training.encoder_stage import StillSets, train_encoder
from finevq.training.features import Features, FeatureStore
from finevq.training.going_on import Earlier, mix_with_earlier, own_ratings, take_over, with_ratings
from finevq.training.head_stage import train_head
from finevq.training.joint_stage import train_joint
from finevq.training.lessons import all_questions
from finevq.training.motion_stage import motion_features, train_motion
from finevq.training.opinion_stage import OpinionStage
from finevq.training.opinions import (
    OpinionReader,
    RatedViews,
    overall_of,
    with_probable_opinions,
)
from finevq.training.predictions import Predictions, predict
from finevq.training.pretrained import load_imagenet_weights
from finevq.training.samples import Split, TrainingSample
from finevq.training.sources import (
    human_samples,
    taught_samples,
    without_held_out_sources,
)
from finevq.training.stills import StillSet, read_stills
from finevq.training.stills_as_clips import EncodedStills, crops_as_frames, joined, with_copies
from finevq.vocabulary import ALL_ATTRIBUTES, DIMENSIONS, Dimension

_log = logging.getLogger(__name__)
_SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Row = tuple[TrainingSample, tuple[Features, ...]]
"""A sample and its features: as it is, and mirrored where that was made."""


def train_nano(config: NanoTrainingConfig, output: Path, settings: Settings) -> dict[str, Any]:
    """Train, measure and export nano.

    Args:
        config: The recipe.
        output: The model folder; also holds the state of an interrupted run.
        settings: Limits of reading videos.

    Returns:
        What is written to metrics.json.

    Raises:
        DatasetError: a data set cannot be read, or a split of it is empty.
        TrainingError: the loss is not a number.
    """
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    (output / "state").mkdir(parents=True, exist_ok=True)
    tokenizer = train_tokenizer()
    tokenizer.save(str(output / files.TOKENIZER_FILE))
    prompter = NanoPrompter(tokenizer)
    model = FineVQ(
        nano(
            vocabulary_size=prompter.vocabulary_size,
            context_token_id=prompter.context_id,
            version=config.version,
        )
    )
    earlier = None if config.start is None else take_over(model, config.start)
    if earlier is None:
        load_imagenet_weights(_frozen_encoder(model))
        histories = _teach_encoder(model, config, settings, output)
    else:
        histories = dict(earlier.history)
    model.image_encoder.eval().requires_grad_(False)
    data = _read_data(model, config, settings)
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
        for split in _SPLITS
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
    photographs = {split: part for (split, human), part in sets.items() if human}
    opinions = OpinionStage(model, learnt_from, photographs, config.opinion)
    opinions.fit(("train",))
    histories["joint"] = _teach_reading(model, prompter, learnt_from, sets, config, output, earlier)
    if earlier is not None and config.start_share:
        mix_with_earlier(model, earlier, config.start_share)
        numbers = _validate(model, prompter, sets)
        _log_numbers("with the earlier weights' share", numbers)
        histories["joint"].append({**numbers, "kept": 1.0})
    # The released weights are these, rounded; everything after measures them.
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(weight.half().float())
    # Validation photographs have chosen the epoch; now they may teach.
    opinions.fit(("train", "validation"))
    with_stills = {
        split: joined(
            sets[split, False], data.stills.get(split), share_with_faults=0.0, seed=config.seed
        )
        for split in ("validation", "test")
    }
    return _release(
        model, prompter, sets, with_stills, opinions, histories, config, output, settings
    )


def _teach_reading(
    model: FineVQ,
    prompter: NanoPrompter,
    clips: EncodedSet,
    sets: "_Sets",
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

    Twice: the second time with what a reader of the first encoder says that people would say.

    Returns:
        Validation numbers, round by round, of each pass.
    """
    if not config.data.stills:
        _log.warning("no stills (data.stills): the image encoder keeps its ImageNet weights")
        return {}
    stills = taught_samples(config.data.stills, config)
    photographs = without_held_out_sources(human_samples(config), stills)

    still_set = partial(_still_set, model, config=config, settings=settings)
    first = config.encoder
    clips = still_set(stills, "train", first.crops)
    validation_clips = still_set(stills, "validation", first.crops)
    if clips is None or validation_clips is None:
        shown = ", ".join(map(str, config.data.stills))
        raise DatasetError(f"{shown}: no picture in train or in validation")
    sets = StillSets(
        clips=clips,
        photographs=still_set(photographs, "train", first.human_crops),
        validation_clips=validation_clips.part(range(min(len(validation_clips), 480))),
        validation_photographs=still_set(photographs, "validation", first.human_crops),
    )
    state = output / "state"
    histories = {"encoder": _encoder_pass(model, sets, first, config.seed, state / "encoder")}
    if config.encoder_again.rounds and sets.photographs is not None:
        judged = _judged(model, clips, photographs, config, settings)
        histories["second encoder"] = _encoder_pass(
            model,
            replace(sets, clips=replace(clips, samples=judged)),
            config.encoder_again,
            config.seed + 1,
            state / "encoder_again",
        )
    return histories


def _encoder_pass(
    model: FineVQ, sets: StillSets, stage: EncoderStageConfig, seed: int, state: Path
) -> list[dict[str, float]]:
    """Train the image encoder, or take what an earlier run came to.

    Args:
        model: Its image encoder is trained.
        sets: Training and validation.
        stage: The pass.
        seed: Of the pass.
        state: Beginning of the names of two files: the state, and the weights once finished.
    """
    encoder = _frozen_encoder(model)
    finished = state.with_name(f"{state.name}_weights.pt")
    if finished.exists():
        saved = torch.load(finished, map_location="cpu", weights_only=True)
        encoder.load_state_dict(saved["weights"])
        return list(saved["history"])
    history = train_encoder(
        encoder,
        model.config.image_encoder,
        sets,
        stage,
        seed=seed,
        state=state.with_suffix(".pt"),
    )
    torch.save({"weights": encoder.state_dict(), "history": history}, finished)
    return history


def _judged(
    model: FineVQ,
    stills: StillSet,
    photographs: Sequence[TrainingSample],
    config: NanoTrainingConfig,
    settings: Settings,
) -> list[TrainingSample]:
    """Return the stills with what people would probably say of each."""
    store = FeatureStore(config.data.cache, model.config, _frozen_encoder(model), settings)
    training = [sample for sample in photographs if sample.split == "train"]
    rows = _with_features(store, training, config, mirrored=True)
    views = np.stack([[kept.views for kept in variants] for _, variants in rows])
    reader = _opinion_reader(torch.from_numpy(views), [sample for sample, _ in rows])
    encoded = store.encode_stills(stills, config.data.workers)
    frames = crops_as_frames(encoded, encoded.shape[1])
    return with_probable_opinions(stills.samples, frames, reader, (config.mos_low, config.mos_high))


def _opinion_reader(views: torch.Tensor, photographs: Sequence[TrainingSample]) -> OpinionReader:
    return OpinionReader([RatedViews(views, overall_of(photographs))])


def _still_set(
    model: FineVQ,
    samples: Sequence[TrainingSample],
    split: Split,
    crops: int,
    config: NanoTrainingConfig,
    settings: Settings,
) -> StillSet | None:
    chosen = [sample for sample in samples if sample.split == split]
    if not chosen:
        return None
    return read_stills(
        chosen,
        model.config.video,
        config.data.cache,
        settings,
        crops=crops,
        workers=config.data.workers,
    )


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
    ):
        fit(projector, features)


def _frozen_encoder(model: FineVQ) -> EfficientNetEncoder:
    encoder = model.image_encoder
    assert isinstance(encoder, EfficientNetEncoder)  # the preset says so
    return encoder


@dataclass(frozen=True, slots=True)
class _Data:
    """Everything that is learnt from, with features, split."""

    entries: Sequence[Row]
    stills: Mapping[Split, EncodedStills]
    """Empty where there are none."""
    copies: EncodedStills | None
    """Pictures of the training split beside further degraded copies of themselves."""

    def rows(self, split: Split, *, human: bool) -> list[Row]:
        return [
            (sample, kept)
            for sample, kept in self.entries
            if sample.split == split and sample.is_human is human
        ]

    def encode(self, model: FineVQ, split: Split, *, human: bool) -> EncodedSet:
        """Join the features of both frozen encoders."""
        rows = self.rows(split, human=human)
        num_variants = min(len(kept) for _, kept in rows)
        motion = [
            motion_features(model, [(sample, kept[variant]) for sample, kept in rows])
            for variant in range(num_variants)
        ]
        views = np.stack([[kept[v].views for v in range(num_variants)] for _, kept in rows])
        return EncodedSet(
            [sample for sample, _ in rows], torch.from_numpy(views), torch.stack(motion, dim=1)
        )


def _read_data(model: FineVQ, config: NanoTrainingConfig, settings: Settings) -> _Data:
    store = FeatureStore(config.data.cache, model.config, _frozen_encoder(model), settings)
    clips = taught_samples([config.data.manifest], config)
    kept_clips = [sample for sample in clips if sample.split == "train"][: config.data.max_clips]
    clips = kept_clips + [sample for sample in clips if sample.split != "train"]
    photographs = without_held_out_sources(human_samples(config), clips)
    if not photographs:
        _log.warning("no human opinions (data.human): overall rests on known degradations alone")
    entries = _with_features(store, clips, config, mirrored=False)
    entries += _with_features(store, photographs, config, mirrored=True)
    encoded = partial(_encoded_stills, model=model, store=store, config=config, settings=settings)
    copies_of = [] if config.data.copies is None else [config.data.copies]
    copies = encoded(copies_of, splits=("train",))
    data = _Data(entries, encoded(config.data.stills), copies.get("train"))
    for split in ("train", "validation", "test"):
        if not data.rows(split, human=False):
            raise DatasetError(f"{config.data.manifest} has no readable clip in split {split!r}")
    return data


def _encoded_stills(
    manifests: Sequence[Path],
    *,
    splits: Sequence[Split] = _SPLITS,
    model: FineVQ,
    store: FeatureStore,
    config: NanoTrainingConfig,
    settings: Settings,
) -> dict[Split, EncodedStills]:
    samples = taught_samples(manifests, config)
    encoded = {}
    for split in splits:
        stills = _still_set(model, samples, split, config.encoder.crops, config, settings)
        if stills is not None:
            features = store.encode_stills(stills, config.data.workers)
            encoded[split] = EncodedStills(stills.samples, features)
    return encoded


def _with_features(
    store: FeatureStore,
    samples: Sequence[TrainingSample],
    config: NanoTrainingConfig,
    *,
    mirrored: bool,
) -> list[Row]:
    paths = [sample.path for sample in samples]
    variants = [
        [features for _, features in store.load(paths, mirrored=turn, workers=config.data.workers)]
        for turn in ((False, True) if mirrored else (False,))
    ]
    rows: list[Row] = []
    for sample, kept in zip(samples, zip(*variants, strict=True), strict=True):
        known = tuple(features for features in kept if features is not None)
        if len(known) == len(variants):
            rows.append((sample, known))
    _log.info("%d of %d samples have features", len(rows), len(samples))
    return rows


_Sets = dict[tuple[Split, bool], EncodedSet]


def _validate(model: FineVQ, prompter: NanoPrompter, sets: _Sets) -> dict[str, float]:
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


def _release(
    model: FineVQ,
    prompter: NanoPrompter,
    sets: _Sets,
    with_stills: Mapping[str, EncodedSet],
    opinions: OpinionStage,
    histories: dict[str, list[dict[str, float]]],
    config: NanoTrainingConfig,
    output: Path,
    settings: Settings,
) -> dict[str, Any]:
    mos_range = (config.mos_low, config.mos_high)
    # Stills too: in clips alone some attributes are too rare to find a threshold on.
    validation, test = with_stills["validation"], sets["test", False]
    asked = all_questions()
    on_validation = predict(model, prompter, validation, asked)
    temperatures = fit_temperatures(on_validation, validation.samples, mos_range)
    calibration = Calibration(
        temperatures={str(name): value for name, value in temperatures.items()},
        thresholds=fit_thresholds(on_validation, validation.samples, temperatures),
    )
    on_all = predict(model, prompter, with_stills["test"], asked)
    on_test, on_stills = on_all.part(range(len(test))), on_all.part(range(len(test), len(on_all)))
    still_samples = with_stills["test"].samples[len(test) :]
    metrics: dict[str, Any] = {
        "data": {
            "clips": {split: len(sets[split, False]) for split, human in sets if not human},
            "photographs": {split: len(sets[split, True]) for split, human in sets if human},
            "sources": len({sample.group for part in sets.values() for sample in part.samples}),
        },
        "test_clips": {
            "srcc_mos": measures.score_correlations(on_test, test.samples),
            "srcc_severity": measures.severity_correlations(on_test, test.samples),
            "intervals": measures.score_intervals(on_test, test.samples),
            "srcc_residual": measures.residual_correlations(on_test, test.samples),
            "floor_overall_as_dimension": measures.overall_as_dimension(test.samples),
            "ceiling_of_severity": measures.score_as_severity(test.samples),
            "yes_no": measures.yes_no_accuracies(on_test, test.samples, calibration),
            "attributes": measures.attribute_measures(on_test, test.samples, calibration),
            "most_impactful": measures.most_impactful_accuracy(on_test, test.samples),
            "calibration_error": calibration_errors(on_test, test.samples, mos_range, temperatures),
        },
        "history": histories,
    }
    if still_samples:
        metrics["test_stills"] = {
            "count": len(still_samples),
            "srcc_severity_with_clips": measures.severity_correlations(
                on_all, with_stills["test"].samples
            ),
            "srcc_severity": measures.severity_correlations(on_stills, still_samples),
            "ceiling_of_severity": measures.score_as_severity(still_samples),
            "attributes": measures.attribute_measures(on_stills, still_samples, calibration),
            "flawless_sources": measures.flawless_source_measures(on_stills, still_samples),
            "sets": measures.measures_of_sets(on_stills, still_samples),
        }
    if ("test", True) in sets:
        photographs = sets["test", True]
        overall = predict(model, prompter, photographs, [questions.rating(Dimension.OVERALL)])
        metrics["test_photographs"] = measures.human_measures(overall, photographs.samples)
        unseen, samples = opinions.overall_of_unseen(prompter, ("validation", "test"))
        metrics["unseen_photographs"] = measures.human_measures(unseen, samples)
        if config.opinion.learns_test:
            opinions.fit(("train", "validation", "test"))
            rating = [questions.rating(Dimension.OVERALL)]
            metrics["taught_by_test"] = _changes(on_test, predict(model, prompter, test, rating))
    files.write_config(model.config, output)
    files.write_calibration(calibration, output)
    save_file(_released_weights(model), output / files.WEIGHTS_FILE)
    export_onnx(model, prompter.prefix_ids(model.config.num_visual_tokens), output)
    (output / files.METRICS_FILE).write_text(json.dumps(metrics, indent=2) + "\n", "utf-8")
    draw_card(
        CardFacts(
            histories=histories,
            predictions=on_test,
            samples=test.samples,
            temperatures=temperatures,
            thresholds=calibration.thresholds,
            mos_range=mos_range,
        ),
        output / files.CARD_PICTURES,
        settings,
    )
    write_card(metrics, config, output, share=model.config.opinion_share)
    _write_checksums(output)
    return metrics


def _changes(before: Predictions, after: Predictions) -> dict[str, float]:
    """Return how much overall scores of the same videos differ, in points and in order."""
    rating = questions.rating(Dimension.OVERALL)
    first, second = before.scores_of(rating), after.scores_of(rating)
    apart = np.abs(first - second)
    return {
        "median": float(np.median(apart)),
        "largest": float(apart.max()),
        "srcc": measures.srcc(first, second),
    }


def _released_weights(model: FineVQ) -> dict[str, torch.Tensor]:
    # The output layer shares the embedding's tensor, which safetensors stores once. Statistics
    # (buffers) keep single precision: some variances are beyond what half precision can say.
    state = {name: tensor.half() for name, tensor in model.named_parameters()}
    # Only what a loader gives a place: buffers that are computed anew are no weights.
    stored = model.state_dict()
    state |= {
        name: tensor
        for name, tensor in model.named_buffers()
        if name in stored and tensor.is_floating_point()
    }
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _write_checksums(folder: Path) -> None:
    names = (
        files.CONFIG_FILE,
        files.TOKENIZER_FILE,
        files.CALIBRATION_FILE,
        files.WEIGHTS_FILE,
        files.VIDEO_ENCODER_FILE,
        files.DECODER_FILE,
    )
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names
    ]
    (folder / files.CHECKSUMS_FILE).write_text("".join(lines), encoding="utf-8")
