"""The study server as a process: killed, asked twice and by many, on SQLite and on PostgreSQL."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from threading import Barrier
from typing import Any

import av
import httpx
import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from finevq.errors import StudyError
from finevq.settings import Settings
from finevq.study import sessions
from finevq.study.folder import create_study, open_study
from finevq.study.qa import QaPair
from finevq.study.qa_revision import add_pairs, revised_pairs
from finevq.study.results import read_results
from finevq.study.sessions import BallotForm, Outcome, SubjectSession
from finevq.study.store import Store
from finevq.study.tables import Presentation, Subject

ROOT = Path(__file__).resolve().parents[2]
NUM_CLIPS = 5
PASSWORD = "a password of the lab"
DIMENSIONS = ["color", "noise", "artifact", "blur", "temporal", "overall"]

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


def _write_clip(path: Path, shade: int) -> None:
    """Write a fifth of a second of moving stripes."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(2):
            picture = np.full((48, 64, 3), shade, np.uint8)
            picture[:, index * 8 : index * 8 + 16] = 255 - shade
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        out.mux(stream.encode(None))


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for index in range(NUM_CLIPS):
        _write_clip(folder / f"clip{index}.mp4", 40 * index)
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """The server as its own process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = "from finevq.cli.main import run; run()"
        arguments = ["study", "serve", str(self.folder), "--port", str(self.port)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        self._process = subprocess.Popen(
            [sys.executable, "-c", command, *arguments], env=environment
        )
        for _ in range(2400):
            try:
                if httpx.get(f"{self.url}/healthz", timeout=60).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._process.poll() is None, "the server ended at its start"
                time.sleep(0.1)
        pytest.fail("the server did not start")

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture(params=["sqlite", "postgresql"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, videos: Path) -> Path:
    """A study on either database."""
    database = request.getfixturevalue("postgres_url") if request.param == "postgresql" else None
    folder = tmp_path / f"study_{time.monotonic_ns()}"
    definition = {"repeat_share": 0.0, "session": {"clips_per_block": 100}}
    create_study(folder, videos, definition, Settings(), database=database, password=PASSWORD)
    return folder


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    running = Server(folder)
    running.start()
    yield running
    running.kill()


class Tab:
    """One browser tab of one subject, which sends again until it is answered."""

    def __init__(self, url: str, token: str, name: str) -> None:
        self._client = httpx.Client(base_url=f"{url}/s/{token}", timeout=120)
        self._name = name
        self.sent: dict[int, dict[str, int]] = {}
        """Position -> levels of the ballots that the server says it has stored."""
        self.outcomes: list[str] = []

    def ask(
        self, path: str, message: dict[str, Any] | None = None, form: dict[str, str] | None = None
    ) -> httpx.Response:
        """Ask until the server answers; like the page, take its own faults for no answer."""
        for _ in range(600):
            try:
                if message is None and form is None:
                    reply = self._client.get(path)
                else:
                    reply = self._client.post(path, json=message, data=form)
                if reply.status_code < 500:
                    return reply
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        pytest.fail("the server did not come back")

    def begin(self) -> None:
        for step, form in (
            ("consent", {"agree": "yes"}),
            ("questionnaire", {"vision": "normal"}),
            ("viewing", {"screen": "1920x1080"}),
            ("instructions", {}),
        ):
            assert self.ask(f"/{step}", form=form).status_code == 303

    def state(self) -> dict[str, Any]:
        return dict(self.ask("/state").json())

    def watch(self, position: int) -> None:
        key = f"playback-{self._name}-{position}"
        self.ask("/play", {"position": position, "key": key})
        # A twentieth of a second more than the slack allows.
        time.sleep(0.05)
        self.ask("/played", {"key": key})

    def ballot(self, position: int, level: int) -> dict[str, Any]:
        """Return a whole ballot; the same submission id whenever it is sent."""
        return {
            "position": position,
            "submission": f"ballot-{self._name}-{position}",
            "ratings": dict.fromkeys(DIMENSIONS, level),
            "attributes": {name: ["none"] for name in DIMENSIONS[:-1]},
        }

    def vote(self, position: int, level: int) -> str:
        ballot = self.ballot(position, level)
        reply = self.ask("/ballot", ballot)
        assert reply.status_code == 200, reply.text
        outcome = str(reply.json()["outcome"])
        self.outcomes.append(outcome)
        if outcome != "taken":
            self.sent[position] = ballot["ratings"]
        return outcome

    def rate_all(self) -> None:
        while (state := self.state())["stage"] == "rating":
            position = int(state["clip"]["position"])
            self.watch(position)
            self.vote(position, 1 + position % 5)

    def close(self) -> None:
        self._client.close()


def _invite(folder: Path, count: int) -> dict[str, str]:
    store = open_study(folder)
    invited = dict(store.invite(count))
    store.close()
    return invited


def _stored(folder: Path) -> dict[str, dict[int, dict[str, int]]]:
    store = open_study(folder)
    ballots = read_results(store).ballots
    store.close()
    stored: dict[str, dict[int, dict[str, int]]] = {}
    for ballot in ballots:
        assert ballot.position not in stored.setdefault(ballot.subject, {}), "a doubled vote"
        stored[ballot.subject][ballot.position] = ballot.levels
    return stored


def test_a_server_killed_in_the_middle_of_ratings_loses_and_doubles_nothing(server: Server) -> None:
    tabs = {
        label: Tab(server.url, token, label) for label, token in _invite(server.folder, 4).items()
    }
    for tab in tabs.values():
        tab.begin()
    with ThreadPoolExecutor(len(tabs)) as pool:
        running = [pool.submit(tab.rate_all) for tab in tabs.values()]
        for _ in range(2):
            before = sum(len(tab.sent) for tab in tabs.values())
            while sum(len(tab.sent) for tab in tabs.values()) < before + 3 and not all(
                task.done() for task in running
            ):
                time.sleep(0.01)
            server.kill()
            # In the middle: there was something to lose, and something is still to come.
            assert before + 3 <= sum(len(tab.sent) for tab in tabs.values()) < 4 * NUM_CLIPS
            assert not any(task.done() for task in running)
            server.start()
        for task in running:
            task.result()
    assert _stored(server.folder) == {label: tab.sent for label, tab in tabs.items()}
    assert all(len(tab.sent) == NUM_CLIPS for tab in tabs.values())
    for tab in tabs.values():
        tab.close()


def test_a_vote_whose_answer_was_lost_with_the_server_is_sent_again_and_counts_once(
    server: Server,
) -> None:
    ((label, token),) = _invite(server.folder, 1).items()
    tab = Tab(server.url, token, label)
    tab.begin()
    position = int(tab.state()["clip"]["position"])
    tab.watch(position)
    body = json.dumps(tab.ballot(position, 2)).encode()
    head = (
        f"POST /s/{token}/ballot HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(head.encode() + body)
        for _ in range(600):  # on disk, and nobody has read the answer
            if _stored(server.folder):
                break
            time.sleep(0.1)
        server.kill()
    server.start()
    assert tab.vote(position, 2) == "known"
    assert _stored(server.folder) == {label: tab.sent}
    assert int(tab.state()["clip"]["position"]) != position
    tab.close()


def test_the_database_alone_keeps_votes_single(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the looks before the write, the constraints still let one of many ballots through."""
    ((label, token),) = _invite(folder, 1).items()
    store = open_study(folder)
    subject = SubjectSession(store, token)
    subject.consent()
    subject.answer_questionnaire({})
    subject.confirm_viewing({})
    subject.confirm_instructions()
    position = int(subject.state()["clip"]["position"])
    subject.start_playback(position, "playback")
    time.sleep(0.05)
    subject.end_playback("playback")

    def first_place(session: Session, subject: Subject) -> Presentation | None:
        return session.scalar(
            select(Presentation).where(
                Presentation.subject_id == subject.id, Presentation.position == position
            )
        )

    monkeypatch.setattr(sessions, "_current", first_place)
    monkeypatch.setattr(sessions, "_is_known", lambda *_: False)
    start = Barrier(8)

    def send(number: int) -> Outcome:
        form = BallotForm(
            position=position,
            submission="the-same-page" if number < 4 else f"another-page-{number}",
            ratings=dict.fromkeys(DIMENSIONS, 1 + number % 5),
            attributes={name: ["none"] for name in DIMENSIONS[:-1]},
        )
        start.wait()
        return SubjectSession(store, token).submit(form)

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(send, range(8)))
    assert sorted(outcomes) == [Outcome.STORED] + [Outcome.TAKEN] * 7
    winner = outcomes.index(Outcome.STORED)
    assert _stored(folder) == {label: {position: dict.fromkeys(DIMENSIONS, 1 + winner % 5)}}
    store.close()


