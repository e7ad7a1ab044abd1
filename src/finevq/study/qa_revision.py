"""Question-answer pairs under revision: people accept, edit or reject them one by one."""

from collections.abc import Iterable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from finevq.errors import StudyError
from finevq.study.qa import QaPair, check_pair
from finevq.study.store import audit
from finevq.study.tables import ClipRow, QaRow, Study

STATUSES = ("open", "accepted", "edited", "rejected")


class PairProblemError(StudyError):
    """An edited pair does not agree with its labels."""


def add_pairs(session: Session, study: Study, pairs: Iterable[QaPair]) -> int:
    """Put pairs up for revision and return how many; those that are up already stay as they are."""
    query = select(QaRow.video, QaRow.family, QaRow.question).where(QaRow.study_id == study.id)
    known = {tuple(row) for row in session.execute(query)}
    rows = [
        QaRow(
            study_id=study.id,
            video=pair.video,
            family=pair.family,
            question=pair.question,
            answer=pair.answer,
            options=list(pair.options),
            facts=dict(pair.facts),
            group_number=pair.group,
            status="open",
        )
        for pair in pairs
        if (pair.video, pair.family, pair.question) not in known
    ]
    session.add_all(rows)
    session.add(audit(study, "owner", "add pairs", str(len(rows))))
    return len(rows)


def next_open(session: Session, study: Study) -> QaRow | None:
    """Return the next pair that nobody has looked at."""
    query = select(QaRow).where(QaRow.study_id == study.id, QaRow.status == "open")
    return session.scalar(query.order_by(QaRow.id).limit(1))


def clip_of(session: Session, study: Study, pair: QaRow) -> ClipRow | None:
    """Return the clip that a pair is about; None where the study does not have it."""
    query = select(ClipRow).where(ClipRow.study_id == study.id, ClipRow.name == pair.video)
    return session.scalar(query)


def count_by_status(session: Session, study: Study) -> dict[str, int]:
    """Return how many pairs are in each status."""
    query = (
        select(QaRow.status, func.count()).where(QaRow.study_id == study.id).group_by(QaRow.status)
    )
    found = {status: count for status, count in session.execute(query)}
    return {status: found.get(status, 0) for status in STATUSES}


def revise(
    session: Session, study: Study, pair_id: int, action: str, question: str, answer: str
) -> None:
    """Accept, edit or reject a pair.

    Raises:
        StudyError: the pair or action is unknown, or the edited text contradicts the labels.
    """
    row = session.get(QaRow, pair_id)
    if row is None or row.study_id != study.id:
        raise StudyError(f"no question-answer pair {pair_id}")
    if action == "reject":
        row.status = "rejected"
    elif action == "accept":
        question, answer = question.strip(), answer.strip()
        changed = bool(question and answer) and (question, answer) != (row.question, row.answer)
        if changed:
            row.question, row.answer = question, answer
            if problem := check_pair(pair_of(row)):
                raise PairProblemError(f"the edited pair does not agree with the labels: {problem}")
        row.status = "edited" if changed else "accepted"
    else:
        raise StudyError(f"action {action!r} is neither accept nor reject")
    session.add(audit(study, "experimenter", f"{row.status} pair", str(pair_id)))


def pair_of(row: QaRow) -> QaPair:
    """Return a row as a pair."""
    return QaPair(
        video=row.video,
        family=row.family,
        question=row.question,
        answer=row.answer,
        options=tuple(row.options),
        facts=row.facts,
        group=row.group_number,
    )


def revised_pairs(session: Session, study: Study) -> list[QaPair]:
    """Return all pairs that people accepted, as they left them."""
    query = select(QaRow).where(
        QaRow.study_id == study.id, QaRow.status.in_(("accepted", "edited"))
    )
    return [pair_of(row) for row in session.scalars(query.order_by(QaRow.id))]
