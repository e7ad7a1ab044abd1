"""The session's rules on a real database, without a browser."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from finevq.errors import StudyError
from finevq.study.results import read_results
from finevq.study.sessions import BallotForm, Outcome, SubjectSession
from finevq.study.store import Store, is_password

DEFINITION = {
    "dimensions": ["blur", "overall"],
    "repeat_share": 0.0,
    "session": {"clips_per_block": 3, "break_minutes": 5, "max_replays": 1},
}


def _clip(name: str, role: str = "test", source: str | None = None) -> dict[str, object]:
    return {
        "name": name,
        "source": source or name,
        "role": role,
        "category": "",
        "file": f"clips/{name}.mp4",
        "facts": {"duration_seconds": 0.1, "width": 64, "height": 48},
        "answers": {"overall": ["good"]} if role in {"training", "gold"} else {},
        "note": "",
    }


CLIPS = [_clip("practice", "training"), *(_clip(f"clip{index}") for index in range(6))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'study.db'}", "pilot")
    store.create(DEFINITION, CLIPS, "secret")
    yield store
    store.close()


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def session(store: Store, clock: Clock) -> SubjectSession:
    return begin(store, clock)


def begin(store: Store, clock: Clock) -> SubjectSession:
    """Invite a subject and take him to the first clip."""
    ((_, token),) = store.invite(1)
    session = SubjectSession(store, token, clock)
    session.consent()
    session.answer_questionnaire({"vision": "normal"})
    session.confirm_viewing({"screen": "1920x1080"})
    session.confirm_instructions()
    return session


def watch(session: SubjectSession) -> int:
    """Watch the current clip to its end and return its position."""
    position = int(session.state()["clip"]["position"])
    key = f"playback-{position}-{time.monotonic_ns()}"
    session.start_playback(position, key)
    session.end_playback(key)
    return position


def form(position: int, **values: object) -> BallotForm:
    """Return a whole ballot."""
    whole = {
        "position": position,
        "submission": f"ballot-{position}-{time.monotonic_ns()}",
        "ratings": {"blur": 3, "overall": 4},
        "attributes": {"blur": ["camera blur"]},
    }
    return BallotForm(**{**whole, **values})  # type: ignore[arg-type]


def rate(session: SubjectSession, **values: object) -> int:
    """Watch and rate the current clip."""
    position = watch(session)
    assert session.submit(form(position, **values)) is Outcome.STORED
    return position


def test_stages_follow_each_other(store: Store) -> None:
    ((label, token),) = store.invite(1)
    session = SubjectSession(store, token)
    with pytest.raises(StudyError, match="agree to it"):
        session.answer_questionnaire({})
    with pytest.raises(StudyError, match="before the first clip"):
        session.start_playback(1, "playback-key")
    stages = [session.state()["stage"]]
    for step in (
        session.consent,
        lambda: session.answer_questionnaire({}),
        lambda: session.confirm_viewing({}),
        session.confirm_instructions,
    ):
        step()
        stages.append(session.state()["stage"])
    assert label == "S01"
    assert stages == ["consent", "questionnaire", "viewing", "instructions", "rating"]


def test_a_clip_has_to_be_watched_before_it_is_rated(session: SubjectSession) -> None:
    with pytest.raises(StudyError, match="watched to its end"):
        session.submit(form(1))
    session.start_playback(1, "playback-key")
    with pytest.raises(StudyError, match="watched to its end"):
        session.submit(form(1))


def test_an_end_that_comes_too_early_does_not_count(tmp_path: Path, clock: Clock) -> None:
    store = Store(f"sqlite:///{tmp_path / 'long.db'}", "pilot")
    long_clip = _clip("long")
    long_clip["facts"] = {"duration_seconds": 60.0, "width": 64, "height": 48}
    store.create(DEFINITION, [long_clip], "secret")
    session = begin(store, clock)
    session.start_playback(1, "playback-key")
    clock.now += 50
    with pytest.raises(StudyError, match="watched to its end"):
        session.end_playback("playback-key")
    clock.now += 10
    session.end_playback("playback-key")
    assert session.state()["clip"]["can_rate"]
    store.close()


def test_replays_are_counted_and_limited(session: SubjectSession, store: Store) -> None:
    rate(session)
    position = watch(session)
    watch(session)
    with pytest.raises(StudyError, match="cannot be watched again"):
        session.start_playback(position, "third-playback")
    session.submit(form(position))
    assert [ballot.num_replays for ballot in read_results(store).ballots] == [1]


def test_the_same_submission_twice_is_one_ballot(session: SubjectSession, store: Store) -> None:
    rate(session)
    position = watch(session)
    ballot = form(position)
    assert session.submit(ballot) is Outcome.STORED
    assert session.submit(ballot) is Outcome.KNOWN
    assert len(read_results(store).ballots) == 1


def test_what_another_page_made_up_silences_no_vote(store: Store, clock: Clock) -> None:
    subjects = [begin(store, clock) for _ in range(2)]
    outcomes = [each.submit(form(watch(each), submission="the-same")) for each in subjects]
    assert outcomes == [Outcome.STORED, Outcome.STORED]


def test_a_second_tab_is_told_and_changes_nothing(session: SubjectSession, store: Store) -> None:
    rate(session)
    position = watch(session)
    assert session.submit(form(position)) is Outcome.STORED
    late = form(position, ratings={"blur": 1, "overall": 1})
    assert session.submit(late) is Outcome.TAKEN
    (ballot,) = read_results(store).ballots
    assert ballot.levels == {"blur": 3, "overall": 4}


def test_the_database_itself_refuses_a_second_counting_ballot(
    session: SubjectSession, store: Store
) -> None:
    rate(session)
    copy = text(
        "INSERT INTO ballot (presentation_id, submission, submitted_at, seconds, is_late, "
        "num_replays) SELECT presentation_id, 'another-key', submitted_at, seconds, is_late, "
        "num_replays FROM ballot"
    )
    with pytest.raises(IntegrityError), store.writing() as transaction:
        transaction.execute(copy)


def test_the_database_itself_refuses_a_vote_beyond_the_scale(
    session: SubjectSession, store: Store
) -> None:
    rate(session)
    with pytest.raises(IntegrityError), store.writing() as transaction:
        transaction.execute(text("UPDATE rating SET level = 6"))


def test_training_gives_feedback_and_is_kept_out_of_the_results(
    session: SubjectSession, store: Store
) -> None:
    position = rate(session)
    feedback = session.feedback(position)
    assert feedback is not None
    assert feedback["answers"][0] == {
        "dimension": "Overall",
        "given": "good",
        "right": ["good"],
        "is_right": True,
    }
    assert read_results(store).ballots == ()
    assert session.feedback(position + 1) is None


def test_the_last_rating_can_be_replaced_once(session: SubjectSession, store: Store) -> None:
    rate(session)
    first = rate(session)
    assert session.state()["can_undo"]
    assert session.undo() == first
    assert session.state()["clip"]["can_rate"]
    assert not session.state()["can_undo"]
    with pytest.raises(StudyError, match="only the last rated clip"):
        session.undo()
    session.submit(form(first, ratings={"blur": 1, "overall": 1}))
    (ballot,) = read_results(store).ballots
    assert ballot.levels == {"blur": 1, "overall": 1}


def test_a_rating_after_the_time_limit_is_kept_and_marked(
    session: SubjectSession, store: Store, clock: Clock
) -> None:
    rate(session)
    position = watch(session)
    clock.now += 61
    session.submit(form(position))
    (ballot,) = read_results(store).ballots
    assert ballot.is_late
    assert ballot.seconds == pytest.approx(61)


def test_a_long_block_ends_in_a_break_too(session: SubjectSession, clock: Clock) -> None:
    rate(session)
    watch(session)
    clock.now += 31 * 60
    session.submit(form(2))
    assert session.state()["stage"] == "break"


def test_training_cannot_be_undone(session: SubjectSession) -> None:
    rate(session)
    assert not session.state()["can_undo"]


def test_a_break_is_forced_after_a_block_and_ends_by_itself(
    session: SubjectSession, store: Store, clock: Clock
) -> None:
    for _ in range(4):
        rate(session)
    assert session.state()["stage"] == "break"
    assert session.state()["seconds_left"] == pytest.approx(300)
    with pytest.raises(StudyError, match="there is a break now"):
        session.start_playback(5, "playback-in-the-break")
    clock.now += 301
    assert session.state()["stage"] == "rating"
    for _ in range(3):
        rate(session)
    assert session.state()["stage"] == "done"
    assert len(read_results(store).ballots) == 6


def test_a_rating_undone_in_its_break_postpones_the_break(
    session: SubjectSession, clock: Clock
) -> None:
    for _ in range(4):
        last = rate(session)
    assert session.state()["stage"] == "break"
    assert session.state()["can_undo"]
    assert session.undo() == last
    assert session.state()["stage"] == "rating"
    session.submit(form(last))
    assert session.state()["stage"] == "break"
    assert session.state()["seconds_left"] == pytest.approx(300)
    clock.now += 301
    assert session.state()["stage"] == "rating"


def test_the_very_last_rating_can_be_replaced_too(session: SubjectSession, clock: Clock) -> None:
    while session.state()["stage"] != "done":
        last = rate(session)
        clock.now += 301
    assert session.state()["can_undo"]
    assert session.undo() == last
    session.submit(form(last, ratings={"blur": 1, "overall": 1}))
    assert session.state()["stage"] == "done"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"ratings": {"blur": 3}}, "please rate Overall too"),
        ({"ratings": {"blur": 6, "overall": 1}}, "Blur: 6 is not within 1 to 5"),
        ({"ratings": {"blur": 0, "overall": 1}}, "Blur: 0 is not within 1 to 5"),
        ({"ratings": {"blur": 1, "overall": 1, "smell": 1}}, "does not ask for smell"),
        ({"attributes": {}}, "Blur: please choose what you saw, or none"),
        ({"attributes": {"blur": ["moire"]}}, "moire is not among the choices"),
        ({"attributes": {"blur": ["none", "camera blur"]}}, "none excludes the other choices"),
        ({"attributes": {"blur": ["other"]}}, "please write what the other distortion is"),
    ],
)
def test_an_incomplete_ballot_is_refused_whole(
    session: SubjectSession, store: Store, values: dict[str, object], message: str
) -> None:
    rate(session)
    position = watch(session)
    with pytest.raises(StudyError, match=message):
        session.submit(form(position, **values))
    assert read_results(store).ballots == ()


def test_an_unknown_link_is_refused(store: Store) -> None:
    with pytest.raises(StudyError, match="this link is not valid"):
        SubjectSession(store, "guessed").state()


def test_a_new_link_stops_the_old_one(store: Store) -> None:
    ((label, old),) = store.invite(1)
    assert store.renew_link("s1")[0] == label
    _, new = store.renew_link(label.lower())
    assert SubjectSession(store, new).state()["subject"] == label
    with pytest.raises(StudyError, match="not valid"):
        SubjectSession(store, old).state()


def test_only_the_current_clip_can_be_fetched(session: SubjectSession) -> None:
    assert session.current_clip_file(1) == "clips/practice.mp4"
    with pytest.raises(StudyError, match="only the current clip"):
        session.current_clip_file(2)


def test_a_deleted_subject_leaves_nothing_but_the_audit(
    session: SubjectSession, store: Store
) -> None:
    rate(session)
    rate(session)
    store.delete_subject("S01")
    with store.reading() as transaction:
        for table in ("subject", "presentation", "playback", "ballot", "rating", "choice"):
            count = transaction.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar()
            assert count == 0, table
    assert [(e.action, e.detail) for e in store.audit_log()][-1] == ("delete subject", "S01")
    assert store.invite(1)[0][0] == "S02"


def test_a_backup_holds_every_vote(session: SubjectSession, store: Store, tmp_path: Path) -> None:
    rate(session)
    rate(session)
    store.backup(tmp_path / "copy" / "study.db")
    copy = Store(f"sqlite:///{tmp_path / 'copy' / 'study.db'}", "pilot")
    assert read_results(copy).ballots == read_results(store).ballots
    copy.close()


def test_a_study_is_created_once(store: Store) -> None:
    with pytest.raises(StudyError, match="already has a study 'pilot'"):
        store.create(DEFINITION, CLIPS, "secret")


def test_passwords_are_kept_as_salted_hashes(store: Store) -> None:
    with store.reading() as transaction:
        stored = store.study(transaction).password_hash
    assert "secret" not in stored
    assert is_password("secret", stored)
    assert not is_password("Secret", stored)


def test_an_impossible_database_url_is_explained() -> None:
    with pytest.raises(StudyError, match=r"as in sqlite:///study\.db"):
        Store("nothing", "pilot")