def test_two_tabs_of_one_subject_give_one_vote_a_clip(server: Server) -> None:
    ((label, token),) = _invite(server.folder, 1).items()
    one, other = (Tab(server.url, token, f"{label}-{name}") for name in ("one", "other"))
    one.begin()
    for _ in range(NUM_CLIPS):
        position = int(one.state()["clip"]["position"])
        one.watch(position)
        with ThreadPoolExecutor(2) as pool:
            votes = [pool.submit(one.vote, position, 2), pool.submit(other.vote, position, 4)]
            outcomes = [vote.result() for vote in votes]
        assert sorted(outcomes) == ["stored", "taken"]
    assert _stored(server.folder) == {label: one.sent | other.sent}
    assert one.state()["stage"] == "done"
    one.close()
    other.close()


def test_thirty_subjects_at_once_are_all_heard(server: Server) -> None:
    tabs = {
        label: Tab(server.url, token, label) for label, token in _invite(server.folder, 30).items()
    }

    def take_part(tab: Tab) -> None:
        tab.begin()
        tab.rate_all()

    with ThreadPoolExecutor(len(tabs)) as pool:
        list(pool.map(take_part, tabs.values()))
    assert _stored(server.folder) == {label: tab.sent for label, tab in tabs.items()}
    assert sum(len(tab.sent) for tab in tabs.values()) == 30 * NUM_CLIPS
    assert all(set(tab.outcomes) == {"stored"} for tab in tabs.values())
    for tab in tabs.values():
        tab.close()


