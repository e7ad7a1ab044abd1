"""The version of a study's database, and the way there from earlier ones.

| version | since | what changed |
| --- | --- | --- |
| 1 | 0.1.0 | submission ids and playback keys were unique in the whole database |
| 2 | after 0.1.0 | they are unique for what is rated; the version is noted in the database |
| 3 | after 0.1.0 | pairs under revision keep their group |

What notes no version counts as 1, whatever it has of the later ones: every step looks first whether
it is needed.

A database is backed up before it is changed, then changed in one transaction: whole or not at all.
A server that still runs on it goes on afterwards. What is older or newer than this code knows is
refused in words.
"""

import os
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Connection,
    Engine,
    MetaData,
    Table,
    create_engine,
    inspect,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from finevq.errors import StudyError
from finevq.study.tables import Base, SchemaVersion, Study

CURRENT_VERSION = 3
LOCK_SECONDS = 30
"""How long a change waits for those who use the database."""
_PAIRS = (("ballot", "submission"), ("playback", "key"))
"""Since version 2: columns that are unique per presentation."""
_ADD_GROUP = "ALTER TABLE qa_pair ADD COLUMN group_number INTEGER NOT NULL DEFAULT 0"


@dataclass(frozen=True, kw_only=True, slots=True)
class Upgrade:
    """What was done to a database."""

    before: int
    after: int
    backup: Path


def read_version(connection: Connection) -> int | None:
    """Return a database's version; None where it holds no study.

    Version 1 was not noted.
    """
    inspector = inspect(connection)
    names = set(inspector.get_table_names())
    if Study.__tablename__ not in names:
        return None
    if SchemaVersion.__tablename__ in names:
        noted = connection.execute(text("SELECT max(version) FROM schema_version")).scalar()
        if noted is not None:
            return int(noted)
    return 1


def require_current(engine: Engine) -> None:
    """Make sure that new tables may be added to a database.

    Raises:
        StudyError: it holds studies of an earlier or later version.
    """
    with engine.connect() as connection:
        version = read_version(connection)
    if version is None or version == CURRENT_VERSION:
        return
    _refuse_newer(version)
    raise StudyError(
        f"the database holds studies of an earlier finevq (version {version}, now "
        f"{CURRENT_VERSION}); open one of them first, as with finevq study audit STUDY: "
        "that makes a backup and brings the database up to date"
    )


def bring_up_to_date(engine: Engine, backups: Path) -> Upgrade | None:
    """Change a database of an earlier version to the current one, after a backup.

    Args:
        engine: The database.
        backups: Folder of the backup, which is a SQLite file for its owner's eyes.

    Returns:
        What was done; None where the database is current or empty.

    Raises:
        StudyError: the database is newer than this code, holds something else, or cannot be
            changed; it is as it was then.
    """
    with engine.connect() as connection:
        version = read_version(connection)
    if version is None or version == CURRENT_VERSION:
        return None
    _refuse_newer(version)
    backup = _free_name(backups / f"study.version{version}.db")
    try:
        back_up(engine, backup)
        change = _change_sqlite if engine.dialect.name == "sqlite" else _change_postgresql
        change(engine)
    except (SQLAlchemyError, sqlite3.Error, OSError) as error:
        raise StudyError(
            f"the database of an earlier finevq (version {version}) could not be brought to "
            f"version {CURRENT_VERSION} and is as it was: {error}"
        ) from None
    return Upgrade(before=version, after=CURRENT_VERSION, backup=backup)


def note_version(connection: Connection) -> None:
    """Note the current version; once."""
    table = Base.metadata.tables[SchemaVersion.__tablename__]
    table.create(connection, checkfirst=True)
    connection.execute(table.delete())
    connection.execute(table.insert().values(version=CURRENT_VERSION))


def back_up(engine: Engine, target: Path) -> None:
    """Copy a whole database of any version, all its studies, into a new SQLite file.

    Args:
        engine: The database.
        target: File that must not exist; it will be readable by its owner only.
    """
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("VACUUM INTO ?", (str(target),))
        return
    copy = create_engine(f"sqlite:///{target.resolve()}")
    known = [name for name in Base.metadata.tables if name in inspect(engine).get_table_names()]
    try:
        with (
            engine.connect().execution_options(isolation_level="REPEATABLE READ") as source,
            copy.begin() as written,
        ):
            metadata = MetaData()
            metadata.reflect(source, only=known)
            for table in metadata.sorted_tables:
                _suit_sqlite(table)
            metadata.create_all(written)
            for table in metadata.sorted_tables:
                for part in source.execute(table.select()).mappings().partitions(1000):
                    written.execute(table.insert(), [dict(row) for row in part])
    finally:
        copy.dispose()


