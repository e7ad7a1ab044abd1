"""The database's tables; their constraints, not the code above them, keep votes single and whole.

- A presentation has at most one ballot that counts: a unique index over those not withdrawn.
- A ballot that is sent twice is one ballot: its submission id, made by the page, is unique for
  what is rated.
- A ballot has one rating per dimension; a rating lies within the scale.

A change of these tables is a new version in `schema.py`.

Times are seconds since 1970, UTC, by the server's clock.
"""

from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    """Base of all tables."""


class SchemaVersion(Base):
    """Which version of these tables the database has; one row. See `schema.py`."""

    __tablename__ = "schema_version"
    version: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)


class Study(Base):
    """A study; a database may hold several."""

    __tablename__ = "study"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    definition: Mapped[dict[str, Any]] = mapped_column(JSON)
    password_hash: Mapped[str] = mapped_column(String(200))
    secret: Mapped[str] = mapped_column(String(100))
    """Signs the experimenter's cookie."""
    created_at: Mapped[float] = mapped_column(Float)


class ClipRow(Base):
    """A clip of a study."""

    __tablename__ = "clip"
    __table_args__ = (UniqueConstraint("study_id", "name"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(500))
    source: Mapped[str] = mapped_column(String(500))
    role: Mapped[str] = mapped_column(String(20))
    category: Mapped[str] = mapped_column(String(200))
    file: Mapped[str] = mapped_column(String(500))
    """Playable copy, relative to the study's folder."""
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    answers: Mapped[dict[str, list[str]]] = mapped_column(JSON)
    note: Mapped[str] = mapped_column(Text)


class Subject(Base):
    """A person who rates, under a number."""

    __tablename__ = "subject"
    __table_args__ = (UniqueConstraint("study_id", "number"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    number: Mapped[int] = mapped_column(Integer)
    """From 1; a deleted subject's number is not given again."""
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[float] = mapped_column(Float)
    consented_at: Mapped[float | None] = mapped_column(Float)
    consent_text: Mapped[str | None] = mapped_column(Text)
    questionnaire: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    viewing: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    instructed_at: Mapped[float | None] = mapped_column(Float)
    block_started_at: Mapped[float | None] = mapped_column(Float)
    block_clips: Mapped[int] = mapped_column(Integer, default=0)
    """Clips rated since the last break."""
    break_until: Mapped[float | None] = mapped_column(Float)
    presentations: Mapped[list["Presentation"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True, order_by="Presentation.position"
    )

    @property
    def label(self) -> str:
        """The anonymous name in every table."""
        return f"S{self.number:02d}"


class Presentation(Base):
    """A place in a subject's session."""

    __tablename__ = "presentation"
    __table_args__ = (UniqueConstraint("subject_id", "position"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    subject_id: Mapped[int] = mapped_column(ForeignKey("subject.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    clip_id: Mapped[int] = mapped_column(ForeignKey("clip.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    """training, test, gold, reference, or repeat."""
    clip: Mapped[ClipRow] = relationship()


class Playback(Base):
    """One playing of a clip, from its start to its end or to a closed browser."""

    __tablename__ = "playback"
    __table_args__ = (UniqueConstraint("presentation_id", "key"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    presentation_id: Mapped[int] = mapped_column(
        ForeignKey("presentation.id", ondelete="CASCADE"), index=True
    )
    key: Mapped[str] = mapped_column(String(64))
    """Made by the page."""
    started_at: Mapped[float] = mapped_column(Float)
    ended_at: Mapped[float | None] = mapped_column(Float)


class Ballot(Base):
    """All that a subject says of one presentation, sent at once."""

    __tablename__ = "ballot"
    __table_args__ = (
        UniqueConstraint("presentation_id", "submission"),
        Index(
            "one_counting_ballot",
            "presentation_id",
            unique=True,
            sqlite_where=text("withdrawn_at IS NULL"),
            postgresql_where=text("withdrawn_at IS NULL"),
        ),
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    presentation_id: Mapped[int] = mapped_column(
        ForeignKey("presentation.id", ondelete="CASCADE"), index=True
    )
    submission: Mapped[str] = mapped_column(String(64))
    """Made by the page; the same when it sends again after a lost answer. It belongs to its
    presentation: what another subject's page made up must never silence a vote."""
    submitted_at: Mapped[float] = mapped_column(Float)
    seconds: Mapped[float] = mapped_column(Float)
    """From the end of the first full playback to the ballot, by the server's clock."""
    is_late: Mapped[bool]
    num_replays: Mapped[int] = mapped_column(Integer)
    withdrawn_at: Mapped[float | None] = mapped_column(Float)
    """Set by undo; the ballot stays on record and no longer counts."""
    presentation: Mapped[Presentation] = relationship()
    ratings: Mapped[list["Rating"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True
    )
    choices: Mapped[list["Choice"]] = relationship(
        cascade="all, delete-orphan", passive_deletes=True
    )


class Rating(Base):
    """One vote in one dimension."""

    __tablename__ = "rating"
    __table_args__ = (
        UniqueConstraint("ballot_id", "dimension"),
        CheckConstraint("level BETWEEN 1 AND num_levels", name="level_within_scale"),
    )
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ballot_id: Mapped[int] = mapped_column(ForeignKey("ballot.id", ondelete="CASCADE"))
    dimension: Mapped[str] = mapped_column(String(100))
    level: Mapped[int] = mapped_column(Integer)
    """1 is the worst."""
    num_levels: Mapped[int] = mapped_column(Integer)


class Choice(Base):
    """One attribute that a subject saw."""

    __tablename__ = "choice"
    __table_args__ = (UniqueConstraint("ballot_id", "dimension", "attribute"),)
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    ballot_id: Mapped[int] = mapped_column(ForeignKey("ballot.id", ondelete="CASCADE"))
    dimension: Mapped[str] = mapped_column(String(100))
    attribute: Mapped[str] = mapped_column(String(100))
    """A word of the scale, "none", or "other"."""
    text: Mapped[str] = mapped_column(String(300))
    """What "other" is, in the subject's words."""


class AuditEntry(Base):
    """Who did what; entries are only added, and hold nothing personal."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    at: Mapped[float] = mapped_column(Float)
    actor: Mapped[str] = mapped_column(String(50))
    action: Mapped[str] = mapped_column(String(50))
    detail: Mapped[str] = mapped_column(Text)


class QaRow(Base):
    """A question-answer pair under revision."""

    __tablename__ = "qa_pair"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), index=True)
    video: Mapped[str] = mapped_column(String(500))
    family: Mapped[str] = mapped_column(String(30))
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    options: Mapped[list[str]] = mapped_column(JSON)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    group_number: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    """Pairs of one family with the same number share a set of options."""
    status: Mapped[str] = mapped_column(String(20), default="open")
    """open, accepted, edited or rejected."""
