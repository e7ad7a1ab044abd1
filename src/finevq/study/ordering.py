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
    sources: Sequence[str],
    seed: int,
    subject: int,
    *,
    repeatable: Sequence[int] = (),
    num_repeats: int = 0,
) -> list[OrderedClip]:
    """Return a subject's order.

    Args:
        sources: The source of each clip.
        seed: The study's seed.
        subject: The subject's number, from 0.
        repeatable: Indices of clips that may be shown a second time.
        num_repeats: How many are; drawn from those that come early, and shown at least a quarter
            of the session later.

    Raises:
        StudyError: one source has so many clips that it must follow itself.
    """
    check_sources(sources)
    generator = np.random.default_rng([seed, subject])
    for attempt in range(2 * MAX_TRIES):
        # A source that fills a quarter on its own: give up balance before the rule.
        parts = (
            _quarters(len(sources), seed, subject)
            if attempt < MAX_TRIES
            else [list(range(len(sources)))]
        )
        order = _arrange_parts(parts, sources, generator)
        if order is not None:
            repeats = _draw_repeats(order, repeatable, num_repeats, generator)
            with_repeats = _insert_repeats(order, sources, repeats, generator)
            if with_repeats is not None:
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


def _arrange_parts(
    parts: Sequence[Sequence[int]], sources: Sequence[str], generator: np.random.Generator
) -> list[OrderedClip] | None:
    places: list[OrderedClip] = []
    for part in parts:
        arranged = _arrange(part, sources, generator, places)
        if arranged is None:
            return None
        places += arranged
    return places


def _draw_repeats(
    order: Sequence[OrderedClip],
    repeatable: Sequence[int],
    count: int,
    generator: np.random.Generator,
) -> list[int]:
    """Draw clips that come early enough to be shown again much later."""
    early = [place.index for place in order[: max(len(order) // 2, 1)]]
    candidates = [index for index in early if index in set(repeatable)]
    size = min(count, len(candidates))
    return [int(i) for i in generator.choice(np.array(candidates, dtype=int), size, replace=False)]


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
    """Insert second showings, at least a quarter of the session after the first."""
    result = list(places)
    distance = max(len(places) // 4, 2)
    for repeat in repeats:
        first = next(i for i, place in enumerate(result) if place.index == repeat)
        slots = [
            slot
            for slot in range(first + distance, len(result) + 1)
            if _fits(result, slot, sources, sources[repeat])
        ]
        if not slots:
            return None
        result.insert(int(generator.choice(slots)), OrderedClip(repeat, is_repeat=True))
    return result


def _fits(order: Sequence[OrderedClip], slot: int, sources: Sequence[str], source: str) -> bool:
    neighbours = order[max(slot - 1, 0) : slot + 1]
    return all(sources[place.index] != source for place in neighbours)