def _suit_sqlite(table: Table) -> None:
    """Take from a table of PostgreSQL what SQLite says differently."""
    for column in table.columns:
        column.server_default = None  # a sequence
        if isinstance(column.type, JSON):
            column.type = JSON(none_as_null=True)
    for index in table.indexes:
        where = index.dialect_options["postgresql"]["where"]
        if where is not None:
            index.dialect_options["sqlite"]["where"] = text(str(where))


def _refuse_newer(version: int) -> None:
    if version > CURRENT_VERSION:
        raise StudyError(
            f"the database is of a newer finevq (version {version}; this one knows up to "
            f"{CURRENT_VERSION}); install that finevq, or open a backup from before"
        )


def _free_name(path: Path) -> Path:
    """Return the path, numbered where it is taken: a backup never overwrites."""
    number, free = 1, path
    while free.exists():
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    return free


def _change_sqlite(engine: Engine) -> None:
    """Rebuild tables whose constraints change: SQLite cannot change them in place.

    The order of steps is that of the SQLite manual, "Making other kinds of table schema changes".
    """
    with closing(engine.raw_connection()) as raw:
        cursor = raw.cursor()
        # Only outside of a transaction; without it, dropping a table deletes what points to it.
        cursor.execute("PRAGMA foreign_keys=OFF")
        try:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                for table, column in _PAIRS:
                    _rebuild(cursor, table, column)
                columns = cursor.execute("PRAGMA table_info(qa_pair)").fetchall()
                if "group_number" not in [column[1] for column in columns]:
                    cursor.execute(_ADD_GROUP)
                if cursor.execute("PRAGMA foreign_key_check").fetchall():
                    raise StudyError("the database has rows that point nowhere; it was not changed")
                cursor.execute(
                    "CREATE TABLE IF NOT EXISTS schema_version "
                    "(version INTEGER NOT NULL PRIMARY KEY)"
                )
                cursor.execute("DELETE FROM schema_version")
                cursor.execute("INSERT INTO schema_version VALUES (?)", (CURRENT_VERSION,))
                cursor.execute("COMMIT")
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
        finally:
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.close()


def _rebuild(cursor: Any, table: str, column: str) -> None:  # noqa: ANN401  # a DBAPI cursor
    kept = "SELECT sql FROM sqlite_master WHERE tbl_name=? AND type=? AND sql IS NOT NULL"
    (old,) = cursor.execute(kept, (table, "table")).fetchone()
    indexes = [sql for (sql,) in cursor.execute(kept, (table, "index")).fetchall()]
    new = re.sub(rf'^CREATE TABLE "?{table}"?', f"CREATE TABLE {table}_new", old)
    new = re.sub(rf'UNIQUE \("?{column}"?\)', f'UNIQUE (presentation_id, "{column}")', new)
    count = f"SELECT count(*) FROM {table}"
    before = cursor.execute(count).fetchone()
    cursor.execute(new)
    cursor.execute(f"INSERT INTO {table}_new SELECT * FROM {table}")
    cursor.execute(f"DROP TABLE {table}")
    cursor.execute(f"ALTER TABLE {table}_new RENAME TO {table}")
    for sql in indexes:
        cursor.execute(sql)
    if cursor.execute(count).fetchone() != before:
        raise StudyError(f"not every row of {table} was carried over; nothing was changed")


def _change_postgresql(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'"))
        connection.execute(text("LOCK TABLE ballot, playback IN ACCESS EXCLUSIVE MODE"))
        for table, column in _PAIRS:
            for found in inspect(connection).get_unique_constraints(table):
                if found["column_names"] == [column]:
                    connection.execute(
                        text(f'ALTER TABLE {table} DROP CONSTRAINT "{found["name"]}"')
                    )
                    connection.execute(
                        text(f'ALTER TABLE {table} ADD UNIQUE (presentation_id, "{column}")')
                    )
        if "group_number" not in [c["name"] for c in inspect(connection).get_columns("qa_pair")]:
            connection.execute(text(_ADD_GROUP))
        note_version(connection)
