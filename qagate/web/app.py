"""The web application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles

from qagate import __version__
from qagate.clock import Clock, SystemClock
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web import (
    access,
    accounting,
    alerts,
    api,
    audit,
    decisions,
    deliveries,
    description,
    first,
    health,
    holding,
    labels,
    limits,
    login,
    many,
    me,
    oidc_login,
    pages,
    people,
    pictures,
    problems,
    room,
    store_permission,
    stow,
    trends,
)
from qagate.web.keeping import Keeper
from qagate.web.ldap import LdapDirectory
from qagate.web.oidc import Directory
from qagate.work.labels import keep
from qagate.work.storing import Storing

ROUTERS = (
    pages.router,
    limits.page,
    trends.router,
    alerts.page,
    alerts.router,
    room.router,
    login.router,
    oidc_login.router,
    api.router,
    accounting.router,
    decisions.router,
    many.router,
    deliveries.page,
    deliveries.router,
    labels.router,
    limits.router,
    holding.router,
    pictures.router,
    stow.router,
    health.router,
    me.pages,
    me.api,
    people.pages,
    people.api,
    store_permission.router,
    audit.pages,
    audit.api,
    description.router,
)

STATIC = Path(__file__).parent / "static"

LARGEST_BODY = 1 << 20
"""Bytes of a request: people and programs send words, images come to a route of their own."""

POLICY = "; ".join(
    (
        "default-src 'self'",  # nothing is loaded from elsewhere
        "script-src 'self' 'wasm-unsafe-eval'",  # the viewer inflates and transforms in WebAssembly
        "worker-src 'self' blob:",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",  # the viewer's own font and shaders
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",  # nobody may frame our pages
    )
)


def create_app(
    settings: Settings, database: Database, clock: Clock | None = None, storing: Storing | None = None
) -> FastAPI:
    """Return the application over an open database. storing: takes objects by STOW-RS; none are taken without.

    Raises RuntimeError when a route is open that must not be.
    """
    keeper = Keeper(partial(keep, settings, database))

    @asynccontextmanager
    async def serving(_: FastAPI) -> AsyncIterator[None]:
        yield
        keeper.close()

    app = FastAPI(
        title="qagate",
        lifespan=serving,
        version=__version__,
        summary="Image quality of CT and MR series: verdicts, reasons, documents and their delivery.",
        docs_url=None,  # their scripts come from elsewhere; /openapi.json has all of it
        redoc_url=None,
        max_body_size=LARGEST_BODY,
        openapi_url=None,  # asked for with a permission, like everything else
    )
    app.state.settings = settings
    app.state.database = database
    app.state.clock = clock or SystemClock()
    app.state.storing = storing
    oidc = settings.people.oidc
    app.state.directory = Directory(oidc, f"{first.address(settings)}/login/oidc/back") if oidc else None
    app.state.ldap = LdapDirectory(settings.people.ldap) if settings.people.ldap else None
    app.state.choices = pages.Choices(database)
    app.state.keeper = keeper
    app.state.receiver = room.Receiver.of(settings)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    problems.install(app)
    if bare := access.unguarded(app):
        raise RuntimeError(f"every route needs a permission: Depends(needs(...)), got none for {', '.join(bare)}")
    app.middleware("http")(_closed_page)
    return app


async def _closed_page(request: Request, call_next):  # type: ignore[no-untyped-def]
    response: Response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    if request.url.path.startswith("/static/"):
        response.headers["Cache-Control"] = "no-cache"  # asked again each time, answered 304: never an old script
    elif "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"
    return response
