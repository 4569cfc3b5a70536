"""People and tokens, for those who administer: pages, and the same over the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from qagate.domain.person import Permission, Person, Role
from qagate.errors import PeopleError
from qagate.store import invitations, people, tokens
from qagate.store.tables import PersonRow, TokenRow
from qagate.web.access import needs
from qagate.web.first import address
from qagate.web.pages import templates
from qagate.web.problem import told
from qagate.web.reading import database_of, now

Admin = Annotated[Person, Depends(needs(Permission.ADMINISTER))]
Name = Annotated[str, PathParameter(max_length=64, pattern=r"^[^\x00]+$", description="name of the person")]
Number = Annotated[int, PathParameter(ge=1, le=2**31 - 1, description="number of the token")]

api = APIRouter(prefix="/api/v1", tags=["people"])
pages = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


class Someone(BaseModel):
    """One person who may come in, or came in once."""

    name: str
    role: Role
    source: str = Field(description="local, or the directory that vouches for them")
    created_at: datetime
    last_login_at: datetime | None
    disabled_at: datetime | None


class NewPerson(BaseModel):
    """Somebody to be added."""

    name: Annotated[str, Field(max_length=64)]
    role: Role = Role.VIEWER
    invited: bool = Field(True, description="return a one-time token; false for the name of a program")


class Change(BaseModel):
    """What is to be changed about a person; what is absent stays."""

    role: Role | None = None
    disabled: bool | None = None


class Invitation(BaseModel):
    """A one-time token for /setup, shown only here."""

    name: str
    token: str | None
    page: str


class Key(BaseModel):
    """One API token, without its secret."""

    number: int
    person: str
    name: str
    scopes: list[Permission]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(BaseModel):
    """A token to be made."""

    person: Annotated[str, Field(max_length=64, pattern=r"^[^\x00]*$")]
    name: Annotated[str, Field(max_length=32)]
    scopes: list[Permission] = [Permission.READ]
    days: Annotated[int, Field(ge=0, le=3650, description="0: until it is revoked")] = 365


class TypedKey(NewKey):
    """The same from a form, which says nothing of boxes without a tick: then nothing is granted."""

    scopes: list[Permission] = []


class Secret(BaseModel):
    """A new token, shown only here."""

    token: str


@api.get("/people", responses=told())
def list_people(request: Request, person: Admin) -> list[Someone]:
    """List all people, the disabled ones last."""
    with database_of(request).read() as session:
        return [_someone(row) for row in people.everybody(session)]


@api.post("/people", responses=told(409, 413, 422), status_code=201)
def add_person(request: Request, new: NewPerson, person: Admin) -> Invitation:
    """Add a person; the answer holds the one-time token with which they set a password."""
    at = now(request)
    with database_of(request).begin() as session:
        row = people.add(session, new.name, new.role, by=person.name, at=at)
        token = invitations.invite(session, row, by=person.name, at=at) if new.invited else None
    return _invitation(request, row.name, token)


@api.patch("/people/{name}", responses=told(404, 409, 413, 422))
def change_person(request: Request, name: Name, change: Change, person: Admin) -> Someone:
    """Change the role of a person, let them in no more, or again."""
    at = now(request)
    with database_of(request).begin() as session:
        row = people.get(session, name)
        if change.role is not None:
            people.set_role(session, row, change.role, by=person.name, at=at)
        if change.disabled is not None:
            (people.disable if change.disabled else people.enable)(session, row, by=person.name, at=at)
    return _someone(row)


@api.post("/people/{name}/invitation", responses=told(404, 409, 413, 422), status_code=201)
def invite_person(request: Request, name: Name, person: Admin) -> Invitation:
    """Return a one-time token with which a person sets another password."""
    with database_of(request).begin() as session:
        token = invitations.invite(session, people.get(session, name), by=person.name, at=now(request))
    return _invitation(request, name, token)


@api.get("/tokens", responses=told())
def list_tokens(request: Request, person: Admin) -> list[Key]:
    """List all API tokens, those in use first."""
    with database_of(request).read() as session:
        return [_key(row, name) for row, name in tokens.listing(session)]


@api.post("/tokens", responses=told(404, 409, 413, 422), status_code=201)
def add_token(request: Request, new: NewKey, person: Admin) -> Secret:
    """Make an API token; the answer is the only place where it can be read."""
    with database_of(request).begin() as session:
        return Secret(token=_made(session, new, person, now(request)))


@api.delete("/tokens/{number}", responses=told(404, 422), status_code=204)
def revoke_token(request: Request, number: Number, person: Admin) -> None:
    """Let an API token work no more."""
    with database_of(request).begin() as session:
        tokens.revoke(session, tokens.get(session, number), by=person.name, at=now(request))


@pages.get("/people")
def people_page(request: Request, person: Admin) -> Response:
    """Show all people."""
    return _people_page(request)


@pages.post("/people")
def add_by_form(
    request: Request,
    person: Admin,
    name: Annotated[str, Form(max_length=64)] = "",
    role: Annotated[Role, Form()] = Role.VIEWER,
) -> Response:
    """Add a person and show their one-time token."""
    try:
        made = add_person(request, NewPerson(name=name, role=role), person)
    except PeopleError as error:
        return _people_page(request, 409, wrong=str(error), typed={"name": name, "role": role})
    return _people_page(request, 201, invitation=made)


@pages.post("/people/{name}/{change}")
def change_by_form(
    request: Request,
    person: Admin,
    name: Name,
    change: Annotated[str, PathParameter(pattern=r"^(role|disable|enable|invite)$")],
    role: Annotated[Role | None, Form()] = None,
) -> Response:
    """Change one thing about a person."""
    does: dict[str, Callable[[], Any]] = {
        "role": lambda: change_person(request, name, Change(role=role), person),
        "disable": lambda: change_person(request, name, Change(disabled=True), person),
        "enable": lambda: change_person(request, name, Change(disabled=False), person),
        "invite": lambda: invite_person(request, name, person),
    }
    try:
        made = does[change]()
    except PeopleError as error:
        return _people_page(request, 409, wrong=str(error))
    return _people_page(request, invitation=made) if change == "invite" else RedirectResponse("/people", 303)


@pages.get("/tokens")
def tokens_page(request: Request, person: Admin) -> Response:
    """Show all API tokens."""
    return _tokens_page(request)


@pages.post("/tokens")
def add_token_by_form(request: Request, person: Admin, new: Annotated[TypedKey, Form()]) -> Response:
    """Make an API token and show it, once."""
    try:
        made = add_token(request, new, person)
    except PeopleError as error:
        return _tokens_page(request, 409, wrong=str(error), typed=new)
    return _tokens_page(request, 201, secret=made.token)


@pages.post("/tokens/{number}/revoke")
def revoke_by_form(request: Request, number: Number, person: Admin) -> Response:
    """Let an API token work no more."""
    revoke_token(request, number, person)
    return RedirectResponse("/tokens", 303)


def _made(session: Session, new: NewKey, person: Person, at: datetime) -> str:
    lasts = timedelta(days=new.days) if new.days else None
    row = people.get(session, new.person)
    return tokens.add(session, row, new.name, set(new.scopes), by=person.name, at=at, lasts=lasts)


def _people_page(request: Request, code: int = 200, **context: Any) -> Response:
    with database_of(request).read() as session:
        rows = people.everybody(session)
    context = {"rows": rows, "roles": list(Role), "typed": {}, **context}
    return templates.TemplateResponse(request, "people.html", context, status_code=code)


def _tokens_page(request: Request, code: int = 200, **context: Any) -> Response:
    with database_of(request).read() as session:
        rows = tokens.listing(session)
        names = [row.name for row in people.everybody(session) if row.disabled_at is None]
    context = {"rows": rows, "names": names, "permissions": list(Permission), "now": now(request), **context}
    context.setdefault("typed", NewKey(person="", name=""))
    return templates.TemplateResponse(request, "tokens.html", context, status_code=code)


def _invitation(request: Request, name: str, token: str | None) -> Invitation:
    return Invitation(name=name, token=token, page=f"{address(request.app.state.settings)}/setup")


def _someone(row: PersonRow) -> Someone:
    return Someone(
        name=row.name,
        role=Role(row.role),
        source=row.source,
        created_at=row.created_at,
        last_login_at=row.last_login_at,
        disabled_at=row.disabled_at,
    )


def _key(row: TokenRow, person: str) -> Key:
    return Key(
        number=row.id,
        person=person,
        name=row.name,
        scopes=[Permission(scope) for scope in row.scopes],
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
