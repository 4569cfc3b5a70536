"""Coming in and going out: /login, /logout, and /setup, where an invitation is turned into a password."""

from __future__ import annotations

import hmac
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person
from qagate.errors import DirectoryError, PeopleError
from qagate.settings import Settings
from qagate.store import audit, credentials, invitations, logins, people, throttle
from qagate.web import cookies
from qagate.web.access import ANONYMOUS, CHALLENGE, address_of, caller_of, lasting, let_in, needs
from qagate.web.ldap import LdapDirectory
from qagate.web.origin import SentFormToken, comes_from_elsewhere, form_token_of, is_token
from qagate.web.pages import templates
from qagate.web.reading import database_of, now
from qagate.web.vouching import Vouched

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

WRONG = "Name or password is not right"
TOO_OLD = "This form is too old, or the browser keeps no cookies. Try once more"

Typed = Annotated[str, Form(max_length=1024)]


def inside(address: str) -> str:
    """Return the address if it is a path of ours, else the worklist: nobody is sent to another site by a login."""
    parts = urlsplit(address)
    plain = address.isascii() and address.isprintable() and "\\" not in address
    own = plain and not parts.scheme and not parts.netloc and address.startswith("/") and not address.startswith("//")
    return address if own else "/"


@router.get("/login")
def login_page(request: Request, next: Annotated[str, Query(max_length=2048)] = "/") -> Response:  # noqa: A002
    """Show the form to log in."""
    return form(request, "login.html", {"next": inside(next)})


@router.post("/login")
def log_in(
    request: Request,
    sent: SentFormToken,
    name: Typed = "",
    password: Typed = "",
    next: Typed = "/",  # noqa: A002
) -> Response:
    """Log in, and go on to where the person wanted to."""
    context = {"next": inside(next), "name": name[:64]}
    if not _own_form(request, sent):
        return form(request, "login.html", {**context, "wrong": TOO_OLD}, 403)
    settings: Settings = request.app.state.settings
    database, at, address = database_of(request), now(request), address_of(request)
    typed = name.strip().casefold()
    with database.begin() as session:
        wait = throttle.attempt(session, typed, address, at=at)
    if wait:
        seconds = int(wait) + 1
        said = {**context, "wrong": f"Too many tries. Wait {seconds} s and try again"}
        return form(request, "login.html", said, 429, {"Retry-After": str(seconds)})
    with database.read() as session:
        row = people.find(session, typed) if people.NAME.fullmatch(typed) else None
    kept = row.password_hash if row and row.disabled_at is None else None
    right = credentials.matches(password, kept)  # takes as long for nobody
    vouched, refused = None, WRONG
    if not right and (row is None or row.source != "local"):  # a directory has no say in who has a password here
        try:
            vouched = _asked_of_the_directory(request, typed, password)
        except DirectoryError as error:
            refused = str(error)
    with database.begin() as session:
        if vouched is not None:
            try:
                row = people.vouched(session, vouched.subject, vouched.name, vouched.role, at=at)
            except PeopleError as error:
                vouched, refused = None, str(error)
        if (not right and vouched is None) or row is None:
            # what was typed is not kept: it may be a password in the wrong field
            who, why = (row.name, "") if row else (ANONYMOUS, "unknown name")
            audit.record(session, who, Act.LOGIN_FAILED, "", why, at, address=address)
            secret = ""
        else:
            throttle.succeeded(session, typed, address)
            row = session.merge(row)
            secret = logins.open_login(
                session, row, lasting=lasting(settings), at=at, address=address,
                browser=request.headers.get("user-agent", ""), how="directory" if vouched else "password",
            )  # fmt: skip
    if not secret:
        return form(request, "login.html", {**context, "wrong": refused}, 401, CHALLENGE)
    return let_in(request, secret, inside(next))


def _asked_of_the_directory(request: Request, name: str, password: str) -> Vouched | None:
    directory: LdapDirectory | None = request.app.state.ldap
    return directory.vouch(name, password) if directory and people.NAME.fullmatch(name) else None


@router.post("/logout")
def log_out(request: Request, person: Annotated[Person, Depends(needs(Permission.READ))]) -> Response:
    """Log out of this browser."""
    caller = caller_of(request)
    if caller is not None and caller.login:
        with database_of(request).begin() as session:
            logins.close(session, caller.login, who=person.name, at=now(request), address=address_of(request))
    answer = RedirectResponse("/login", 303)
    cookies.forget(request, answer)
    return answer


@router.get("/setup")
def setup_page(request: Request) -> Response:
    """Show the form in which an invitation becomes a password."""
    return form(request, "setup.html", {})


@router.post("/setup")
def set_up(
    request: Request, sent: SentFormToken, token: Typed = "", name: Typed = "", password: Typed = "", again: Typed = ""
) -> Response:
    """Set the password of an invited person, or make the first admin, and log in."""
    context = {"token": token, "name": name[:64]}
    if not _own_form(request, sent):
        return form(request, "setup.html", {**context, "wrong": TOO_OLD}, 403)
    settings: Settings = request.app.state.settings
    database, at, address = database_of(request), now(request), address_of(request)
    try:
        with database.begin() as session:
            wait = throttle.attempt(session, "setup", address, at=at)
        if wait:
            raise PeopleError(f"too many tries: wait {int(wait) + 1} s and try again")
        with database.read() as session:
            invited = invitations.look(session, token, at=at)
        if invited is None:
            raise PeopleError("this token is not known, was used, or is older than a day; ask for another one")
        if not hmac.compare_digest(password.encode("utf-8", "replace"), again.encode("utf-8", "replace")):
            raise PeopleError("the two passwords differ; type them again")
        name = invited.name or people.cleaned(name)
        kept = credentials.hash_password(password, name=name, least=settings.people.password_min_length)
        with database.begin() as session:
            row = invitations.accept(session, token, name, kept, at=at)
            throttle.succeeded(session, "setup", address)
            secret = logins.open_login(
                session, row, lasting=lasting(settings), at=at, address=address,
                browser=request.headers.get("user-agent", ""), how="invitation",
            )  # fmt: skip
    except PeopleError as error:
        return form(request, "setup.html", {**context, "wrong": str(error)}, 422)
    return let_in(request, secret, "/")


def _own_form(request: Request, sent: str) -> bool:
    secret = cookies.form_of(request)
    return bool(secret) and not comes_from_elsewhere(request) and is_token(sent, secret)


def form(
    request: Request, template: str, context: dict[str, Any], code: int = 200, headers: dict[str, str] | None = None
) -> Response:
    """Return a page with a form that belongs to this browser: what another site sends in its name is refused."""
    secret = cookies.form_of(request) or credentials.new_secret()
    with database_of(request).read() as session:
        empty = not people.has_admin(session)
    context = {"name": "", "wrong": "", **context, "form_token": form_token_of(secret), "nobody_yet": empty}
    context["directory"] = request.app.state.directory
    answer = templates.TemplateResponse(request, template, context, status_code=code, headers=headers)
    cookies.set_form(request, answer, secret)
    return answer
