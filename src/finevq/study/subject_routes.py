"""Routes of the subjects: pages before the rating, then the player's JSON."""

import re
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, BeforeValidator, Field

from finevq.study.definition import NO_ATTRIBUTE, OTHER_ATTRIBUTE, StudyDefinition
from finevq.study.rendering import render
from finevq.study.sessions import (
    MAX_TEXT,
    BallotForm,
    Outcome,
    Stage,
    SubjectSession,
)
from finevq.study.store import Store

NUM_PLATES = 3
DARK_PATCHES = (2, 4, 8, 12, 16)
BRIGHT_PATCHES = (253, 251, 247, 243, 239)
"""Gray values of the brightness check, on 0 and on 255."""

_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
"""Control characters, and halves of characters: a field that is full cuts an emoji in two. No
database takes them, and a rating must not fail because of one."""


def _storable(text: str) -> str:
    return _UNSTORABLE.sub("", text)


# Before the check of the type, which takes half a character for no text.
Text = Annotated[
    str,
    Field(max_length=300),
    BeforeValidator(lambda value: _storable(value) if isinstance(value, str) else value),
]
Key = Annotated[str, Field(min_length=8, max_length=64, pattern="^[!-~]+$")]
Position = Annotated[int, Field(ge=0, le=1_000_000)]


async def _form_of(request: Request) -> dict[str, str]:
    form = await request.form()
    return {
        _storable(name)[:MAX_TEXT]: _storable(value)
        for name, value in form.items()
        if isinstance(value, str)
    }


# Read by the event loop; the route that stores them waits for the database in a thread of its own.
Answers = Annotated[dict[str, str], Depends(_form_of)]


class PlaybackMessage(BaseModel):
    """A clip starts, or has ended."""

    position: Position = 0
    key: Key


class BallotMessage(BaseModel):
    """A whole ballot."""

    position: Position
    submission: Key
    ratings: dict[Text, int] = Field(max_length=50)
    attributes: dict[Text, list[Text]] = Field(default_factory=dict, max_length=50)
    other: dict[Text, Text] = Field(default_factory=dict, max_length=50)


def subject_router(store: Store, folder: Path) -> APIRouter:
    """Build the routes below /s/{token}."""
    router = APIRouter()
    _add_pages(router, store)
    _add_player(router, store, folder)
    return router


def _add_pages(router: APIRouter, store: Store) -> None:
    """Add the pages that come before the rating, and the player's page."""

    def back(token: str) -> RedirectResponse:
        return RedirectResponse(f"/s/{token}", status_code=303)

    @router.get("/s/{token}", response_class=HTMLResponse)
    def page(token: str) -> str:
        state = SubjectSession(store, token).state()
        return _page(Stage(state["stage"]), store.definition(), state, token)

    @router.post("/s/{token}/consent")
    def consent(token: str, agree: Annotated[str, Form()] = "") -> Response:
        if agree == "yes":
            SubjectSession(store, token).consent()
        return back(token)

    @router.post("/s/{token}/questionnaire")
    def questionnaire(token: str, answers: Answers) -> Response:
        SubjectSession(store, token).answer_questionnaire(answers)
        return back(token)

    @router.post("/s/{token}/viewing")
    def viewing(token: str, answers: Answers) -> Response:
        session = SubjectSession(store, token)
        session.confirm_viewing(_judged(answers, store.definition(), session.state()["subject"]))
        return back(token)

    @router.post("/s/{token}/instructions")
    def instructions(token: str) -> Response:
        SubjectSession(store, token).confirm_instructions()
        return back(token)


def _add_player(router: APIRouter, store: Store, folder: Path) -> None:
    """Add what the player asks for and sends."""

    @router.get("/s/{token}/state")
    def state(token: str) -> dict[str, Any]:
        return SubjectSession(store, token).state()

    @router.get("/s/{token}/clip/{position}")
    def clip(token: str, position: int) -> FileResponse:
        file = SubjectSession(store, token).current_clip_file(position)
        return FileResponse(folder / file, headers={"Cache-Control": "no-store"})

    @router.post("/s/{token}/play")
    def play(token: str, message: PlaybackMessage) -> dict[str, bool]:
        SubjectSession(store, token).start_playback(message.position, message.key)
        return {"ok": True}

    @router.post("/s/{token}/played")
    def played(token: str, message: PlaybackMessage) -> dict[str, Any]:
        session = SubjectSession(store, token)
        session.end_playback(message.key)
        return session.state()

    @router.post("/s/{token}/ballot")
    def ballot(token: str, message: BallotMessage) -> dict[str, Any]:
        session = SubjectSession(store, token)
        outcome = session.submit(BallotForm(**message.model_dump()))
        feedback = None if outcome is Outcome.TAKEN else session.feedback(message.position)
        return {"outcome": str(outcome), "feedback": feedback, "state": session.state()}

    @router.post("/s/{token}/undo")
    def undo(token: str) -> dict[str, Any]:
        session = SubjectSession(store, token)
        session.undo()
        return session.state()


def plate_digits(seed: int, subject: str) -> list[int]:
    """Return the digits of a subject's color plates, reproducible from the study's seed."""
    generator = np.random.default_rng([seed, int(subject.removeprefix("S")), 3])
    return [int(digit) for digit in generator.integers(2, 10, NUM_PLATES)]


def _page(stage: Stage, definition: StudyDefinition, state: dict[str, Any], token: str) -> str:
    values: dict[str, Any] = {
        "title": definition.title,
        "definition": definition,
        "base": f"/s/{token}",
        "state": state,
    }
    if stage is Stage.VIEWING:
        values["digits"] = plate_digits(definition.seed, state["subject"])
        values["dark"], values["bright"] = DARK_PATCHES, BRIGHT_PATCHES
    if stage in {Stage.RATING, Stage.BREAK, Stage.DONE}:
        values["setup"] = {
            "base": f"/s/{token}",
            "scales": [asdict(scale) for scale in definition.dimensions],
            "rules": asdict(definition.session),
            "contact": definition.contact,
            "none": NO_ATTRIBUTE,
            "other": OTHER_ATTRIBUTE,
            "state": state,
        }
        return render("player.html", **values)
    return render(f"{stage}.html", **values)


def _judged(answers: dict[str, str], definition: StudyDefinition, subject: str) -> dict[str, str]:
    """Add how many color plates were read rightly."""
    right = sum(
        answers.get(f"plate_{index}", "") == str(digit)
        for index, digit in enumerate(plate_digits(definition.seed, subject))
    )
    return answers | {"plates_right": f"{right} of {NUM_PLATES}"}
