"""The study server: joins the subjects' and the experimenter's routes, errors and headers.

Everything is served from here; no page needs another host.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from finevq.errors import FineVQError
from finevq.study.experimenter_routes import NotLoggedInError, experimenter_router
from finevq.study.rendering import render
from finevq.study.store import Store
from finevq.study.subject_routes import subject_router

MAX_BODY_BYTES = 256 * 1024
"""Larger requests are refused; a ballot has about one thousand."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; media-src 'self' blob:; img-src 'self' data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_log = logging.getLogger(__name__)


def create_app(store: Store, folder: Path) -> FastAPI:
    """Build the server of one study.

    Args:
        store: The study's database.
        folder: The study's folder, which holds the clips.
    """
    app = FastAPI(
        title=f"finevq study {store.name}", docs_url=None, redoc_url=None, openapi_url=None
    )
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"))
    app.include_router(subject_router(store, folder))
    app.include_router(experimenter_router(store, folder))
    app.middleware("http")(_guard)
    app.add_exception_handler(FineVQError, _show_error)
    app.add_exception_handler(RequestValidationError, _show_bad_request)
    app.add_exception_handler(HTTPException, _show_http_error)

    @app.get("/", response_class=HTMLResponse)
    def welcome() -> str:
        return render("welcome.html", title="Study")

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        with store.reading() as session:
            return {"study": store.study(session).name}

    return app


async def _guard(request: Request, forward: Callable[[Request], Awaitable[Response]]) -> Response:
    length = request.headers.get("content-length", "0")
    if request.method == "POST" and (not length.isdigit() or int(length) > MAX_BODY_BYTES):
        return JSONResponse({"error": f"at most {MAX_BODY_BYTES} bytes"}, status_code=413)
    response = await forward(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if not request.url.path.startswith(("/static", "/s/")) or "text/html" in response.headers.get(
        "content-type", ""
    ):
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _show_error(request: Request, error: Exception) -> Response:
    status = error.http_status if isinstance(error, FineVQError) else 500
    if status >= 500:
        _log.error("request to %s failed", request.url.path, exc_info=error)
    if isinstance(error, NotLoggedInError) and "text/html" in request.headers.get("accept", ""):
        page = render("login.html", title="Experimenter", failed=False)
        return HTMLResponse(page, status_code=status)
    return _refuse(request, str(error), status)


def _show_bad_request(request: Request, error: Exception) -> Response:
    """Say which field is wrong; never repeat what was sent, which may not even be text."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    texts = [f"{'.'.join(map(str, p['loc'][1:])) or 'body'}: {p['msg']}" for p in problems[:3]]
    safe = "; ".join(texts).encode("ascii", "replace").decode("ascii")
    return _refuse(request, f"this request is not understood ({safe})", 422)


def _show_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "internal error"
    return _refuse(request, "there is no such page" if status == 404 else detail, status)


def _refuse(request: Request, message: str, status: int) -> Response:
    """Answer with a page where one is wanted, with JSON elsewhere."""
    if "text/html" in request.headers.get("accept", ""):
        page = render("error.html", title="Something is wrong", message=message)
        return HTMLResponse(page, status_code=status)
    return JSONResponse({"error": message}, status_code=status)
