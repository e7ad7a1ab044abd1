import torch
from torch import nn

from finevq.training.feature_memory import FeatureMemory, fingerprint


def test_features_are_computed_once_for_each_encoder_and_video():
    memory, calls = FeatureMemory(), []

    def encode() -> int:
        calls.append(1)
        return len(calls)

    assert [memory.recall("a", "x.mp4", encode) for _ in range(3)] == [1, 1, 1]
    assert memory.recall("b", "x.mp4", encode) == 2
    assert memory.knows("a", "x.mp4")
    assert not memory.knows("a", "y.mp4")
    assert len(memory) == 2


def test_encoders_are_told_apart_by_weights_buffers_and_settings():
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2))
    name = fingerprint(encoder, "small")
    assert fingerprint(encoder, "small") == name
    assert fingerprint(encoder, "large") != name
    encoder[1].running_mean += 1.0
    assert fingerprint(encoder, "small") != name
