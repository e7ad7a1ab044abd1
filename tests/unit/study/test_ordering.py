from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from finevq.errors import StudyError
from finevq.study.ordering import order_for_subject

SOURCES = [f"source {index % 12}" for index in range(40)]


@pytest.mark.parametrize("subject", range(12))
def test_no_source_follows_itself_and_every_clip_comes_once(subject: int) -> None:
    order = order_for_subject(SOURCES, 3, subject, repeatable=range(5, 40), num_repeats=4)
    shown = [SOURCES[place.index] for place in order]
    assert all(one != other for one, other in pairwise(shown))
    assert sorted(p.index for p in order if not p.is_repeat) == list(range(40))
    repeats = [p.index for p in order if p.is_repeat]
    assert len(set(repeats)) == 4
    assert min(repeats) >= 5
    for place in (p for p in order if p.is_repeat):
        first = next(i for i, p in enumerate(order) if p.index == place.index)
        assert order.index(place) - first >= 10


def test_after_four_subjects_every_clip_was_once_in_each_quarter() -> None:
    seen: dict[int, set[int]] = {}
    for subject in range(4):
        for position, place in enumerate(order_for_subject(SOURCES, 3, subject)):
            seen.setdefault(place.index, set()).add(position * 4 // 40)
    assert all(quarters == {0, 1, 2, 3} for quarters in seen.values())


def test_the_order_comes_from_the_seed_alone() -> None:
    assert order_for_subject(SOURCES, 3, 5) == order_for_subject(SOURCES, 3, 5)
    assert order_for_subject(SOURCES, 3, 5) != order_for_subject(SOURCES, 4, 5)
    assert order_for_subject(SOURCES, 3, 5) != order_for_subject(SOURCES, 3, 6)


def test_two_sources_alternate() -> None:
    order = order_for_subject(["a", "a", "a", "b", "b", "b"], 1, 0)
    sources = ["aaabbb"[place.index] for place in order]
    assert all(one != other for one, other in pairwise(sources))


def test_a_source_that_must_follow_itself_is_named() -> None:
    with pytest.raises(StudyError, match="3 of 4 clips have the source 'a'"):
        order_for_subject(["a", "a", "a", "b"], 1, 0)


def test_a_papers_worth_of_clips_is_ordered_quickly() -> None:
    sources = [f"s{index}" for index in np.random.default_rng(0).integers(0, 3000, 6104)]
    order = order_for_subject(sources, 1, 0)
    assert Counter(place.index for place in order).most_common(1)[0][1] == 1
