"""The order in which a subject sees the clips: seeded, balanced, no source twice in a row; pure.

The order of subject k depends on nothing but the study's seed, k and the list of clips, so it can
be computed again at any time. Balance: the clips are dealt into four parts of the session by a
Latin square over subjects, so that after every four subjects each clip has been once in each
quarter; within a quarter the order is random.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finevq.errors import StudyError

NUM_QUARTERS = 4
MAX_TRIES = 200


@dataclass(frozen=True, slots=True)
class OrderedClip:
    """One place in a subject's session."""

    index: int
    """Into the list of clips."""
    is_repeat: bool = False
    """Shown a second time, to see how well the subject agrees with himself."""


def order_for_subject(
    sources: Sequence[str], seed: int, subject: int, *, repeats: Sequence[int] = ()
) -> list[OrderedClip]:
    """Return a subject's order.

    Args:
        sources: The source of each clip.
        seed: The study's seed.
        subject: The subject's number, from 0.
        repeats: Indices of clips that are shown a second time, in the second half.

    Raises:
        StudyError: one source has so many clips that it must follow itself.
    """
    check_sources(sources)
    generator = np.random.default_rng([seed, subject])
    quarters = _quarters(len(sources), seed, subject)
    for _ in range(MAX_TRIES):
        places: list[OrderedClip] = []
        for quarter in quarters:
            part = _arrange(quarter, sources, generator, places)
            if part is None:
                break
            places += part
        else:
            with_repeats = _insert_repeats(places, sources, repeats, generator)
            if with_repeats is not None:
                return with_repeats
    # A source that fills a quarter on its own: give up balance before the rule.
    for _ in range(MAX_TRIES):
        order = _arrange(list(range(len(sources))), sources, generator, [])
        if order is not None and (
            with_repeats := _insert_repeats(order, sources, repeats, generator)
        ):
            return with_repeats
    raise StudyError(
        "no order without two clips of one source in a row; add clips of other sources"
    )


def check_sources(sources: Sequence[str]) -> None:
    """Make sure that some order keeps clips of one source apart.

    Raises:
        StudyError: it is impossible.
    """
    if len(sources) < 2:
        return
    source, count = Counter(sources).most_common(1)[0]
    if count > (len(sources) + 1) // 2:
        raise StudyError(
            f"{count} of {len(sources)} clips have the source {source!r}, so two of them must "
            "follow each other; add clips of other sources or set source_pattern"
        )


def choose_repeats(candidates: Sequence[int], share: float, seed: int, subject: int) -> list[int]:
    """Draw the clips that a subject sees twice.

    >>> len(choose_repeats(range(40), 0.1, seed=1, subject=0))
    4
    """
    count = round(len(candidates) * share)
    generator = np.random.default_rng([seed, subject, 1])
    chosen = generator.choice(len(candidates), size=count, replace=False)
    return [candidates[int(index)] for index in np.sort(chosen)]


def _quarters(num_clips: int, seed: int, subject: int) -> list[list[int]]:
    """Deal the clips; each group of four subjects shares a deal and turns it round."""
    deal = np.random.default_rng([seed, subject // NUM_QUARTERS, 2]).permutation(num_clips)
    groups = [deal[start::NUM_QUARTERS].tolist() for start in range(NUM_QUARTERS)]
    turn = subject % NUM_QUARTERS
    return groups[turn:] + groups[:turn]


def _arrange(
    members: Sequence[int],
    sources: Sequence[str],
    generator: np.random.Generator,
    before: Sequence[OrderedClip],
) -> list[OrderedClip] | None:
    """Order members at random, no source after itself; None where this attempt got stuck."""
    waiting = [int(member) for member in generator.permutation(np.array(members, dtype=int))]
    counts = Counter(sources[member] for member in waiting)
    last = sources[before[-1].index] if before else None
    order: list[OrderedClip] = []
    while waiting:
        # A source that is more than half of the rest has to go now.
        crowded, most = counts.most_common(1)[0]
        must = crowded if 2 * most > len(waiting) and crowded != last else None
        choice = next(
            (m for m in waiting if sources[m] == must or (must is None and sources[m] != last)),
            None,
        )
        if choice is None:
            return None
        waiting.remove(choice)
        last = sources[choice]
        counts[last] -= 1
        order.append(OrderedClip(choice))
    return order


def _insert_repeats(
    places: list[OrderedClip],
    sources: Sequence[str],
    repeats: Sequence[int],
    generator: np.random.Generator,
) -> list[OrderedClip] | None:
    """Insert second showings as far from the first as chance and the sources allow."""
    result = list(places)
    for repeat in repeats:
        first = next(i for i, place in enumerate(result) if place.index == repeat)
        distance = max(len(places) // 4, 2)
        slots = [
            slot
            for slot in range(min(first + distance, len(result)), len(result) + 1)
            if _fits(result, slot, sources, sources[repeat])
        ]
        if not slots:
            slots = [
                s
                for s in range(first + 2, len(result) + 1)
                if _fits(result, s, sources, sources[repeat])
            ]
        if not slots:
            return None
        result.insert(int(generator.choice(slots)), OrderedClip(repeat, is_repeat=True))
    return result


def _fits(order: Sequence[OrderedClip], slot: int, sources: Sequence[str], source: str) -> bool:
    neighbours = order[max(slot - 1, 0) : slot + 1]
    return all(sources[place.index] != source for place in neighbours)
