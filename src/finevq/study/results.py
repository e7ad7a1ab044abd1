"""What the database says, as tables: votes by dimension, attribute labels, ballots, progress.

Training is never in it, withdrawn ballots never count, gold clips are kept apart.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from finevq.study.definition import Role, StudyDefinition, build_definition
from finevq.study.store import Store
from finevq.study.tables import Ballot, ClipRow, Presentation, Study, Subject
from finevq.study.votes import VoteTable


@dataclass(frozen=True, kw_only=True, slots=True)
class BallotRecord:
    """One ballot that counts."""

    subject: str
    clip: str
    kind: str
    """test, gold, reference or repeat."""
    position: int
    submitted_at: float
    seconds: float
    is_late: bool
    num_replays: int
    levels: dict[str, int]
    """Dimension -> 1 (worst) and up."""
    attributes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Dimension -> attributes seen."""
    other: dict[str, str] = field(default_factory=dict)
    """Dimension -> text of "other"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectProgress:
    """How far a subject is."""

    subject: str
    stage: str
    done: int
    total: int
    last_seen_at: float | None
    consented_at: float | None
    questionnaire: dict[str, Any] | None
    viewing: dict[str, Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class StudyResults:
    """A snapshot of a study."""

    name: str
    definition: StudyDefinition
    clips: tuple[ClipRow, ...]
    ballots: tuple[BallotRecord, ...]
    subjects: tuple[SubjectProgress, ...]

    def vote_tables(self) -> dict[str, VoteTable]:
        """Return the votes by dimension, of test clips and hidden references."""
        return {
            scale.name: vote_table(self.ballots, self.clips, scale.name)
            for scale in self.definition.dimensions
        }


def read_results(store: Store) -> StudyResults:
    """Read everything in one transaction."""
    with store.reading() as session:
        study = store.study(session)
        clips = session.scalars(
            select(ClipRow).where(ClipRow.study_id == study.id).order_by(ClipRow.id)
        ).all()
        ballots = session.execute(_ballot_query(study)).all()
        records = [_record(*row) for row in ballots]
        return StudyResults(
            name=study.name,
            definition=build_definition(study.definition),
            clips=tuple(clips),
            ballots=tuple(sorted(records, key=lambda r: (r.subject, r.position))),
            subjects=tuple(
                _progress_of(subject, total, [r for r in records if r.subject == subject.label])
                for subject, total in session.execute(_subject_query(study))
            ),
        )


def vote_table(
    ballots: Iterable[BallotRecord], clips: Sequence[ClipRow], dimension: str
) -> VoteTable:
    """Arrange the votes of one dimension; second showings become repetitions."""
    rated = [clip for clip in clips if clip.role in {Role.TEST, Role.REFERENCE}]
    rows = {clip.name: index for index, clip in enumerate(rated)}
    kept = [ballot for ballot in ballots if ballot.clip in rows]
    subjects = list(dict.fromkeys(ballot.subject for ballot in kept))
    columns = {name: index for index, name in enumerate(subjects)}
    depth = 2 if any(ballot.kind == "repeat" for ballot in kept) else 1
    votes = np.full((len(rated), len(subjects), depth), np.nan)
    for ballot in kept:
        repetition = 1 if ballot.kind == "repeat" else 0
        votes[rows[ballot.clip], columns[ballot.subject], repetition] = ballot.levels[dimension]
    hidden = {clip.source: clip.name for clip in rated if clip.role == Role.REFERENCE}
    return VoteTable(
        stimuli=tuple(rows),
        subjects=tuple(subjects),
        votes=votes,
        references=tuple(hidden.get(clip.source, clip.source) for clip in rated),
    )


def _ballot_query(study: Study) -> Any:  # noqa: ANN401  # a row type too long to write
    return (
        select(Ballot, Presentation, ClipRow, Subject)
        .join(Presentation, Presentation.id == Ballot.presentation_id)
        .join(ClipRow, ClipRow.id == Presentation.clip_id)
        .join(Subject, Subject.id == Presentation.subject_id)
        .where(
            Subject.study_id == study.id,
            Ballot.withdrawn_at.is_(None),
            Presentation.kind != Role.TRAINING,
        )
        .options(selectinload(Ballot.ratings), selectinload(Ballot.choices))
    )


def _subject_query(study: Study) -> Any:  # noqa: ANN401  # as above
    return (
        select(Subject, func.count(Presentation.id))
        .join(Presentation, Presentation.subject_id == Subject.id)
        .where(Subject.study_id == study.id, Presentation.kind != Role.TRAINING)
        .group_by(Subject.id)
        .order_by(Subject.number)
    )


def _record(
    ballot: Ballot, presentation: Presentation, clip: ClipRow, subject: Subject
) -> BallotRecord:
    attributes: dict[str, tuple[str, ...]] = {}
    for choice in sorted(ballot.choices, key=lambda choice: choice.id):
        attributes[choice.dimension] = (*attributes.get(choice.dimension, ()), choice.attribute)
    return BallotRecord(
        subject=subject.label,
        clip=clip.name,
        kind=presentation.kind,
        position=presentation.position,
        submitted_at=ballot.submitted_at,
        seconds=ballot.seconds,
        is_late=ballot.is_late,
        num_replays=ballot.num_replays,
        levels={rating.dimension: rating.level for rating in ballot.ratings},
        attributes=attributes,
        other={choice.dimension: choice.text for choice in ballot.choices if choice.text},
    )


def _progress_of(subject: Subject, total: int, ballots: Sequence[BallotRecord]) -> SubjectProgress:
    return SubjectProgress(
        subject=subject.label,
        stage=_stage_word(subject, len(ballots), total),
        done=len(ballots),
        total=total,
        last_seen_at=max((ballot.submitted_at for ballot in ballots), default=None),
        consented_at=subject.consented_at,
        questionnaire=subject.questionnaire,
        viewing=subject.viewing,
    )


def _stage_word(subject: Subject, done: int, total: int) -> str:
    if done >= total:
        return "finished"
    if subject.consented_at is None:
        return "invited"
    return "rating" if done else "preparing"
