"""/me: who one is here, where one is logged in, and one's own password."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, HTTPException, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from qagate.domain.person import GRANTS, Permission, Person
from qagate.errors import PeopleError
from qagate.settings import Settings
from qagate.store import credentials, logins, people, throttle
from qagate.web import cookies
from qagate.web.access import address_of, caller_of, lasting, let_in, needs
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
api = APIRouter(prefix="/api/v1", tags=["people"])

Me = Annotated[Person, Depends(needs(Permission.READ))]
Typed = Annotated[str, Form(max_length=1024)]


class WhoAmI(BaseModel):
    """Who asks, as qagate sees it."""

    name: str
    role: str
    permissions: list[str] = Field(
        description="what this caller may do: the role's rights, less what a token leaves out"
    )


@api.get("/me", responses=told())
def who_am_i(person: Me) -> WhoAmI:
    """Say who asks, and what they may do."""
    may = [permission.value for permission in Permission if person.may(permission)]
    return WhoAmI(name=person.name, role=person.role.value, permissions=may)


@pages.get("/me")
def my_page(request: Request, person: Me) -> Response:
    """Show who one is, what one may do, and where one is logged in."""
    return _page(request, person)


@pages.post("/me/password")
def change_my_password(request: Request, person: Me, old: Typed = "", new: Typed = "", again: Typed = "") -> Response:
    """Change one's own password; every other login ends."""
    _logged_in(request)
    settings: Settings = request.app.state.settings
    database, at, address = database_of(request), now(request), address_of(request)
    try:
        with database.begin() as session:
            wait = throttle.attempt(session, person.name, address, at=at)
        if wait:
            raise PeopleError(f"too many tries: wait {int(wait) + 1} s and try again")
        with database.read() as session:
            kept = people.get(session, person.name).password_hash
        if not credentials.matches(old, kept):
            raise PeopleError("the old password is not right")
        if new != again:
            raise PeopleError("the two new passwords differ; type them again")
        made = credentials.hash_password(new, name=person.name, least=settings.people.password_min_length)
        with database.begin() as session:
            throttle.succeeded(session, person.name, address)
            row = people.get(session, person.name)
            people.set_password(session, row, made, by=person.name, at=at)
            secret = logins.open_login(
                session, row, lasting=lasting(settings), at=at, address=address,
                browser=request.headers.get("user-agent", ""), how="password changed",
            )  # fmt: skip
    except PeopleError as error:
        return _page(request, person, 422, wrong=str(error))
    return let_in(request, secret, "/me")


@pages.post("/me/logout-everywhere")
def log_out_everywhere(request: Request, person: Me) -> Response:
    """End all of one's own logins, this one too."""
    _logged_in(request)
    with database_of(request).begin() as session:
        row = people.get(session, person.name)
        logins.close_all(session, row, by=person.name, at=now(request), address=address_of(request))
    answer = RedirectResponse("/login", 303)
    cookies.forget(request, answer)
    return answer


def _logged_in(request: Request) -> None:
    caller = caller_of(request)
    if caller is None or caller.how != "login":
        raise HTTPException(403, "only somebody who logged in by name can change this, got a token or nobody")


def _page(request: Request, person: Person, code: int = 200, **context: Any) -> Response:
    at = now(request)
    with database_of(request).read() as session:
        row = people.find(session, person.name)
        lasts = lasting(request.app.state.settings)
        open_now = logins.of_person(session, row, lasting=lasts, at=at) if row else []
    context = {
        "row": row,
        "logins": open_now,
        "may": [permission.value for permission in Permission if permission in GRANTS[person.role]],
        **context,
    }
    return templates.TemplateResponse(request, "me.html", context, status_code=code)
