import numpy as np
import pytest

from finevq.study.definition import StudyDefinition
from finevq.study.flags import flags_of
from finevq.study.results import BallotRecord
from finevq.study.votes import VoteTable

DIMENSIONS = [scale.name for scale in StudyDefinition().dimensions]


def _ballot(position: int, level: int, **values: object) -> BallotRecord:
    base = {
        "subject": "S01",
        "clip": f"clip{position}",
        "kind": "test",
        "position": position,
        "submitted_at": 0.0,
        "seconds": 10.0,
        "is_late": False,
        "num_replays": 0,
        "levels": dict.fromkeys(DIMENSIONS, level),
    }
    return BallotRecord(**{**base, **values})  # type: ignore[arg-type]


def _table(own: list[float]) -> VoteTable:
    others = np.arange(1.0, 1 + len(own))
    votes = np.stack([np.array(own), others, others + 0.1, others - 0.1], axis=1)[:, :, None]
    return VoteTable(
        stimuli=tuple(f"clip{i}" for i in range(len(own))),
        subjects=("S01", "S02", "S03", "S04"),
        votes=votes,
    )


def _kinds(ballots: list[BallotRecord], own: list[float] | None = None) -> list[str]:
    gold = {"clip1": {"overall": ["good", "excellent"]}}
    table = _table(own or [1.0, 2.0, 3.0, 4.0, 5.0])
    return [f.kind for f in flags_of("S01", ballots, StudyDefinition(), gold, table)]


GOOD = [_ballot(position, 4 + position % 2) for position in range(1, 10)]


def test_an_attentive_subject_has_no_flag() -> None:
    assert _kinds(GOOD) == []


@pytest.mark.parametrize(
    ("ballots", "kind"),
    [
        ([_ballot(position, 4) for position in range(1, 10)], "straight-lining"),
        ([*GOOD, *(_ballot(p, 1 + p % 5, seconds=0.5) for p in range(20, 25))], "too fast"),
        ([_ballot(1, 2), *GOOD[1:]], "failed gold"),
        ([*GOOD, _ballot(10, 1, clip="clip2", kind="repeat")], "failed repeats"),
    ],
)
def test_each_sign_is_seen(ballots: list[BallotRecord], kind: str) -> None:
    assert _kinds(ballots) == [kind]


def test_one_who_disagrees_with_all_is_flagged() -> None:
    assert _kinds(GOOD, own=[5.0, 1.0, 4.0, 2.0, 1.0]) == ["disagrees"]


def test_a_few_ballots_tell_nothing() -> None:
    assert _kinds([_ballot(1, 1), _ballot(2, 1)]) == []
