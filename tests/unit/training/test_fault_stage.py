"""The fault reader learns from features what is wrong with samples it never saw."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from drawn_features import FAULTS, drawn_features
from finevq.model.finevq import FineVQ
from finevq.model.presets import nano
from finevq.training.config import FaultStageConfig
from finevq.training.fault_stage import train_fault_reader
from finevq.training.predictions import direct_readings_of
from finevq.vocabulary import DIMENSIONS, FAULT_NAMES, Dimension

pytestmark = pytest.mark.full


def test_what_it_reads_holds_for_samples_that_were_never_seen(tmp_path: Path):
    torch.manual_seed(0)
    model = FineVQ(nano(vocabulary_size=100, context_token_id=1)).eval()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = tmp_path / "faults.pt"
    config = FaultStageConfig(epochs=25)
    train_fault_reader(model, drawn_features(900, seed=1), config, seed=0, state=state)
    changed = {
        name.partition(".")[0]
        for name, tensor in model.state_dict().items()
        if not tensor.equal(before[name])
    }
    assert changed == {"fault_reader"}
    unseen = drawn_features(300, seed=2)
    values = direct_readings_of(model, unseen).values
    for name in FAULTS:
        is_there = [(sample.severities or {}).get(name, 0.0) > 0 for sample in unseen.samples]
        log_odds = values[:, len(DIMENSIONS) + FAULT_NAMES.index(name)]
        assert roc_auc_score(is_there, log_odds) > 0.9
    for dimension in (Dimension.COLOR, Dimension.ARTIFACT):
        mos = np.array([sample.mos[dimension] for sample in unseen.samples])
        scores = values[:, DIMENSIONS.index(dimension)]
        assert spearmanr(scores, mos).statistic > 0.45

    # A run that finds it finished takes it as it is.
    again = FineVQ(nano(vocabulary_size=100, context_token_id=1)).eval()
    train_fault_reader(again, drawn_features(10, seed=3), config, seed=0, state=state)
    for name, tensor in again.fault_reader.state_dict().items():
        assert tensor.equal(model.fault_reader.state_dict()[name])
