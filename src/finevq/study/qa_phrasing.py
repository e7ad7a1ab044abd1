"""Let a language model say pairs in other words; what no longer agrees with the labels is dropped.

Any OpenAI-compatible endpoint will do. Source of the idea: FineVQ, section 3.2 (GPT-4, revised by
people). Nothing is sent but the text of question and answer: no video, no name.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from finevq.errors import StudyError
from finevq.study.qa import QaPair, check_pair

TIMEOUT_SECONDS = 60.0
RETRY_SECONDS = (1.0, 4.0, 15.0)
"""Waits before the further attempts, where the endpoint is busy or out of reach."""
PROMPT = (
    "Say the following question and answer about the quality of a video in other words. Keep every "
    "number, quality level and name of a distortion exactly as it is, add no facts, and do not "
    "mention the answer in the question. Reply with JSON only: "
    '{{"question": "...", "answer": "..."}}\n\nQuestion: {question}\nAnswer: {answer}'
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """Where the language model is."""

    url: str
    """Base of the API, as in http://127.0.0.1:8000/v1."""
    model: str
    key: str = ""


@dataclass(slots=True)
class PhrasingReport:
    """What became of the pairs."""

    num_rephrased: int = 0
    num_refused: int = 0
    """Texts that did not agree with the labels, or were no JSON; the original stays."""


def rephrase(
    pairs: Iterable[QaPair], say: Callable[[str], str], report: PhrasingReport
) -> Iterator[QaPair]:
    """Yield each pair in new words where they pass `check_pair`, as it was where they do not.

    Args:
        pairs: Pairs to say anew.
        say: Sends a prompt and returns the reply.
        report: Counts are added to it.
    """
    for pair in pairs:
        reply = say(PROMPT.format(question=pair.question, answer=pair.answer))
        candidate = _parse(pair, reply)
        if candidate is None or check_pair(candidate):
            report.num_refused += 1
            yield pair
        else:
            report.num_rephrased += 1
            yield candidate


def endpoint_speaker(
    endpoint: Endpoint, wait: Callable[[float], None] = time.sleep
) -> Callable[[str], str]:
    """Return a function that sends a prompt to an endpoint, again where it is busy.

    The function raises:
        StudyError: the endpoint cannot be reached, refuses, or answers something else.
    """
    url = endpoint.url.rstrip("/") + "/chat/completions"
    if not url.startswith(("http://", "https://")):
        raise StudyError(f"the endpoint {endpoint.url!r} must begin with http:// or https://")
    headers = {"Content-Type": "application/json"}
    if endpoint.key:
        headers["Authorization"] = f"Bearer {endpoint.key}"

    def say(prompt: str) -> str:
        body = {
            "model": endpoint.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0.7,
        }
        request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers)
        for pause in (*RETRY_SECONDS, None):
            try:
                return _ask(request)
            except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
                if pause is None or not _is_passing(error):
                    raise StudyError(
                        f"the endpoint {endpoint.url} gave no text ({error}); it must speak "
                        "POST /chat/completions as OpenAI's does"
                    ) from None
                wait(pause)
        raise AssertionError("the last attempt returns or raises")

    return say


def _ask(request: urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
        return str(json.load(reply)["choices"][0]["message"]["content"])


def _is_passing(error: Exception) -> bool:
    """Tell whether asking again may help: no connection, too many requests, a server's fault."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code == 429 or error.code >= 500
    return isinstance(error, OSError)


def _parse(pair: QaPair, reply: str) -> QaPair | None:
    start, end = reply.find("{"), reply.rfind("}")
    try:
        values = json.loads(reply[start : end + 1])
        question, answer = str(values["question"]).strip(), str(values["answer"]).strip()
    except (ValueError, KeyError, TypeError):
        return None
    return replace(pair, question=question, answer=answer) if question and answer else None
