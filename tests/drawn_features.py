"""Features drawn at random in which some numbers tell of known faults."""

import random

import torch

from finevq.datasets.degradations.labels import label_clip
from finevq.model.image_encoder import feature_width
from finevq.training.encoded import EncodedSet
from finevq.training.samples import TrainingSample

FAULTS = {"moire": 3, "low contrast": feature_width("efficientnet_lite2") - 5}
"""Faults in these samples, and the feature of the first view that tells of each: one of the
network's, and a statistic of colour."""


def drawn_features(count: int, seed: int) -> EncodedSet:
    """Return samples with some of `FAULTS`, or with shake, which two bursts of four show."""
    generator, torch_generator = random.Random(seed), torch.Generator().manual_seed(seed)
    views = torch.randn(
        count, 1, 2, 8, feature_width("efficientnet_lite2"), generator=torch_generator
    )
    motion = torch.randn(count, 1, 4, 416, generator=torch_generator)
    samples = []
    for row in range(count):
        known = {
            name: generator.uniform(0.4, 0.9) for name in FAULTS if generator.random() < 0.4
        } | {name: 0.6 for name in ("shake",) if generator.random() < 0.4}
        for name, feature in FAULTS.items():
            views[row, 0, 0, :, feature] += 8.0 * known.get(name, 0.0)
        motion[row, 0, :2, 40] += 24.0 * known.get("shake", 0.0)  # in two bursts of four
        labels = label_clip(known)
        samples.append(
            TrainingSample(
                path="x",
                group=str(row),
                split="train",
                mos=labels.mos,
                severities=known,
                dimension_severities=labels.severities,
            )
        )
    return EncodedSet(samples, views, motion)
