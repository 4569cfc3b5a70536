"""Origin: whether a request that changes something comes from our own pages, and not from another site's.

Three fences: the cookie is SameSite; the browser says where a request comes from (Sec-Fetch-Site, else Origin); and a
form carries a token that only our pages know. A request whose body is neither a form nor plain text needs no token: a
browser asks before it sends such a one for another site, and we never agree.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SIMPLE_TYPES = frozenset({"", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain"})
"""Bodies that a browser sends to another site without asking it. Source: Fetch, CORS-safelisted request-header."""

TOKEN_HEADER = "X-Form-Token"
TOKEN_FIELD = "form_token"

LARGEST_FORM = 1 << 20
"""Bytes of a form that we look into for its token."""


def form_token_of(secret: str) -> str:
    """Return the token that the forms of the holder of this cookie carry; the cookie cannot be worked out from it."""
    return hashlib.sha256(f"form:{secret}".encode()).hexdigest()


def comes_from_elsewhere(request: Request) -> bool:
    """Say whether a browser tells that another site made it send this. Programs tell nothing, which is no."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = request.headers.get("origin")
    if origin is None:
        return False
    public = request.app.state.settings.web.public_url
    own = {request.headers.get("host", ""), urlsplit(public).netloc if public else ""} - {""}
    return urlsplit(origin).netloc not in own


def needs_form_token(request: Request) -> bool:
    """Say whether this is a request that another site's form could look like."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return request.method == "POST" and kind in SIMPLE_TYPES


async def _sent_form_token(request: Request) -> str:
    header = request.headers.get(TOKEN_HEADER)
    if header is not None or not needs_form_token(request) or not _is_small(request):
        return header or ""
    sent = (await request.form()).get(TOKEN_FIELD)
    return sent if isinstance(sent, str) else ""


def _is_small(request: Request) -> bool:
    # nobody is known yet: a route that takes large objects must not make us unpack one as a form
    length = request.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and int(length) <= LARGEST_FORM


SentFormToken = Annotated[str, Depends(_sent_form_token)]
"""The token a request carries, in its form or its header; empty when none."""


def is_token(sent: str, secret: str) -> bool:
    """Say whether this is the token of the holder of this cookie."""
    return hmac.compare_digest(sent.encode("utf-8", "replace"), form_token_of(secret).encode())
