"""Signs that a subject does not do what was asked, while the study still runs; pure.

A flag is a reason to look and to talk, not a verdict: the verdict is the analysis's rejection.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from finevq.study.agreement import correlation_with_others
from finevq.study.definition import StudyDefinition
from finevq.study.results import BallotRecord
from finevq.study.votes import VoteTable

MIN_BALLOTS = 5
"""Fewer tell nothing."""
SAME_RUN = 8
"""Equal ballots one after another."""
FAST_SHARE = 0.2
REPEAT_DIFFERENCE = 1.0
"""Mean levels between first and second rating of the same clip."""
LOW_CORRELATION = 0.4


@dataclass(frozen=True, slots=True)
class Flag:
    """One sign."""

    kind: str
    """straight-lining, too fast, failed gold, failed repeats or disagrees."""
    detail: str


def flags_of(
    subject: str,
    ballots: Sequence[BallotRecord],
    definition: StudyDefinition,
    gold_answers: Mapping[str, Mapping[str, Sequence[str]]],
    table: VoteTable,
) -> list[Flag]:
    """Return the signs of one subject.

    Args:
        subject: His label.
        ballots: His ballots.
        definition: The study's scales and rules.
        gold_answers: Gold clip -> dimension -> right levels.
        table: Everybody's votes in the last dimension (overall in the paper's).
    """
    own = sorted((b for b in ballots if b.subject == subject), key=lambda b: b.position)
    if len(own) < MIN_BALLOTS:
        return []
    found = [
        _straight_lining(own),
        _too_fast(own, definition),
        _failed_gold(own, definition, gold_answers),
        _failed_repeats(own),
        _disagrees(subject, table),
    ]
    return [flag for flag in found if flag is not None]


def _straight_lining(ballots: Sequence[BallotRecord]) -> Flag | None:
    longest = run = 1
    for before, after in pairwise(ballots):
        run = run + 1 if before.levels == after.levels else 1
        longest = max(longest, run)
    if longest < min(SAME_RUN, len(ballots)):
        return None
    return Flag("straight-lining", f"{longest} equal ratings in a row")


def _too_fast(ballots: Sequence[BallotRecord], definition: StudyDefinition) -> Flag | None:
    limit = definition.session.min_rating_seconds
    share = float(np.mean([ballot.seconds < limit for ballot in ballots]))
    if share <= FAST_SHARE:
        return None
    return Flag("too fast", f"{share:.0%} of ratings under {limit:g} s")


def _failed_gold(
    ballots: Sequence[BallotRecord],
    definition: StudyDefinition,
    answers: Mapping[str, Mapping[str, Sequence[str]]],
) -> Flag | None:
    failed = [
        ballot.clip
        for ballot in ballots
        if any(
            definition.scale(name).levels[ballot.levels[name] - 1] not in right
            for name, right in answers.get(ballot.clip, {}).items()
        )
    ]
    return Flag("failed gold", ", ".join(dict.fromkeys(failed))) if failed else None


def _failed_repeats(ballots: Sequence[BallotRecord]) -> Flag | None:
    first = {ballot.clip: ballot for ballot in ballots if ballot.kind != "repeat"}
    differences = [
        abs(ballot.levels[name] - first[ballot.clip].levels[name])
        for ballot in ballots
        if ballot.kind == "repeat" and ballot.clip in first
        for name in ballot.levels
    ]
    if not differences or np.mean(differences) <= REPEAT_DIFFERENCE:
        return None
    return Flag("failed repeats", f"{np.mean(differences):.1f} levels apart on the same clip")


def _disagrees(subject: str, table: VoteTable) -> Flag | None:
    if subject not in table.subjects or len(table.subjects) < 4:
        return None
    correlation = correlation_with_others(table.votes[:, :, 0])[table.subjects.index(subject)]
    if np.isnan(correlation) or correlation >= LOW_CORRELATION:
        return None
    return Flag("disagrees", f"correlation {correlation:.2f} with the others")
