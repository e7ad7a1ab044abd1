"""Studies made by an earlier finevq: opened, backed up, brought up to date, on both databases.

The dumps in `data/` are of databases that the code before the change made: two studies, subjects in
the middle and at the end, an undone ballot, replays, free text, a pair under revision.
"""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, Select, Table, create_engine, inspect, select, text
from sqlalchemy.engine import make_url

from finevq.errors import StudyError
from finevq.study.folder import open_study
from finevq.study.results import BallotRecord, read_results
from finevq.study.schema import CURRENT_VERSION, read_version
from finevq.study.sessions import BallotForm, Outcome, SubjectSession
from finevq.study.store import Store

DATA = Path(__file__).parent / "data"
TOKENS = {"sqlite": "IKBI1ob-c_gLs0q4hYCxAg", "postgresql": "v4oTs11ByDSj-XifDyOahg"}
"""Of pilot's S02, who has rated the practice clip and one more."""

pytestmark = pytest.mark.full

OldStudy = tuple[Path, str]
"""A study's folder, and the token of S02."""


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> OldStudy:
    folder = tmp_path / "pilot"
    folder.mkdir()
    database = None
    script = (DATA / f"study_version1.{request.param}.sql").read_text()
    if request.param == "sqlite":
        with closing(sqlite3.connect(folder / "study.db")) as connection:
            connection.executescript(script)
    else:
        database = _new_database(request.getfixturevalue("postgres_url"), tmp_path.name)
        engine = create_engine(database)
        with engine.begin() as connection:
            connection.exec_driver_sql(script)
        engine.dispose()
    (folder / "study.json").write_text(json.dumps({"name": "pilot", "database": database}))
    return folder, TOKENS[request.param]


def _new_database(url: str, name: str) -> str:
    name = "".join(letter if letter.isalnum() else "_" for letter in name)
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _raw(folder: Path) -> Store:
    """Open a study's database as it is."""
    description = json.loads((folder / "study.json").read_text())
    url = description["database"] or f"sqlite:///{folder / 'study.db'}"
    return Store(url, description["name"])


