"""What a subject may do next, and the writes that he causes; every write is one transaction.

The stage is always computed from the database, so a reloaded page, a second tab and a killed server
all find the same place.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from finevq.errors import StudyError
from finevq.study.definition import (
    NO_ATTRIBUTE,
    OTHER_ATTRIBUTE,
    DimensionScale,
    Role,
    StudyDefinition,
    build_definition,
)
from finevq.study.store import Store, hash_token
from finevq.study.tables import Ballot, Choice, Playback, Presentation, Rating, Study, Subject

MAX_TEXT = 300
PLAYED_SHARE = 0.9
"""Share of a clip's duration that must have passed between its start and its end."""
PLAYED_SLACK_SECONDS = 0.25


class Stage(StrEnum):
    """Where a subject is."""

    CONSENT = "consent"
    QUESTIONNAIRE = "questionnaire"
    VIEWING = "viewing"
    INSTRUCTIONS = "instructions"
    RATING = "rating"
    BREAK = "break"
    DONE = "done"


class Outcome(StrEnum):
    """What became of a ballot."""

    STORED = "stored"
    KNOWN = "known"
    """The same submission arrived before; nothing was added."""
    TAKEN = "taken"
    """The presentation has another ballot, from another tab."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BallotForm:
    """What the rating page sends."""

    position: int
    submission: str
    """Made by the page, the same for every attempt to send."""
    ratings: Mapping[str, int]
    """Dimension -> level, 1 is the worst."""
    attributes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Dimension -> attributes seen."""
    other: Mapping[str, str] = field(default_factory=dict)
    """Dimension -> what "other" is."""


