"""Cookies: one holds the random id of a login, another belongs to the forms that come before a login."""

from __future__ import annotations

from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import Response

LOGIN = "qagate_login"
FORM = "qagate_form"
JOURNEY = "qagate_journey"
JOURNEY_SECONDS = 600


def is_secure(request: Request) -> bool:
    """Say whether people reach us by https, directly or through a proxy that `web.public_url` names."""
    public = request.app.state.settings.web.public_url or ""
    return request.url.scheme == "https" or public.lower().startswith("https:")


def _named(request: Request, name: str) -> str:
    # browsers take a __Host- cookie only with Secure, Path=/ and no Domain: no neighbour can plant one
    return f"__Host-{name}" if is_secure(request) else name


def login_of(request: Request) -> str:
    """Return the id of the login that a browser sent; empty when none."""
    return request.cookies.get(_named(request, LOGIN), "")


def form_of(request: Request) -> str:
    """Return the id that a browser sent with a form before a login; empty when none."""
    return request.cookies.get(_named(request, FORM), "")


def set_login(request: Request, response: Response, secret: str, *, seconds: int) -> None:
    """Log a browser in. Lax: a link in a report or a message opens the page without another login."""
    response.set_cookie(
        _named(request, LOGIN), secret, max_age=seconds, secure=is_secure(request), httponly=True, samesite="lax"
    )


def set_form(request: Request, response: Response, secret: str) -> None:
    """Give a browser the id that its next form belongs to."""
    response.set_cookie(_named(request, FORM), secret, secure=is_secure(request), httponly=True, samesite="strict")


def set_journey(request: Request, response: Response, secrets: str, where: str) -> None:
    """Let a browser keep what it comes back with from a directory. Lax: it comes back from another site."""
    response.set_cookie(
        _named(request, JOURNEY), f"{secrets}|{quote(where)}", max_age=JOURNEY_SECONDS, secure=is_secure(request),
        httponly=True, samesite="lax",
    )  # fmt: skip


def journey_of(request: Request) -> tuple[str, str]:
    """Return what `set_journey` was given; empty when there is none."""
    secrets, _, where = request.cookies.get(_named(request, JOURNEY), "").partition("|")
    return secrets, unquote(where)


def end_journey(request: Request, response: Response) -> None:
    """Let a browser forget its way to a directory: it is used once."""
    response.delete_cookie(_named(request, JOURNEY), secure=is_secure(request), httponly=True)


def forget(request: Request, response: Response) -> None:
    """Log a browser out, and let it forget the pictures it kept."""
    for name in (LOGIN, FORM):
        response.delete_cookie(_named(request, name), secure=is_secure(request), httponly=True)
    response.headers["Clear-Site-Data"] = '"cache"'
