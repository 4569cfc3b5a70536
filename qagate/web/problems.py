"""One shape for every error: a problem with one sentence, or the same sentence on a page."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException

from qagate.errors import PeopleError, PersonMissing, StoreError
from qagate.web.pages import templates
from qagate.web.problem import PROBLEM_TYPE, problem

logger = logging.getLogger(__name__)

DATABASE_AWAY = (
    "The database cannot be reached. Nothing is lost: what arrives is kept in the spool. Try again in a moment."
)
LOGGED_OUT = "You are not logged in any more: nothing was changed. Log in and try once more"
UNEXPECTED = "An unexpected fault on our side. Nothing was changed; the log has its details."


def install(app: FastAPI) -> None:
    """Make the application answer every error in the one shape."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(PeopleError, _cannot_be_done)
    app.add_exception_handler(StoreError, _database_away)
    app.add_exception_handler(Exception, _unexpected)


def answer(request: Request, code: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error as JSON, or as a page to a browser."""
    if "text/html" in request.headers.get("accept", "") and not request.url.path.startswith("/api/"):
        if code == 401 and request.method == "GET":  # the way in, and from there to where they wanted to go
            wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?{urlencode({'next': wanted})}", 303)
        context = {"code": code, "detail": LOGGED_OUT if code == 401 else detail}
        return templates.TemplateResponse(request, "problem.html", context, status_code=code, headers=headers)
    return JSONResponse(problem(code, detail), code, headers=headers, media_type=PROBLEM_TYPE)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = str(error.detail)
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:  # nobody said it better
        detail = f"there is nothing at this address, got {request.url.path[:80]}"
    return answer(request, error.status_code, detail, dict(error.headers or {}))


async def _malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return answer(request, 422, "; ".join(_sentence(one) for one in error.errors()))


def _sentence(error: dict[str, Any]) -> str:
    name = ".".join(str(part) for part in error["loc"][1:])
    return f"{name}: {error['msg'].removeprefix('Value error, ')}, got {str(error.get('input'))[:80]!r}"


async def _cannot_be_done(request: Request, error: Exception) -> Response:
    return answer(request, 404 if isinstance(error, PersonMissing) else 409, str(error))


async def _database_away(request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    return answer(request, 503, DATABASE_AWAY, {"Retry-After": "5"})


async def _unexpected(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return answer(request, 500, UNEXPECTED)