class SubjectSession:
    """A subject's way through the study.

    Args:
        store: The study's database.
        token: The subject's token.
        clock: Gives the time in seconds since 1970.
    """

    def __init__(self, store: Store, token: str, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self._token_hash = hash_token(token)

    def state(self) -> dict[str, Any]:
        """Return all that the pages need to show the next step, JSON-ready.

        Raises:
            StudyError: the link is unknown.
        """
        with self._store.reading() as session:
            subject, _, definition = self._load(session)
            return _state(session, subject, definition, self._clock())

    def current_clip_file(self, position: int) -> str:
        """Return the file of the clip at a position, if it is the subject's current one.

        Raises:
            StudyError: it is not.
        """
        with self._store.reading() as session:
            subject, _, _ = self._load(session)
            presentation = _current(session, subject)
            if presentation is None or presentation.position != position:
                raise StudyError("only the current clip can be watched")
            return presentation.clip.file

    def consent(self) -> None:
        """Store consent together with the text that was agreed to."""
        with self._store.writing() as session:
            subject, _, definition = self._load(session, lock=True)
            if subject.consented_at is None:
                subject.consented_at, subject.consent_text = self._clock(), definition.consent

    def answer_questionnaire(self, answers: Mapping[str, str]) -> None:
        """Store the questionnaire."""
        with self._store.writing() as session:
            subject, _, _ = self._load(session, lock=True)
            _require_consent(subject)
            subject.questionnaire = {key: text[:MAX_TEXT] for key, text in answers.items()}

    def confirm_viewing(self, conditions: Mapping[str, str]) -> None:
        """Store the viewing conditions and the color and brightness checks."""
        with self._store.writing() as session:
            subject, _, _ = self._load(session, lock=True)
            _require_consent(subject)
            subject.viewing = {key: text[:MAX_TEXT] for key, text in conditions.items()}

    def confirm_instructions(self) -> None:
        """Note that the instructions were read."""
        with self._store.writing() as session:
            subject, _, _ = self._load(session, lock=True)
            subject.instructed_at = subject.instructed_at or self._clock()

    def start_playback(self, position: int, key: str) -> None:
        """Note that a clip starts to play.

        Raises:
            StudyError: it is not the current clip, there is a break, a page before the first
            clip is unanswered, or there are no replays left.
        """
        with self._store.writing() as session:
            subject, _, definition = self._load(session, lock=True)
            presentation = self._require_current(session, subject, position)
            known = select(Playback.id).where(
                Playback.key == key, Playback.presentation_id == presentation.id
            )
            if session.scalar(known):
                return
            stage = _stage(subject, presentation, self._clock())
            if stage is Stage.BREAK:
                raise StudyError("there is a break now; the next clip plays after it")
            if stage is not Stage.RATING:
                raise StudyError("please answer the pages before the first clip")
            if _num_played(session, presentation) > definition.session.max_replays:
                raise StudyError("this clip cannot be watched again; please rate it now")
            if subject.block_started_at is None:
                subject.block_started_at = self._clock()
            session.add(
                Playback(presentation_id=presentation.id, key=key, started_at=self._clock())
            )

    def end_playback(self, key: str) -> None:
        """Note that a clip has played to its end.

        Raises:
            StudyError: the playback is unknown, or too little time has passed.
        """
        with self._store.writing() as session:
            subject, _, _ = self._load(session, lock=True)
            playback = session.scalar(
                select(Playback)
                .join(Presentation, Presentation.id == Playback.presentation_id)
                .where(Playback.key == key, Presentation.subject_id == subject.id)
            )
            if playback is None:
                raise StudyError("this clip was not started")
            presentation = session.get_one(Presentation, playback.presentation_id)
            duration = float(presentation.clip.facts["duration_seconds"])
            least = PLAYED_SHARE * duration - PLAYED_SLACK_SECONDS
            if self._clock() - playback.started_at < least:
                raise StudyError("the clip has to be watched to its end before it is rated")
            playback.ended_at = playback.ended_at or self._clock()

    def submit(self, form: BallotForm) -> Outcome:
        """Store a ballot: whole, once, or not at all.

        Raises:
            StudyError: the ballot is incomplete, or its clip was not watched to the end.
        """
        try:
            with self._store.writing() as session:
                return self._submit(session, form)
        except IntegrityError:
            # Another tab was faster between our look and our write; the database decided.
            return Outcome.TAKEN

    def feedback(self, position: int) -> dict[str, Any] | None:
        """Return the right answers of a training clip that has been rated; None of other clips."""
        with self._store.reading() as session:
            subject, _, definition = self._load(session)
            ballot = session.scalar(
                select(Ballot)
                .join(Presentation, Presentation.id == Ballot.presentation_id)
                .where(
                    Presentation.subject_id == subject.id,
                    Presentation.position == position,
                    Presentation.kind == Role.TRAINING,
                    Ballot.withdrawn_at.is_(None),
                )
            )
            if ballot is None:
                return None
            clip, given = ballot.presentation.clip, {r.dimension: r.level for r in ballot.ratings}
            answers = []
            for name, right in clip.answers.items():
                scale = definition.scale(name)
                level = scale.levels[given[name] - 1]
                answers.append(
                    {
                        "dimension": scale.label,
                        "given": level,
                        "right": list(right),
                        "is_right": level in right,
                    }
                )
            return {"answers": answers, "note": clip.note}

    def undo(self) -> int:
        """Withdraw the last ballot, so that its clip can be rated again.

        Returns:
            The position of that clip.

        Raises:
            StudyError: there is nothing to undo, or the last clip was undone already.
        """
        with self._store.writing() as session:
            subject, _, definition = self._load(session, lock=True)
            ballot = _last_ballot(session, subject)
            current = _current(session, subject)
            if not _can_undo(session, ballot, current) or ballot is None:
                raise StudyError("only the last rated clip can be rated again")
            now = self._clock()
            ballot.withdrawn_at = now
            subject.block_clips = max(subject.block_clips - 1, 0)
            if subject.break_until is not None and subject.break_until > now:
                # The break waits until the clip is rated again; it is not lost.
                subject.block_clips = definition.session.clips_per_block - 1
                subject.block_started_at = now
            subject.break_until = None
            return ballot.presentation.position

    def _submit(self, session: Session, form: BallotForm) -> Outcome:
        subject, _, definition = self._load(session, lock=True)
        if _is_known(session, subject, form.submission):
            return Outcome.KNOWN
        presentation = _current(session, subject)
        if presentation is None or presentation.position != form.position:
            return Outcome.TAKEN
        check_ballot(form, definition)
        ends = _ends(session, presentation)
        if not ends:
            raise StudyError("the clip has to be watched to its end before it is rated")
        seconds = self._clock() - min(ends)
        ballot = Ballot(
            presentation_id=presentation.id,
            submission=form.submission,
            submitted_at=self._clock(),
            seconds=seconds,
            is_late=seconds > definition.session.rating_seconds,
            num_replays=len(ends) - 1,
        )
        ballot.ratings = _ratings(form, definition)
        ballot.choices = _choices(form, definition)
        session.add(ballot)
        session.flush()
        if presentation.kind != Role.TRAINING:
            _count_towards_break(session, subject, definition, self._clock())
        return Outcome.STORED

    def _load(
        self, session: Session, *, lock: bool = False
    ) -> tuple[Subject, Study, StudyDefinition]:
        query = select(Subject).where(Subject.token_hash == self._token_hash)
        # PostgreSQL: one write of a subject at a time. SQLite has a single writer anyway.
        subject = session.scalar(query.with_for_update() if lock else query)
        study = self._store.study(session)
        if subject is None or subject.study_id != study.id:
            raise StudyError("this link is not valid; please ask the person who sent it to you")
        return subject, study, build_definition(study.definition)

    @staticmethod
    def _require_current(session: Session, subject: Subject, position: int) -> Presentation:
        presentation = _current(session, subject)
        if presentation is None or presentation.position != position:
            raise StudyError("this clip has been rated already")
        return presentation


def check_ballot(form: BallotForm, definition: StudyDefinition) -> None:
    """Make sure that a ballot answers every question within its scale.

    Raises:
        StudyError: what is missing or not allowed.
    """
    names = {scale.name for scale in definition.dimensions}
    if unknown := (set(form.ratings) | set(form.attributes) | set(form.other)) - names:
        raise StudyError(f"this study does not ask for {', '.join(sorted(unknown))}")
    if missing := [s.label for s in definition.dimensions if s.name not in form.ratings]:
        raise StudyError(f"please rate {', '.join(missing)} too")
    for scale in definition.dimensions:
        level = form.ratings[scale.name]
        if not 1 <= level <= len(scale.levels):
            raise StudyError(f"{scale.label}: {level} is not within 1 to {len(scale.levels)}")
        _check_attributes(scale, form)


def _check_attributes(scale: DimensionScale, form: BallotForm) -> None:
    if not scale.attributes:
        return
    chosen = list(form.attributes.get(scale.name, ()))
    allowed = {*scale.attributes, NO_ATTRIBUTE, OTHER_ATTRIBUTE}
    if not chosen:
        raise StudyError(f"{scale.label}: please choose what you saw, or none")
    if unknown := set(chosen) - allowed:
        raise StudyError(f"{scale.label}: {', '.join(sorted(unknown))} is not among the choices")
    if NO_ATTRIBUTE in chosen and len(chosen) > 1:
        raise StudyError(f"{scale.label}: none excludes the other choices")
    if OTHER_ATTRIBUTE in chosen and not form.other.get(scale.name, "").strip():
        raise StudyError(f"{scale.label}: please write what the other distortion is")


def _ratings(form: BallotForm, definition: StudyDefinition) -> list[Rating]:
    return [
        Rating(dimension=s.name, level=form.ratings[s.name], num_levels=len(s.levels))
        for s in definition.dimensions
    ]


def _choices(form: BallotForm, definition: StudyDefinition) -> list[Choice]:
    return [
        Choice(
            dimension=scale.name,
            attribute=attribute,
            text=form.other.get(scale.name, "").strip()[:MAX_TEXT]
            if attribute == OTHER_ATTRIBUTE
            else "",
        )
        for scale in definition.dimensions
        if scale.attributes
        for attribute in dict.fromkeys(form.attributes[scale.name])
    ]


def _count_towards_break(
    session: Session, subject: Subject, definition: StudyDefinition, now: float
) -> None:
    subject.block_clips += 1
    rules = definition.session
    started = subject.block_started_at or now
    is_due = (
        subject.block_clips >= rules.clips_per_block or now - started >= 60.0 * rules.block_minutes
    )
    if is_due and _current(session, subject) is not None:
        subject.break_until = now + 60.0 * rules.break_minutes
        subject.block_clips, subject.block_started_at = 0, None


def _state(
    session: Session, subject: Subject, definition: StudyDefinition, now: float
) -> dict[str, Any]:
    presentation = _current(session, subject)
    stage = _stage(subject, presentation, now)
    state: dict[str, Any] = {"stage": str(stage), "subject": subject.label}
    total, done = _progress(session, subject)
    state["progress"] = {"done": done, "total": total}
    if stage is Stage.BREAK and subject.break_until is not None:
        state["seconds_left"] = max(subject.break_until - now, 0.0)
    if stage is Stage.RATING and presentation is not None:
        state["clip"] = _clip_state(session, presentation, definition)
    if stage in {Stage.RATING, Stage.BREAK, Stage.DONE}:
        state["can_undo"] = _can_undo(session, _last_ballot(session, subject), presentation)
    return state


def _require_consent(subject: Subject) -> None:
    """Nothing personal is stored of a subject who has not agreed to it."""
    if subject.consented_at is None:
        raise StudyError("please read the first page and agree to it")


def _stage(subject: Subject, presentation: Presentation | None, now: float) -> Stage:
    if subject.consented_at is None:
        return Stage.CONSENT
    if subject.questionnaire is None:
        return Stage.QUESTIONNAIRE
    if subject.viewing is None:
        return Stage.VIEWING
    if subject.instructed_at is None:
        return Stage.INSTRUCTIONS
    if presentation is None:
        return Stage.DONE
    if subject.break_until is not None and subject.break_until > now:
        return Stage.BREAK
    return Stage.RATING


def _clip_state(
    session: Session, presentation: Presentation, definition: StudyDefinition
) -> dict[str, Any]:
    played = _num_played(session, presentation)
    state: dict[str, Any] = {
        "position": presentation.position,
        "is_training": presentation.kind == Role.TRAINING,
        "can_rate": played > 0,
        "replays_left": max(definition.session.max_replays + 1 - max(played, 1), 0),
        "width": presentation.clip.facts["width"],
        "height": presentation.clip.facts["height"],
    }
    return state


def _current(session: Session, subject: Subject) -> Presentation | None:
    """Return the first presentation without a ballot that counts."""
    counting = select(Ballot.presentation_id).where(Ballot.withdrawn_at.is_(None))
    return session.scalar(
        select(Presentation)
        .where(Presentation.subject_id == subject.id, Presentation.id.not_in(counting))
        .order_by(Presentation.position)
        .limit(1)
    )


def _is_known(session: Session, subject: Subject, submission: str) -> bool:
    """Whether this subject's page sent this ballot before."""
    query = (
        select(Ballot.id)
        .join(Presentation, Presentation.id == Ballot.presentation_id)
        .where(Ballot.submission == submission, Presentation.subject_id == subject.id)
    )
    return session.scalar(query) is not None


def _last_ballot(session: Session, subject: Subject) -> Ballot | None:
    return session.scalar(
        select(Ballot)
        .join(Presentation, Presentation.id == Ballot.presentation_id)
        .where(Presentation.subject_id == subject.id, Ballot.withdrawn_at.is_(None))
        .order_by(Presentation.position.desc())
        .limit(1)
    )


def _can_undo(session: Session, last: Ballot | None, current: Presentation | None) -> bool:
    """Tell whether the last ballot may be given again: once, and not after training's feedback."""
    if last is None or last.presentation.kind == Role.TRAINING:
        return False
    return current is None or not _was_withdrawn(session, current)


def _was_withdrawn(session: Session, presentation: Presentation) -> bool:
    query = select(Ballot.id).where(
        Ballot.presentation_id == presentation.id, Ballot.withdrawn_at.is_not(None)
    )
    return session.scalar(query.limit(1)) is not None


def _ends(session: Session, presentation: Presentation) -> list[float]:
    ends = session.scalars(
        select(Playback.ended_at).where(Playback.presentation_id == presentation.id)
    )
    return [end for end in ends if end is not None]


def _num_played(session: Session, presentation: Presentation) -> int:
    return len(_ends(session, presentation))


def _progress(session: Session, subject: Subject) -> tuple[int, int]:
    """Count the clips that matter, all and rated; training is not among them."""
    of_subject = (Presentation.subject_id == subject.id, Presentation.kind != Role.TRAINING)
    total = session.scalar(select(func.count()).select_from(Presentation).where(*of_subject))
    done = session.scalar(
        select(func.count())
        .select_from(Ballot)
        .join(Presentation, Presentation.id == Ballot.presentation_id)
        .where(*of_subject, Ballot.withdrawn_at.is_(None))
    )
    return total or 0, done or 0