def _contents(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table, without what an upgrade adds."""
    metadata = MetaData()
    with store.engine.connect() as connection:
        metadata.reflect(connection)
        return {
            name: [tuple(row) for row in connection.execute(_old_columns(table).order_by("id"))]
            for name, table in metadata.tables.items()
            if name not in {"schema_version", "audit"}
        }


def _old_columns(table: Table) -> Select[tuple[object, ...]]:
    names = sorted(column.name for column in table.columns if column.name != "group_number")
    return select(*(table.c[name] for name in names))


def _ballots(store: Store) -> tuple[BallotRecord, ...]:
    return read_results(store).ballots


def test_an_old_study_is_backed_up_and_brought_up_to_date_row_by_row(
    old: OldStudy, caplog: pytest.LogCaptureFixture
) -> None:
    folder, _ = old
    raw = _raw(folder)
    with raw.engine.connect() as connection:
        assert read_version(connection) == 1
    before, ballots = _contents(raw), _ballots(raw)
    raw.close()
    assert len(before["ballot"]) > len(ballots) > 3  # training and the undone one count as rows

    store = open_study(folder)
    assert f"from version 1 to {CURRENT_VERSION}" in caplog.text
    assert "study.version1.db" in caplog.text
    assert _contents(store) == before
    assert _ballots(store) == ballots
    assert store.audit_log()[-1].action == "upgrade database"
    with store.engine.connect() as connection:
        assert read_version(connection) == CURRENT_VERSION
    store.close()

    backup = folder / "study.version1.db"
    assert backup.stat().st_mode & 0o077 == 0
    caplog.clear()
    open_study(folder).close()
    assert caplog.text == ""
    assert [path.name for path in folder.glob("study.version1*")] == [backup.name]

    # The backup is a study of the earlier version itself.
    copy = folder.parent / "copy"
    copy.mkdir()
    (copy / "study.json").write_text('{"name": "pilot", "database": null}')
    (copy / "study.db").write_bytes(backup.read_bytes())
    copied = open_study(copy)
    assert f"from version 1 to {CURRENT_VERSION}" in caplog.text
    assert _contents(copied) == before
    copied.close()


def test_an_upgraded_database_has_the_constraints_of_a_new_one(
    old: OldStudy, tmp_path: Path
) -> None:
    folder, _ = old
    store = open_study(folder)
    new = Store(f"sqlite:///{tmp_path / 'new.db'}", "new")
    new.create({}, [], "secret")
    assert _shape(store) == _shape(new)
    store.close()
    new.close()


def _shape(store: Store) -> dict[str, object]:
    found = inspect(store.engine)
    return {
        table: (
            sorted(column["name"] for column in found.get_columns(table)),
            sorted(sorted(c["column_names"]) for c in found.get_unique_constraints(table)),
            sorted(
                (str(index["name"]), bool(index["unique"]))
                for index in found.get_indexes(table)
                if "duplicates_constraint" not in index
            ),
            sorted(
                (key["referred_table"], *key["constrained_columns"], str(key["options"]))
                for key in found.get_foreign_keys(table)
            ),
        )
        for table in found.get_table_names()
    }


def test_a_subject_goes_on_where_he_was_and_his_votes_count_once(old: OldStudy) -> None:
    folder, token = old
    store = open_study(folder)
    before = len(_ballots(store))
    session = SubjectSession(store, token, iter(range(1_700_001_000, 1_700_009_000)).__next__)
    position = int(session.state()["clip"]["position"])
    session.start_playback(position, "playback-new")
    session.end_playback("playback-new")
    form = BallotForm(
        position=position,
        submission="ballot-new",
        ratings={"blur": 3, "overall": 3},
        attributes={"blur": ["none"]},
    )
    assert session.submit(form) is Outcome.STORED
    assert session.submit(form) is Outcome.KNOWN
    assert len(_ballots(store)) == before + 1
    # What belonged to his ballots still goes with him.
    store.delete_subject("S02")
    with store.reading() as transaction:
        orphans = "SELECT count(*) FROM rating WHERE ballot_id NOT IN (SELECT id FROM ballot)"
        assert transaction.execute(text(orphans)).scalar() == 0
    assert {ballot.subject for ballot in _ballots(store)} == {"S01"}
    store.close()


def test_a_failed_upgrade_leaves_the_database_as_it_was(
    old: OldStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = old
    raw = _raw(folder)
    before = _contents(raw)
    # Two rows of one presentation that the new constraint does not allow cannot come from the old
    # one; a table in the way can.
    with raw.engine.begin() as connection:
        connection.execute(text("CREATE VIEW schema_version AS SELECT 1 AS other"))
    with pytest.raises(StudyError, match="is as it was"):
        raw.bring_up_to_date(folder)
    assert _contents(raw) == before
    with raw.engine.begin() as connection:
        connection.execute(text("DROP VIEW schema_version"))
    with raw.engine.connect() as connection:
        assert read_version(connection) == 1
    raw.close()
    store = open_study(folder)
    assert _contents(store) == before
    store.close()


def test_a_newer_database_says_what_to_do(old: OldStudy) -> None:
    folder, _ = old
    store = open_study(folder)
    with store.writing() as session:
        session.execute(text("UPDATE schema_version SET version = 99"))
    store.close()
    with pytest.raises(StudyError, match=r"newer finevq \(version 99.*install that finevq"):
        open_study(folder)


def test_a_new_study_beside_old_ones_asks_to_open_them_first(old: OldStudy, tmp_path: Path) -> None:
    folder, _ = old
    raw = _raw(folder)
    second = Store(raw.url, "second")
    with pytest.raises(StudyError, match=r"earlier finevq \(version 1, now \d+\); open one"):
        second.create({}, [], "secret")
    open_study(folder).close()
    second.create({}, [], "secret")
    second.close()
    raw.close()
