"""The way to the directory and back: /login/oidc and /login/oidc/back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from qagate.domain.audit import Act
from qagate.errors import DirectoryError, PeopleError
from qagate.store import audit, logins, people
from qagate.web import cookies
from qagate.web.access import ANONYMOUS, CHALLENGE, address_of, lasting, let_in
from qagate.web.login import form, inside
from qagate.web.oidc import Directory, Journey
from qagate.web.reading import database_of, now

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


def _directory(request: Request) -> Directory:
    directory: Directory | None = request.app.state.directory
    if directory is None:
        raise HTTPException(404, "this node asks no directory; set people.oidc to let it")
    return directory


@router.get("/login/oidc")
def go(request: Request, next: Annotated[str, Query(max_length=2048)] = "/") -> Response:  # noqa: A002
    """Send the browser to the directory."""
    directory, journey = _directory(request), Journey.new()
    try:
        answer = RedirectResponse(directory.address(journey, at=now(request)), 303)
    except DirectoryError as error:
        return form(request, "login.html", {"next": inside(next), "wrong": str(error)}, 502)
    cookies.set_journey(request, answer, journey.cookie(), inside(next))
    return answer


@router.get("/login/oidc/back")
def come_back(
    request: Request,
    state: Annotated[str, Query(max_length=256)] = "",
    code: Annotated[str, Query(max_length=4096)] = "",
    error: Annotated[str, Query(max_length=256)] = "",
) -> Response:
    """Let in whom the directory vouches for."""
    directory, at, address = _directory(request), now(request), address_of(request)
    kept, wanted = cookies.journey_of(request)
    database = database_of(request)
    try:
        if error or not code:
            raise DirectoryError("the directory let nobody in")
        vouched = directory.vouch(Journey.from_cookie(kept), state=state, code=code, at=at)
        with database.begin() as session:
            row = people.vouched(session, vouched.subject, vouched.name, vouched.role, at=at)
            secret = logins.open_login(
                session, row, lasting=lasting(request.app.state.settings), at=at, address=address,
                browser=request.headers.get("user-agent", ""), how="directory",
            )  # fmt: skip
    except (DirectoryError, PeopleError) as fault:
        with database.begin() as session:
            audit.record(session, ANONYMOUS, Act.LOGIN_FAILED, "", f"directory: {fault}", at, address=address)
        answer = form(request, "login.html", {"next": inside(wanted), "wrong": str(fault)}, 401, CHALLENGE)
        cookies.end_journey(request, answer)
        return answer
    answer = let_in(request, secret, inside(wanted))
    cookies.end_journey(request, answer)
    return answer
