"""Stills behind clips: crops in turn, borrowed motion, and labels that follow from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from finevq.datasets.degradations.labels import label_clip
from finevq.training.encoded import EncodedSet
from finevq.training.samples import TrainingSample
from finevq.training.stills_as_clips import EncodedStills, joined, with_copies
from finevq.vocabulary import Dimension


def sample(name: str, severities: dict[str, float], quality: float = 1.0) -> TrainingSample:
    labels = label_clip(severities, source_quality=quality)
    return TrainingSample(
        path=name,
        group=name,
        split="train",
        mos=labels.mos,
        severities=severities,
        dimension_severities=labels.severities,
        distorted=labels.distorted,
        most_impactful=labels.most_impactful,
        source_quality=quality,
    )


@pytest.fixture(scope="module")
def clips() -> EncodedSet:
    """A calm clip with noise, whose motion is 0, and one that stutters, whose motion is 1."""
    samples = [sample("calm", {"gaussian noise": 0.5}), sample("stutters", {"stutter": 0.8})]
    motion = torch.arange(2.0).reshape(2, 1, 1, 1).expand(2, 1, 4, 6)
    return EncodedSet(samples, torch.zeros(2, 1, 2, 8, 5).half(), motion)


@pytest.fixture(scope="module")
def stills() -> EncodedStills:
    samples = [sample(f"{n}", {"camera blur": 0.3}, quality=0.7) for n in range(200)]
    views = np.zeros((200, 2, 2, 1, 5), np.float16)
    views[:, 1] = 1.0  # the second crop
    return EncodedStills(samples, views)


def test_crops_stand_for_frames_in_turn(clips, stills):
    both = joined(clips, stills, share_with_faults=0.0, seed=0)
    assert len(both) == 202
    assert both.num_drawn == 200
    assert both.views[2:, 0, :, :, 0].unique(dim=0).tolist() == [[[0, 1] * 4] * 2]


def test_motion_comes_from_calm_clips_and_changes_no_label(clips, stills):
    both = joined(clips, stills, share_with_faults=0.0, seed=0)
    assert not both.motion[2:].any()
    assert list(both.samples[2:]) == list(stills.samples)


def test_what_the_lender_suffers_from_the_still_suffers_from_too(clips, stills):
    both = joined(clips, stills, share_with_faults=0.3, seed=0)
    lent = both.motion[2:, 0, 0, 0] == 1
    assert 0.2 < lent.float().mean() < 0.4
    for is_faulty, after, before in zip(lent, both.samples[2:], stills.samples, strict=True):
        if not is_faulty:
            assert after == before
            continue
        assert after.severities == {"camera blur": 0.3, "stutter": 0.8}
        assert after.distorted[Dimension.TEMPORAL]
        assert after.most_impactful == "temporal"
        assert after.mos == sample("", {"camera blur": 0.3, "stutter": 0.8}, 0.7).mos
        assert after.mos[Dimension.OVERALL] < before.mos[Dimension.OVERALL] - 10


def test_without_a_clip_with_faults_of_time_none_is_lent(clips, stills):
    calm = EncodedSet(clips.samples[:1], clips.views[:1], clips.motion[:1])
    both = joined(calm, stills, share_with_faults=1.0, seed=0)
    assert list(both.samples[1:]) == list(stills.samples)


def test_copies_of_a_scene_share_a_calm_motion_and_one_is_there_again_with_a_fault_of_time(clips):
    samples = [
        replace(sample("s", faults), scene=scene)
        for scene in "ab"
        for faults in ({}, {"camera blur": 0.5})
    ]
    copies = EncodedStills(samples, np.zeros((4, 2, 2, 1, 5), np.float16))
    both = with_copies(clips, copies, seed=0)
    assert both.num_drawn == len(both) - 2 == 6
    of_time = [s.severities.get("stutter", 0.0) for s in both.samples[2:]]
    assert of_time == [0.0, 0.8, 0.0] * 2
    assert both.motion[2:, 0, 0, 0].tolist() == [0, 1, 0] * 2
    twin = both.samples[3]
    assert twin.scene == "a"
    assert twin.mos[Dimension.OVERALL] < both.samples[2].mos[Dimension.OVERALL]


def test_without_copies_nothing_changes(clips):
    assert with_copies(clips, None, seed=0) is clips


def test_copies_of_clips_keep_their_own_motion_and_are_drawn_from_as_stills_are(clips, stills):
    both = joined(clips, stills, share_with_faults=0.0, seed=0)
    copies = EncodedSet(clips.samples, clips.views + 1, clips.motion + 7)
    more = both.followed_by(copies)
    assert list(more.samples) == [*both.samples, *copies.samples]
    assert more.num_drawn == both.num_drawn + len(copies)
    assert torch.equal(more.motion[-2:], clips.motion + 7)
    assert torch.equal(more.views[-2:], clips.views + 1)
