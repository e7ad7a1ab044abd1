"""Routes of the experimenter, behind a password: progress, clips, subjects, QA pairs, audit."""

import hashlib
import hmac
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from finevq.errors import StudyError
from finevq.study.agreement import agreement_of, half_widths
from finevq.study.definition import Role, StudyDefinition
from finevq.study.flags import flags_of
from finevq.study.mos import estimate_mos
from finevq.study.qa_revision import PairProblemError, clip_of, count_by_status, next_open, revise
from finevq.study.rendering import render
from finevq.study.results import StudyResults, SubjectProgress, read_results
from finevq.study.store import Store, is_password
from finevq.study.tables import ClipRow, QaRow
from finevq.study.votes import FloatArray, VoteTable, mean_of

RowId = Annotated[int, PathParameter(ge=1, le=2**31 - 1)]
COOKIE = "finevq_experimenter"
SESSION_SECONDS = 12 * 3600
FAILURE_DELAY_SECONDS = 0.5
"""Slows guessing of the password."""


class NotLoggedInError(StudyError):
    """The page needs the experimenter's password."""

    http_status = 401


def experimenter_router(store: Store, folder: Path) -> APIRouter:
    """Build the routes below /experimenter; `folder` holds the clips."""
    router = APIRouter()
    _add_login(router, store)
    pages = APIRouter(dependencies=[Depends(_guard(store))])
    _add_progress(pages, store)
    _add_clips(pages, store, folder)
    _add_qa(pages, store)
    router.include_router(pages)
    return router


def _add_login(router: APIRouter, store: Store) -> None:
    @router.get("/experimenter/login", response_class=HTMLResponse)
    def login_page() -> str:
        return render("login.html", title="Experimenter", failed=False)

    @router.post("/experimenter/login")
    def login(password: Annotated[str, Form(max_length=200)] = "") -> Response:
        with store.reading() as session:
            study = store.study(session)
        if not is_password(password, study.password_hash):
            time.sleep(FAILURE_DELAY_SECONDS)
            return HTMLResponse(
                render("login.html", title="Experimenter", failed=True), status_code=401
            )
        store.log("experimenter", "log in")
        response = RedirectResponse("/experimenter", status_code=303)
        expiry = str(int(time.time()) + SESSION_SECONDS)
        response.set_cookie(
            COOKIE,
            f"{expiry}.{_sign(expiry, study.secret)}",
            max_age=SESSION_SECONDS,
            httponly=True,
            samesite="strict",
        )
        return response

    @router.post("/experimenter/logout")
    def logout() -> Response:
        response = RedirectResponse("/experimenter/login", status_code=303)
        response.delete_cookie(COOKIE)
        return response


def _add_progress(pages: APIRouter, store: Store) -> None:
    @pages.get("/experimenter", response_class=HTMLResponse)
    def overview() -> str:
        return render("overview.html", title=store.name, **_overview(read_results(store)))

    @pages.get("/experimenter/subjects/{label}", response_class=HTMLResponse)
    def subject(label: str) -> str:
        return render("subject.html", title=store.name, **_subject(read_results(store), label))

    @pages.post("/experimenter/subjects/{label}/delete")
    def delete(label: str, confirm: Annotated[str, Form()] = "") -> Response:
        if confirm != label:
            raise StudyError(f"type {label} to confirm that everything of {label} is to be deleted")
        store.delete_subject(label, actor="experimenter")
        return RedirectResponse("/experimenter", status_code=303)

    @pages.get("/experimenter/audit", response_class=HTMLResponse)
    def audit() -> str:
        return render("audit.html", title=store.name, entries=store.audit_log()[::-1])


def _add_clips(pages: APIRouter, store: Store, folder: Path) -> None:
    @pages.get("/experimenter/clips", response_class=HTMLResponse)
    def clips() -> str:
        return render("clips.html", title=store.name, **_clips(read_results(store)))

    @pages.get("/experimenter/clips/{clip_id}")
    def clip_file(clip_id: RowId) -> FileResponse:
        with store.reading() as session:
            clip = session.get(ClipRow, clip_id)
            if clip is None or clip.study_id != store.study(session).id:
                raise StudyError(f"this study has no clip {clip_id}")
            return FileResponse(folder / clip.file)