def test_a_backup_of_the_running_study_is_a_study_of_its_own(
    server: Server, tmp_path: Path
) -> None:
    ((label, token),) = _invite(server.folder, 1).items()
    tab = Tab(server.url, token, label)
    tab.begin()
    tab.rate_all()
    tab.close()
    store = open_study(server.folder)
    store.backup(tmp_path / "backup.db")
    with pytest.raises(StudyError, match="a backup never overwrites"):
        store.backup(tmp_path / "backup.db")
    copy = Store(f"sqlite:///{tmp_path / 'backup.db'}", store.name)
    assert read_results(copy).ballots == read_results(store).ballots
    assert len(read_results(copy).ballots) == NUM_CLIPS
    # The same link goes on there, and the audit log has come along.
    assert SubjectSession(copy, token).state()["stage"] == "done"
    assert [entry.action for entry in copy.audit_log()] == ["create", "invite"]
    store.delete_subject(label)
    assert read_results(store).ballots == ()
    store.close()
    copy.close()


def test_the_experimenters_pages_are_closed_without_the_password(server: Server) -> None:
    with httpx.Client(base_url=server.url, timeout=120) as client:
        for page in ("", "/clips", "/subjects/S01", "/audit", "/qa"):
            assert client.get(f"/experimenter{page}").status_code == 401
        assert client.post("/experimenter/login", data={"password": "guess"}).status_code == 401
        forged = {"finevq_experimenter": "9999999999.00"}
        assert httpx.get(f"{server.url}/experimenter", cookies=forged).status_code == 401
        assert client.post("/experimenter/login", data={"password": PASSWORD}).status_code == 303
        for page in ("", "/clips", "/audit", "/qa"):
            reply = client.get(f"/experimenter{page}")
            assert reply.status_code == 200
            assert "default-src 'self'" in reply.headers["content-security-policy"]
        clip = re.search(r"/experimenter/clips/\d+", client.get("/experimenter/clips").text)
        assert clip is not None
        assert client.get(clip[0]).headers["content-type"] == "video/mp4"
        assert client.get("/experimenter/clips/999999").status_code == 400
    assert httpx.get(f"{server.url}{clip[0]}", timeout=120).status_code == 401


def test_a_subject_sees_only_his_own_session(server: Server) -> None:
    invited = _invite(server.folder, 2)
    mine, his = (Tab(server.url, token, label) for label, token in invited.items())
    mine.begin()
    his.begin()
    position = int(his.state()["clip"]["position"])
    his.ask("/play", {"position": position, "key": "his-playback"})
    reply = mine.ask("/played", {"key": "his-playback"})
    assert reply.status_code == 400
    assert reply.json() == {"error": "this clip was not started"}
    assert mine.ask(f"/clip/{position + 1}").status_code == 400
    assert httpx.get(f"{server.url}/s/guessed/state", timeout=60).status_code == 400
    huge = httpx.post(
        f"{server.url}/s/guessed/ballot", content=json.dumps({"x": "y" * 300_000}), timeout=60
    )
    assert huge.status_code == 413
    mine.close()
    his.close()


