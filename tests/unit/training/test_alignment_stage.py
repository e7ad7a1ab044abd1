"""Named tokens learn what each name is about."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from finevq.datasets.degradations.labels import label_clip
from finevq.model.finevq import FineVQ
from finevq.model.image_encoder import feature_width
from finevq.model.presets import nano
from finevq.training import alignment_stage
from finevq.training.config import AlignmentStageConfig
from finevq.training.encoded import EncodedSet
from finevq.training.samples import TrainingSample

pytestmark = pytest.mark.full

FAULTS = {"moire": 3, "low contrast": feature_width("efficientnet_lite2") - 5}
"""Faults in these samples, and the feature of the first view that tells of each: one of the
network's, and a statistic of colour."""


def drawn(count: int, seed: int) -> EncodedSet:
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


def test_what_named_tokens_say_holds_for_samples_that_were_never_seen(tmp_path: Path, monkeypatch):
    torch.manual_seed(0)
    model = FineVQ(nano(vocabulary_size=100, context_token_id=1))
    made = []
    readers = alignment_stage._Readers
    monkeypatch.setattr(
        alignment_stage, "_Readers", lambda model: made.append(readers(model)) or made[0]
    )
    alignment_stage.train_alignment(
        model,
        drawn(900, seed=1),
        None,
        AlignmentStageConfig(epochs=6, learning_rate=2e-3, feature_dropout=0.1),
        validation=[],
        seed=0,
        state=tmp_path / "state.pt",
    )
    unseen = drawn(200, seed=2)
    with torch.no_grad():
        *_, named = alignment_stage._read(model, made[0], unseen, range(200), None, None)
    presences = named[:, -len(alignment_stage._FAULTS) :].numpy()
    for name in (*FAULTS, "shake"):
        is_there = np.array([name in sample.severities for sample in unseen.samples])
        said = presences[:, alignment_stage._FAULTS.index(name)]
        assert roc_auc_score(is_there, said) > 0.9, name
