"""Everything that nano learns from: read, encoded once by the frozen encoders, and split."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from finevq.errors import DatasetError
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import EfficientNetEncoder
from finevq.settings import Settings
from finevq.training.config import NanoTrainingConfig
from finevq.training.encoded import EncodedSet
from finevq.training.features import Features, FeatureStore
from finevq.training.motion_stage import motion_features
from finevq.training.samples import Split, TrainingSample
from finevq.training.sources import (
    human_samples,
    taught_samples,
    taught_stills,
    without_held_out_sources,
)
from finevq.training.stills import StillSet, read_stills
from finevq.training.stills_as_clips import EncodedStills

_log = logging.getLogger(__name__)
SPLITS: tuple[Split, ...] = ("train", "validation", "test")

Row = tuple[TrainingSample, tuple[Features, ...]]
"""A sample and its features: as it is, and mirrored where that was made."""


@dataclass(frozen=True, slots=True)
class NanoData:
    """Everything that is learnt from, with features, split."""

    entries: Sequence[Row]
    stills: Mapping[Split, EncodedStills]
    """Empty where there are none."""
    copies: EncodedStills | None
    """Pictures of the training split beside further degraded copies of themselves."""
    clip_copies: Sequence[Row]
    """Clips of the training split, likewise; empty where there are none."""

    def rows(self, split: Split, *, human: bool) -> list[Row]:
        """Return the clips, or the photographs with opinions, of a split."""
        return [
            (sample, kept)
            for sample, kept in self.entries
            if sample.split == split and sample.is_human is human
        ]

    def encode(self, model: FineVQ, split: Split, *, human: bool) -> EncodedSet:
        """Join the features of both frozen encoders."""
        return encoded_rows(model, self.rows(split, human=human))


def read_data(model: FineVQ, config: NanoTrainingConfig, settings: Settings) -> NanoData:
    """Read all data of a recipe, with features of the frozen image encoder.

    Args:
        model: Its image encoder is as it stays.
        config: The recipe.
        settings: Limits of reading videos.

    Raises:
        DatasetError: a data set cannot be read, or a split of it is empty.
    """
    store = FeatureStore(config.data.cache, model.config, frozen_encoder(model), settings)
    clips = taught_samples([config.data.manifest], config)
    kept_clips = [sample for sample in clips if sample.split == "train"][: config.data.max_clips]
    clips = kept_clips + [sample for sample in clips if sample.split != "train"]
    photographs = without_held_out_sources(human_samples(config), clips)
    if not photographs:
        _log.warning("no human opinions (data.human): overall rests on known degradations alone")
    entries = with_features(store, clips, config, mirrored=False)
    entries += with_features(store, photographs, config, mirrored=True)
    encoded = partial(_encoded_stills, model=model, store=store, config=config, settings=settings)
    copies_of = [] if config.data.copies is None else [config.data.copies]
    copies = encoded(taught_samples(copies_of, config), splits=("train",))
    of_clips = taught_samples(config.data.clip_copies, config)
    further = [sample for sample in of_clips if sample.split == "train"]
    clip_copies = with_features(store, further, config, mirrored=False) if further else []
    data = NanoData(entries, encoded(taught_stills(config)), copies.get("train"), clip_copies)
    for split in SPLITS:
        if not data.rows(split, human=False):
            raise DatasetError(f"{config.data.manifest} has no readable clip in split {split!r}")
    return data


def encoded_rows(model: FineVQ, rows: Sequence[Row]) -> EncodedSet:
    """Join the features of both frozen encoders.

    Args:
        model: Its motion encoder is as it stays.
        rows: Samples with as many variants as the one that has fewest; at least one row.
    """
    num_variants = min(len(kept) for _, kept in rows)
    motion = [
        motion_features(model, [(sample, kept[variant]) for sample, kept in rows])
        for variant in range(num_variants)
    ]
    views = np.stack([[kept[v].views for v in range(num_variants)] for _, kept in rows])
    return EncodedSet(
        [sample for sample, _ in rows], torch.from_numpy(views), torch.stack(motion, dim=1)
    )


def _encoded_stills(
    samples: Sequence[TrainingSample],
    *,
    splits: Sequence[Split] = SPLITS,
    model: FineVQ,
    store: FeatureStore,
    config: NanoTrainingConfig,
    settings: Settings,
) -> dict[Split, EncodedStills]:
    encoded = {}
    for split in splits:
        stills = still_set(model, samples, split, config.encoder.crops, config, settings)
        if stills is not None:
            features = store.encode_stills(stills, config.data.workers)
            encoded[split] = EncodedStills(stills.samples, features)
    return encoded


def with_features(
    store: FeatureStore,
    samples: Sequence[TrainingSample],
    config: NanoTrainingConfig,
    *,
    mirrored: bool,
) -> list[Row]:
    """Return the samples that can be read, in order, with their features.

    Args:
        store: Where features are kept.
        samples: Videos or pictures.
        config: How many threads read.
        mirrored: Mirrored, too.
    """
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


def still_set(
    model: FineVQ,
    samples: Sequence[TrainingSample],
    split: Split,
    crops: int,
    config: NanoTrainingConfig,
    settings: Settings,
) -> StillSet | None:
    """Read the pixels of single pictures of a split; None where there are none.

    Args:
        model: Which views it takes.
        samples: Stills or photographs of all splits.
        split: The wanted one.
        crops: Stored crops of each.
        config: Where they are kept, how many processes read.
        settings: Limits of reading videos.
    """
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


def frozen_encoder(model: FineVQ) -> EfficientNetEncoder:
    """Return nano's image encoder."""
    encoder = model.image_encoder
    assert isinstance(encoder, EfficientNetEncoder)  # the preset says so
    return encoder
