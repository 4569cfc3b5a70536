"""Who asks, and whether they may: every route names the permission it needs, or is one of the few open ones."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Literal
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request
from fastapi.dependencies.models import Dependant
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import iter_route_contexts

from qagate.domain.audit import Act
from qagate.domain.person import Permission, Person, Role
from qagate.settings import Settings
from qagate.store import audit, logins, tokens
from qagate.store.logins import Lasting
from qagate.web import cookies
from qagate.web.origin import (
    SAFE_METHODS,
    SentFormToken,
    comes_from_elsewhere,
    form_token_of,
    is_token,
    needs_form_token,
)
from qagate.web.reading import database_of, now

logger = logging.getLogger(__name__)

ANONYMOUS = "anonymous"
"""The name of everybody who has not logged in, where settings give them a role."""

OPEN = frozenset(
    {
        "/static",
        "/healthz",
        "/readyz",
        "/room/{scanner}",
        "/room/{scanner}/now",
        "/login",
        "/login/oidc",
        "/login/oidc/back",
        "/setup",
    }
)
"""Paths that need no permission: they show no patient's series and change nothing but a login."""

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="qagate"'}
LOG_IN = "log in first, or send an API token as `Authorization: Bearer qg_...`, got neither"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how we know. login: digest of their login, form_token: what their forms must carry."""

    person: Person
    how: Literal["login", "token", "anonymous"]
    login: str = ""
    form_token: str = ""


def needs(permission: Permission, *, by_itself: bool = False) -> Callable[[Request, str], Person]:
    """Return a dependency that gives the person who asks, or refuses with 401 or 403.

    `person: Annotated[Person, Depends(needs(Permission.DECIDE))]`. by_itself: the page asks this without a person's
    doing, so it keeps no login alive.
    """

    def asked(request: Request, sent: SentFormToken) -> Person:
        caller = _caller(request, by_itself=by_itself)
        _same_site(request, caller, sent)
        if not caller.person.may(permission):
            _refuse(request, caller.person, permission)
        return caller.person

    asked.__dict__["permission"] = permission
    return asked


def address_of(request: Request) -> str:
    """Return the address that asks."""
    return request.client.host if request.client else ""


def lasting(settings: Settings) -> Lasting:
    """Return how long logins last here."""
    people = settings.people
    return Lasting(timedelta(minutes=people.session_idle_minutes), timedelta(hours=people.session_hours))


def caller_of(request: Request) -> Caller | None:
    """Return who asked, once a route's permission was looked at; None on the open pages."""
    return getattr(request.state, "caller", None)


def note(request: Request, act: Act, series_instance_uid: str = "", detail: str = "") -> None:
    """Add to the audit trail what the one who asks just saw or did."""
    caller = caller_of(request)
    who = caller.person.name if caller else ANONYMOUS
    with database_of(request).begin() as session:
        audit.record(session, who, act, series_instance_uid, detail, now(request), address=address_of(request))


def let_in(request: Request, secret: str, where: str) -> Response:
    """Send a browser on, logged in."""
    answer = RedirectResponse(where, 303)
    seconds = lasting(request.app.state.settings).whole.total_seconds()
    cookies.set_login(request, answer, secret, seconds=int(seconds))
    return answer


def _caller(request: Request, *, by_itself: bool) -> Caller:
    """Find out who asks, once for each request. Raises HTTPException 401."""
    known = caller_of(request)
    if known is None:
        known = _by_token(request) or _by_login(request, by_itself=by_itself) or _anonymous(request)
        if known is None:
            raise HTTPException(401, LOG_IN, CHALLENGE)
        request.state.caller = known
    return known


def _by_token(request: Request) -> Caller | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if not scheme:
        return None
    database, at = database_of(request), now(request)
    found = None
    if scheme.lower() == "bearer":
        with database.read() as session:
            found = tokens.person_of(session, secret.strip(), at=at)
    if found is None:  # never taken for anonymous: who shows a key means to be somebody
        logger.warning("an API token from %s was refused", address_of(request))
        challenge = {"WWW-Authenticate": 'Bearer realm="qagate", error="invalid_token"'}
        raise HTTPException(401, "this API token is not known, has expired or was revoked; ask for another", challenge)
    person, token = found
    if tokens.is_stale(token, at):
        with database.begin() as session:
            tokens.touch(session, token.id, at=at)
    return Caller(person, "token")


def _by_login(request: Request, *, by_itself: bool) -> Caller | None:
    secret = cookies.login_of(request)
    if not secret:
        return None
    database, at = database_of(request), now(request)
    with database.read() as session:
        found = logins.person_of(session, secret, lasting=lasting(request.app.state.settings), at=at)
    if found is None:
        return None
    person, login = found
    if not by_itself and logins.is_stale(login, at):
        with database.begin() as session:
            logins.touch(session, login.digest, at=at)
    return Caller(person, "login", login.digest, form_token_of(secret))


def _anonymous(request: Request) -> Caller | None:
    role = request.app.state.settings.people.anonymous_role
    if role is None or not _is_our_name(request):
        return None
    return Caller(Person(ANONYMOUS, Role(role)), "anonymous")


def _is_our_name(request: Request) -> bool:
    """Say whether a browser on this machine calls us by our own name or by a number.

    Else another site may have made its name point at this machine, and its pages would read ours as their own.
    """
    public = request.app.state.settings.web.public_url
    try:
        name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    except ValueError:
        name = ""
    return name in ("localhost", urlsplit(public or "").hostname) or _number(name) is not None or not _is_here(request)


def _is_here(request: Request) -> bool:
    number = _number(address_of(request))
    return number is not None and number.is_loopback


def _number(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _same_site(request: Request, caller: Caller, sent: str) -> None:
    """Refuse a change that another site's page asked for. A token is never sent by a browser of itself."""
    if request.method in SAFE_METHODS or caller.how == "token":
        return
    if comes_from_elsewhere(request):
        raise HTTPException(403, f"changes are only taken from qagate's own pages, got {request.headers.get('origin')}")
    if caller.how == "login" and needs_form_token(request) and not is_token(sent, cookies.login_of(request)):
        raise HTTPException(
            403, "this form is too old; load the page again and send it once more, got no valid form_token"
        )


def _refuse(request: Request, person: Person, permission: Permission) -> None:
    note(request, Act.REFUSED, detail=f"{request.method} {request.url.path} needs {permission}")
    raise HTTPException(403, f"this needs the right to {permission}; an admin can give it, got {person.role}")


@dataclass(frozen=True, slots=True)
class Guarded:
    """One route as it is answered: its path, its methods and every permission it asks for; the highest decides."""

    path: str
    methods: frozenset[str]
    permissions: tuple[Permission, ...]


def routes_of(app: FastAPI) -> list[Guarded]:
    """Return all routes of an application."""
    found = []
    for context in iter_route_contexts(app.routes):
        dependant = getattr(context, "dependant", None)
        asked = set(_permissions(dependant)) if isinstance(dependant, Dependant) else set()
        permissions = tuple(permission for permission in Permission if permission in asked)
        found.append(Guarded(context.path or "", frozenset(context.methods or ()), permissions))
    return found


def unguarded(app: FastAPI) -> list[str]:
    """Return the paths of routes that are neither open on purpose nor ask for a permission: there must be none."""
    return [route.path for route in routes_of(app) if route.path not in OPEN and not route.permissions]


def _permissions(dependant: Dependant) -> Iterator[Permission]:
    permission = getattr(dependant.call, "permission", None)
    if isinstance(permission, Permission):
        yield permission
    for inner in dependant.dependencies:
        yield from _permissions(inner)