def _add_qa(pages: APIRouter, store: Store) -> None:
    def show(
        pair_id: int | None = None, typed: dict[str, str] | None = None, problem: str = ""
    ) -> str:
        """Return the page of a pair (the next open one), with what was typed and is wrong."""
        with store.reading() as session:
            study = store.study(session)
            pair = next_open(session, study) if pair_id is None else session.get(QaRow, pair_id)
            counts = count_by_status(session, study)
            clip = clip_of(session, study, pair) if pair else None
        if typed is None and pair is not None:
            typed = {"question": pair.question, "answer": pair.answer}
        return render(
            "qa.html",
            title=store.name,
            pair=pair,
            counts=counts,
            clip=clip,
            typed=typed,
            problem=problem,
        )

    @pages.get("/experimenter/qa", response_class=HTMLResponse)
    def qa() -> str:
        return show()

    @pages.post("/experimenter/qa/{pair_id}")
    def revise_pair(
        pair_id: RowId,
        action: Annotated[str, Form()],
        question: Annotated[str, Form(max_length=2000)] = "",
        answer: Annotated[str, Form(max_length=2000)] = "",
    ) -> Response:
        try:
            with store.writing() as session:
                revise(session, store.study(session), pair_id, action, question, answer)
        except PairProblemError as problem:
            page = show(pair_id, {"question": question, "answer": answer}, str(problem))
            return HTMLResponse(page, status_code=problem.http_status)
        return RedirectResponse("/experimenter/qa", status_code=303)


def _guard(store: Store) -> Callable[[Request], None]:
    def require_experimenter(request: Request) -> None:
        with store.reading() as session:
            secret = store.study(session).secret
        expiry, _, signature = request.cookies.get(COOKIE, "").partition(".")
        # As bytes: a forged signature may hold any character.
        is_signed = hmac.compare_digest(_sign(expiry, secret).encode(), signature.encode())
        if not is_signed or not expiry.isdigit() or int(expiry) < time.time():
            raise NotLoggedInError("please log in at /experimenter/login")

    return require_experimenter


def _sign(text: str, secret: str) -> str:
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()


def _overview(results: StudyResults) -> dict[str, Any]:
    tables = results.vote_tables()
    main = results.definition.dimensions[-1]
    table = tables[main.name]
    gold = {clip.name: clip.answers for clip in results.clips if clip.role == Role.GOLD}
    widths = half_widths(_first_votes(table))
    return {
        "results": results,
        "main": main,
        "flags": {
            person.subject: flags_of(
                person.subject, results.ballots, results.definition, gold, table
            )
            for person in results.subjects
        },
        "num_done": len(results.ballots),
        "num_total": sum(person.total for person in results.subjects),
        "mean_width": _finite(float(mean_of(widths, axis=0))),
        "agreement": agreement_of(table, (1.0, float(len(main.levels)))),
    }


def _clips(results: StudyResults) -> dict[str, Any]:
    main = results.definition.dimensions[-1]
    first = _first_votes(results.vote_tables()[main.name])
    table = results.vote_tables()[main.name]
    estimate, widths = estimate_mos(first), half_widths(first)
    wanted = len(results.subjects)
    rows = [
        {
            "clip": next(clip for clip in results.clips if clip.name == name),
            "num_votes": int(estimate.num_votes[index]),
            "missing": max(wanted - int(estimate.num_votes[index]), 0),
            "mos": _finite(float(estimate.quality[index])),
            "width": _finite(float(widths[index])),
        }
        for index, name in enumerate(table.stimuli)
    ]
    others = [clip for clip in results.clips if clip.role in {Role.TRAINING, Role.GOLD}]
    return {"rows": rows, "others": others, "main": main, "top": len(main.levels)}


def _first_votes(table: VoteTable) -> FloatArray:
    """Return (E, S, 1): second showings tell about the subject, not about the clip."""
    return table.votes[:, :, :1]


def _subject(results: StudyResults, label: str) -> dict[str, Any]:
    person = next((p for p in results.subjects if p.subject == label), None)
    if person is None:
        raise StudyError(f"no subject {label!r}")
    own = [ballot for ballot in results.ballots if ballot.subject == label]
    return {
        "person": person,
        "answers": [
            ("Questionnaire", _questionnaire(person, results.definition)),
            ("Viewing conditions", _viewing(person)),
        ],
        "ballots": own,
        "scales": results.definition.dimensions,
        "flags": _overview(results)["flags"][label],
    }


def _questionnaire(person: SubjectProgress, definition: StudyDefinition) -> dict[str, str]:
    """Return what a subject said, with the questions in full."""
    questions = {f"question_{i}": text for i, text in enumerate(definition.questions, start=1)}
    answers = person.questionnaire or {}
    return {questions.get(key, key.capitalize()): text for key, text in answers.items() if text}


def _viewing(person: SubjectProgress) -> dict[str, str]:
    """Return a subject's conditions; of the color plates only how many were read."""
    return {
        key.replace("_", " ").capitalize(): text
        for key, text in (person.viewing or {}).items()
        if text and not key.startswith("plate_")
    }


def _finite(value: float) -> float | None:
    return None if math.isnan(value) else value
