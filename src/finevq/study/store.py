"""The study's database: SQLite in WAL mode in the study's folder, or PostgreSQL by URL.

`reading()` and `writing()` give transactions. A writing one takes SQLite's only write lock at its
start, so it never fails in the middle; what it committed is on disk before the subject's browser
hears of it (synchronous=FULL).
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    create_engine,
    event,
    func,
    select,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from finevq.errors import StudyError
from finevq.study.definition import Role, StudyDefinition, build_definition
from finevq.study.ordering import order_for_subject
from finevq.study.schema import Upgrade, bring_up_to_date, note_version, require_current
from finevq.study.tables import (
    AuditEntry,
    Base,
    ClipRow,
    Presentation,
    SchemaVersion,
    Study,
    Subject,
)

BUSY_SECONDS = 30.0
"""How long a write waits for another before it gives up."""
NUM_CONNECTIONS = 40
"""Kept open and reused, one for each thread of the server, so that no request waits for one.
PostgreSQL starts a process per connection: opening one per request would cost more than the
request. It allows 100 by default."""
SCRYPT = {"n": 2**14, "r": 8, "p": 1}


class Store:
    """One study in one database.

    Args:
        url: SQLAlchemy URL, as in sqlite:///study.db or postgresql+psycopg://user@host/name.
        name: The study's name.
    """

    def __init__(self, url: str, name: str) -> None:
        self.url = url
        self.name = name
        self.engine = open_engine(url)
        self._read_engine = self.engine.execution_options(finevq_read_only=True)

    @property
    def place(self) -> str:
        """The URL without its password, for messages."""
        return self.engine.url.render_as_string(hide_password=True)

    def bring_up_to_date(self, backups: Path) -> Upgrade | None:
        """Change a database of an earlier version to the current one, after a backup.

        Args:
            backups: Folder of the backup.

        Raises:
            StudyError: the database cannot be used, or is newer than this code.
        """
        try:
            upgrade = bring_up_to_date(self.engine, backups)
            if upgrade is not None:
                with self.writing() as session:
                    detail = f"version {upgrade.before} to {upgrade.after}"
                    session.add_all(
                        audit(study, "owner", "upgrade database", detail)
                        for study in session.scalars(select(Study))
                    )
        except SQLAlchemyError as error:
            raise StudyError(f"the database {self.place} cannot be used: {error}") from None
        return upgrade

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a transaction that only reads."""
        with Session(self._read_engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a transaction that is committed at the end, or undone when an error leaves it."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def create(
        self,
        definition: Mapping[str, Any],
        clips: Sequence[Mapping[str, Any]],
        password: str,
    ) -> None:
        """Create the tables where they are missing, and the study.

        Args:
            definition: Plain values, as in study.yaml.
            clips: Columns of `ClipRow`, one mapping per clip.
            password: Opens the experimenter's pages.

        Raises:
            StudyError: the database has a study of that name, or cannot be used.
        """
        try:
            require_current(self.engine)
            Base.metadata.create_all(self.engine)
        except SQLAlchemyError as error:
            raise StudyError(f"the database {self.place} cannot be used: {error}") from None
        with self.writing() as session:
            note_version(session.connection())
            if session.scalar(select(Study.id).where(Study.name == self.name)):
                raise StudyError(
                    f"the database already has a study {self.name!r}; choose a new name"
                )
            study = Study(
                name=self.name,
                definition=dict(definition),
                password_hash=hash_password(password),
                secret=secrets.token_hex(32),
                created_at=time.time(),
            )
            session.add(study)
            session.flush()
            session.add_all(ClipRow(study_id=study.id, **clip) for clip in clips)
            session.add(audit(study, "owner", "create", f"{len(clips)} clips"))

    def study(self, session: Session) -> Study:
        """Return the study's row.

        Raises:
            StudyError: the database has no such study.
        """
        try:
            study = session.scalar(select(Study).where(Study.name == self.name))
        except SQLAlchemyError:
            study = None
        if study is None:
            raise StudyError(
                f"no study {self.name!r} in this database; make one with finevq study create"
            )
        return study

    def definition(self) -> StudyDefinition:
        """Return the study's definition."""
        with self.reading() as session:
            return build_definition(self.study(session).definition)

    def invite(self, count: int) -> list[tuple[str, str]]:
        """Add subjects with their orders.

        Returns:
            (label, token) of each; tokens are kept as hashes and cannot be shown again.

        Raises:
            StudyError: no order keeps sources apart.
        """
        with self.writing() as session:
            study = self.study(session)
            definition = build_definition(study.definition)
            clips = list(
                session.scalars(
                    select(ClipRow).where(ClipRow.study_id == study.id).order_by(ClipRow.id)
                )
            )
            first = _last_number(session, study) + 1
            invited = []
            for number in range(first, first + count):
                token = secrets.token_urlsafe(16)
                subject = Subject(
                    study_id=study.id,
                    number=number,
                    token_hash=hash_token(token),
                    created_at=time.time(),
                    block_clips=0,
                )
                subject.presentations = plan_session(clips, definition, number - 1)
                session.add(subject)
                invited.append((subject.label, token))
            session.add(audit(study, "owner", "invite", f"S{first:02d} and on, {count} subjects"))
        return invited

    def renew_link(self, label: str) -> tuple[str, str]:
        """Replace a subject's link, which stops the old one, and return (label, new token)."""
        with self.writing() as session:
            study = self.study(session)
            subject = find_subject(session, study, label)
            token = secrets.token_urlsafe(16)
            subject.token_hash = hash_token(token)
            session.add(audit(study, "owner", "renew link", subject.label))
        return subject.label, token

    def delete_subject(self, label: str, actor: str = "owner") -> None:
        """Delete a subject and everything that he said; only the fact stays, in the audit log."""
        with self.writing() as session:
            study = self.study(session)
            subject = find_subject(session, study, label)
            session.delete(subject)
            session.add(audit(study, actor, "delete subject", subject.label))

    def set_password(self, password: str) -> None:
        """Replace the experimenter's password and end all experimenter sessions."""
        with self.writing() as session:
            study = self.study(session)
            study.password_hash, study.secret = hash_password(password), secrets.token_hex(32)
            session.add(audit(study, "owner", "set password", ""))

    def log(self, actor: str, action: str, detail: str = "") -> None:
        """Add to the audit log."""
        with self.writing() as session:
            session.add(audit(self.study(session), actor, action, detail))

    def audit_log(self) -> list[AuditEntry]:
        """Return the audit log, oldest first."""
        with self.reading() as session:
            study = self.study(session)
            query = select(AuditEntry).where(AuditEntry.study_id == study.id)
            return list(session.scalars(query.order_by(AuditEntry.id)))

    def backup(self, target: Path) -> None:
        """Copy this study into a new SQLite file, readable by its owner only, in one snapshot.

        The server may run meanwhile. The copy serves as `study.db` of a study's folder.

        Raises:
            StudyError: the target exists.
        """
        if target.exists():
            raise StudyError(f"{target} exists; a backup never overwrites, choose a new name")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.touch(mode=0o600)
        copy = open_engine(f"sqlite:///{target.resolve()}")
        try:
            Base.metadata.create_all(copy)
            with self._snapshot() as source, copy.begin() as written:
                study = select(Study.__table__.c.id).where(Study.__table__.c.name == self.name)
                note_version(written)
                for table in Base.metadata.sorted_tables:
                    if table.name == SchemaVersion.__tablename__:
                        continue
                    rows = source.execute(select(table).where(_of_study(table, study)))
                    for part in rows.mappings().partitions(1000):
                        written.execute(table.insert(), [dict(row) for row in part])
        finally:
            copy.dispose()
        self.log("owner", "backup", target.name)

    def _snapshot(self) -> Connection:
        """Open a connection on which all queries see the same moment."""
        if self.engine.dialect.name == "sqlite":
            return self._read_engine.connect()
        return self._read_engine.connect().execution_options(isolation_level="REPEATABLE READ")


