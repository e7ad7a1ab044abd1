"""Which certain orders the reader of opinions is asked for."""

import torch

from finevq.datasets.degradations.labels import label_clip
from finevq.training.config import OpinionStageConfig
from finevq.training.encoded import EncodedSet
from finevq.training.opinion_stage import _ordered
from finevq.training.samples import TrainingSample


def test_a_reader_of_pictures_is_asked_for_no_order_of_time_alone():
    samples = []
    for known in ({}, {"stutter": 0.8}, {"camera blur": 0.7}):
        labels = label_clip(known)
        samples.append(
            TrainingSample(
                path="x",
                group="a",
                scene="a",
                split="train",
                mos=labels.mos,
                severities=known,
                dimension_severities=labels.severities,
            )
        )
    views = torch.arange(3.0).reshape(3, 1, 1, 1, 1).expand(3, 1, 2, 4, 5).half()
    ordered = _ordered(EncodedSet(samples, views, torch.zeros(3, 1, 2, 3)), OpinionStageConfig())
    assert len(ordered) == 1
    differences = ordered.differences(lambda features: features)
    assert (differences == -2.0).all()  # the flawless one (0) above the blurred one (2)
