"""Named tokens learn what each name is about."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from drawn_features import FAULTS, drawn_features
from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.training import alignment_stage
from finevq.training.config import AlignmentStageConfig
from finevq.vocabulary import FAULT_NAMES

pytestmark = pytest.mark.full


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
        drawn_features(900, seed=1),
        None,
        AlignmentStageConfig(epochs=6, learning_rate=2e-3, feature_dropout=0.1),
        validation=[],
        seed=0,
        state=tmp_path / "state.pt",
    )
    unseen = drawn_features(200, seed=2)
    with torch.no_grad():
        *_, named = alignment_stage._read(model, made[0], unseen, range(200), None, None)
    presences = named[:, -len(FAULT_NAMES) :].numpy()
    for name in (*FAULTS, "shake"):
        is_there = np.array([name in sample.severities for sample in unseen.samples])
        said = presences[:, FAULT_NAMES.index(name)]
        assert roc_auc_score(is_there, said) > 0.9, name