def open_engine(url: str) -> Engine:
    """Open a database with the settings that the guarantees rest on.

    Raises:
        StudyError: the URL is no SQLAlchemy URL, or its driver is missing.
    """
    try:
        is_sqlite = url.startswith("sqlite")
        engine = create_engine(
            url,
            pool_pre_ping=not is_sqlite,
            pool_size=NUM_CONNECTIONS,
            max_overflow=0,
            pool_timeout=BUSY_SECONDS,
            connect_args={"timeout": BUSY_SECONDS} if is_sqlite else {},
        )
    except (SQLAlchemyError, ImportError) as error:
        raise StudyError(
            f"{url!r} cannot be opened ({error}); as in sqlite:///study.db or "
            "postgresql+psycopg://user:password@host/database"
        ) from None
    if is_sqlite:
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # a DBAPI connection
    # SQLAlchemy begins transactions itself, below.
    connection.isolation_level = None
    # Secure delete: what a subject has asked to be deleted leaves no bytes behind.
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _of_study(table: Table, study: Select[tuple[int]]) -> ColumnElement[bool]:
    """Return the condition that a row belongs to a study, by way of its parents."""
    if table.name == Study.__tablename__:
        return table.c.id.in_(study)
    if "study_id" in table.c:
        return table.c.study_id.in_(study)
    key = next(iter(table.foreign_keys))
    parent = Base.metadata.tables[key.target_fullname.rpartition(".")[0]]
    return key.parent.in_(select(parent.c.id).where(_of_study(parent, study)))