def test_requests_that_no_page_makes_are_refused_in_words_and_change_nothing(
    server: Server,
) -> None:
    ((label, token),) = _invite(server.folder, 1).items()
    tab = Tab(server.url, token, label)
    # Nothing personal, and no vote, before the consent.
    early = tab.ask("/questionnaire", form={"vision": "normal"})
    assert early.json() == {"error": "please read the first page and agree to it"}
    assert tab.ask("/play", {"position": 1, "key": "playback"}).status_code == 400
    tab.begin()
    position = int(tab.state()["clip"]["position"])
    whole = tab.ballot(position, 3)
    bad: list[tuple[str, bytes]] = [
        ("/ballot", b'{"position":'),
        ("/ballot", b'{"position": 1, "submission": "12345678", "ratings": {"color": NaN}}'),
        ("/ballot", json.dumps(whole | {"other": {"color": "x" * 301}}).encode()),
        ("/ballot", json.dumps(whole | {"position": 10**30}).encode()),
        ("/ballot", json.dumps(whole | {"submission": "ballot\ud83d1234"}).encode()),
        ("/play", b'{"position": 1, "key": "\\u0000playback"}'),
    ]
    address = f"{server.url}/s/{token}"
    for path, body in bad:
        headers = {"Content-Type": "application/json"}
        reply = httpx.post(address + path, content=body, headers=headers, timeout=120)
        assert reply.status_code == 422, (path, body, reply.text)
        assert reply.json()["error"].startswith("this request is not understood")
    unseen = httpx.post(address + "/ballot", json=whole, timeout=120)
    assert unseen.json() == {"error": "the clip has to be watched to its end before it is rated"}
    page = httpx.get(f"{server.url}/nothing", headers={"Accept": "text/html"}, timeout=120)
    assert page.status_code == 404
    assert "There is no such page." in page.text
    forged = {"Cookie": b"finevq_experimenter=\xfc.\xe4"}
    assert httpx.get(f"{server.url}/experimenter", headers=forged, timeout=120).status_code == 401
    assert _stored(server.folder) == {}
    tab.close()


def test_text_that_no_database_takes_costs_no_vote(server: Server) -> None:
    ((label, token),) = _invite(server.folder, 1).items()
    tab = Tab(server.url, token, label)
    tab.begin()
    # Half an emoji is what is left where a full field cuts it.
    assert tab.ask("/questionnaire", form={"question_1": "a\x00b"}).status_code == 303
    position = int(tab.state()["clip"]["position"])
    tab.watch(position)
    ballot = tab.ballot(position, 2)
    ballot["attributes"]["blur"] = ["other"]
    ballot["other"] = {"blur": "ghosts \U0001f47b and half \ud83d\x00"}
    headers = {"Content-Type": "application/json"}
    reply = httpx.post(
        f"{server.url}/s/{token}/ballot",
        content=json.dumps(ballot).encode(),
        headers=headers,
        timeout=120,
    )
    assert reply.json()["outcome"] == "stored"
    store = open_study(server.folder)
    results = read_results(store)
    store.close()
    assert results.ballots[0].other == {"blur": "ghosts \U0001f47b and half"}
    assert results.subjects[0].questionnaire == {"question_1": "ab"}
    tab.close()


def test_a_pair_that_contradicts_its_labels_is_shown_again_as_it_was_typed(server: Server) -> None:
    store = open_study(server.folder)
    facts = {"dimension": "blur", "level": "mild"}
    pair = QaPair(
        video="clip0.mp4",
        family="rating",
        question="How is the blur?",
        answer="Mild.",
        facts=facts,
        group=7,
    )
    with store.writing() as session:
        assert add_pairs(session, store.study(session), [pair]) == 1
        assert add_pairs(session, store.study(session), [pair]) == 0  # it is up already
    with httpx.Client(base_url=server.url, timeout=120) as client:
        client.post("/experimenter/login", data={"password": PASSWORD})
        page = client.get("/experimenter/qa").text
        (action,) = re.findall(r'action="(/experimenter/qa/\d+)"', page)
        typed = {"action": "accept", "question": "How is the blur?", "answer": "It is <severe>."}
        refused = client.post(action, data=typed)
        assert refused.status_code == 400
        assert "It is &lt;severe&gt;." in refused.text
        assert "does not agree with the labels" in refused.text
        assert client.post(action, data=typed | {"answer": "It is mild."}).status_code == 303
        unknown = client.post("/experimenter/qa/999999999999999999999", data=typed)
        assert unknown.status_code == 422
    with store.reading() as session:
        (revised,) = revised_pairs(session, store.study(session))
    assert (revised.answer, revised.group) == ("It is mild.", 7)
    store.close()
