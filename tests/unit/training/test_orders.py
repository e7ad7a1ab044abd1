"""Pairs of the same source whose order is certain."""

from finevq.datasets.degradations.labels import label_clip
from finevq.training.orders import worse_of_same_source
from finevq.training.samples import TrainingSample


def sample(group: str, scene: str | None = None, **severities: float) -> TrainingSample:
    known = {name.replace("_", " "): value for name, value in severities.items()}
    labels = label_clip(known)
    return TrainingSample(
        path="x",
        group=group,
        split="train",
        mos=labels.mos,
        severities=known,
        dimension_severities=labels.severities,
        scene=scene,
    )


def test_only_what_is_worse_in_every_respect_and_of_one_source_is_surely_worse():
    samples = [
        sample("a"),
        sample("a", camera_blur=0.5),
        sample("a", camera_blur=0.6, stutter=0.7),
        sample("a", gaussian_noise=0.5),
        sample("a", camera_blur=0.55),
        sample("b", camera_blur=0.9),
    ]
    assert worse_of_same_source(samples) == {
        0: [1, 2, 3, 4],  # clean: all the others are worse
        1: [2],  # .55 is hardly worse, noise is another fault
        4: [2],
    }


def test_copies_of_one_scene_are_compared_with_each_other_only():
    samples = [
        sample("a"),
        sample("a", "first"),
        sample("a", "first", camera_blur=0.5),
        sample("a", "second", camera_blur=0.9),
    ]
    assert worse_of_same_source(samples) == {1: [2]}


def test_a_further_fault_that_hides_an_earlier_one_is_not_surely_worse():
    noisy = sample("a", "scene", gaussian_noise=0.5)
    smoothed = sample("a", "scene", gaussian_noise=0.2, gaussian_blur=0.4)
    hardly_changed = sample("a", "scene", gaussian_noise=0.48, gaussian_blur=0.4)
    assert worse_of_same_source([noisy, smoothed]) == {}
    assert worse_of_same_source([noisy, hardly_changed]) == {0: [1]}