def _begin_sqlite(connection: Connection) -> None:
    only_reads = connection.get_execution_options().get("finevq_read_only", False)
    connection.exec_driver_sql("BEGIN" if only_reads else "BEGIN IMMEDIATE")


def plan_session(
    clips: Sequence[ClipRow], definition: StudyDefinition, subject: int
) -> list[Presentation]:
    """Return all presentations of a subject: training in the listed order, then the rest."""
    training = [clip for clip in clips if clip.role == Role.TRAINING]
    rated = [clip for clip in clips if clip.role != Role.TRAINING]
    tests = [index for index, clip in enumerate(rated) if clip.role == Role.TEST]
    order = order_for_subject(
        [clip.source for clip in rated],
        definition.seed,
        subject,
        repeatable=tests,
        num_repeats=round(len(tests) * definition.repeat_share),
    )
    shown = [(clip, str(Role.TRAINING)) for clip in training]
    shown += [(rated[o.index], "repeat" if o.is_repeat else rated[o.index].role) for o in order]
    return [
        Presentation(position=position, clip_id=clip.id, kind=kind)
        for position, (clip, kind) in enumerate(shown, start=1)
    ]


def find_subject(session: Session, study: Study, label: str) -> Subject:
    """Return a subject by his label.

    Raises:
        StudyError: there is none.
    """
    number = label.upper().removeprefix("S")
    subject = None
    if number.isdecimal() and len(number) <= 6:
        subject = session.scalar(
            select(Subject).where(Subject.study_id == study.id, Subject.number == int(number))
        )
    if subject is None:
        raise StudyError(f"no subject {label!r}; subjects are called S01, S02, ...")
    return subject


def audit(study: Study, actor: str, action: str, detail: str) -> AuditEntry:
    """Make an entry of the audit log."""
    return AuditEntry(study_id=study.id, at=time.time(), actor=actor, action=action, detail=detail)


def hash_token(token: str) -> str:
    """Hash a subject's token; it has 128 random bits, so no salt and no stretching."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    """Hash a password with scrypt and a random salt."""
    salt = secrets.token_bytes(16)
    digest = hashlib.scrypt(password.encode(), salt=salt, **SCRYPT)
    return f"{salt.hex()}${digest.hex()}"


def is_password(password: str, stored: str) -> bool:
    """Compare in constant time."""
    salt, digest = stored.split("$")
    given = hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), **SCRYPT)
    return hmac.compare_digest(given.hex(), digest)


def _last_number(session: Session, study: Study) -> int:
    """Return the highest number ever given, deleted subjects included."""
    query = select(func.max(Subject.number)).where(Subject.study_id == study.id)
    highest = session.scalar(query) or 0
    deleted = session.scalars(
        select(AuditEntry.detail).where(
            AuditEntry.study_id == study.id, AuditEntry.action == "delete subject"
        )
    )
    return max([highest, *(int(label.removeprefix("S")) for label in deleted)])
