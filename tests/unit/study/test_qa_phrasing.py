"""An OpenAI-compatible endpoint, played by a server in this process."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from finevq.errors import StudyError
from finevq.study.qa import QaPair
from finevq.study.qa_phrasing import (
    RETRY_SECONDS,
    Endpoint,
    PhrasingReport,
    endpoint_speaker,
    rephrase,
)

PAIR = QaPair(
    video="a.mp4",
    family="rating",
    question="Considering <blur>, how would you rate this video?",
    answer="It is mild.",
    facts={"dimension": "blur", "level": "mild"},
)


class Played(HTTPServer):
    """Answers each request with the next reply; keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.replies: list[tuple[int, Any]] = []
        self.asked: list[tuple[str, str, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Played

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers.get("Authorization", ""), body))
        status, reply = self.server.replies.pop(0)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(reply).encode())

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[Played]:
    played = Played()
    thread = Thread(target=played.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield played
    played.shutdown()
    thread.join()
    played.server_close()


def _url(server: Played) -> str:
    return f"http://127.0.0.1:{server.server_port}/v1/"


def _said(text: str) -> dict[str, Any]:
    return {"choices": [{"message": {"role": "assistant", "content": text}}]}


def test_pairs_are_sent_without_the_videos_name_and_come_back_in_other_words(
    server: Played,
) -> None:
    words = {"question": "How strong is the blur here?", "answer": "I see a mild one."}
    server.replies = [(200, _said(f"Here it is: {json.dumps(words)}"))]
    speak = endpoint_speaker(Endpoint(url=_url(server), model="some-model", key="secret"))
    (pair,) = rephrase([PAIR], speak, PhrasingReport())
    assert (pair.question, pair.answer) == (words["question"], words["answer"])
    ((path, authorization, body),) = server.asked
    assert (path, authorization) == ("/v1/chat/completions", "Bearer secret")
    assert body["model"] == "some-model"
    prompt = body["messages"][0]["content"]
    assert PAIR.question in prompt
    assert "a.mp4" not in prompt


def test_a_busy_endpoint_is_asked_again(server: Played) -> None:
    server.replies = [(429, {}), (503, {}), (200, _said("hello"))]
    waited: list[float] = []
    speak = endpoint_speaker(Endpoint(url=_url(server), model="m"), waited.append)
    assert speak("say hello") == "hello"
    assert waited == list(RETRY_SECONDS[:2])


@pytest.mark.parametrize(("status", "reply"), [(401, {}), (200, {"error": "no"}), (200, [])])
def test_an_endpoint_that_refuses_or_speaks_otherwise_is_an_error_at_once(
    server: Played, status: int, reply: object
) -> None:
    server.replies = [(status, reply)]
    speak = endpoint_speaker(Endpoint(url=_url(server), model="m"), pytest.fail)
    with pytest.raises(StudyError, match=r"gave no text .* must speak POST /chat/completions"):
        speak("say hello")


def test_an_endpoint_out_of_reach_is_an_error_in_the_end(server: Played) -> None:
    waited: list[float] = []
    speak = endpoint_speaker(Endpoint(url="http://127.0.0.1:9/v1", model="m"), waited.append)
    with pytest.raises(StudyError, match="gave no text"):
        speak("say hello")
    assert waited == list(RETRY_SECONDS)


def test_an_endpoint_is_an_http_address() -> None:
    with pytest.raises(StudyError, match="must begin with http"):
        endpoint_speaker(Endpoint(url="file:///etc/passwd", model="m"))
