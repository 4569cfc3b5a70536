"""The web application."""

from __future__ import annotations

import logging
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from qagate import __version__
from qagate.errors import StoreError
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web import api, health, pages

logger = logging.getLogger(__name__)


def create_app(settings: Settings, database: Database) -> FastAPI:
    """Return the application over an open database."""
    app = FastAPI(
        title="qagate",
        version=__version__,
        summary="Image quality of CT and MR series: verdicts, reasons, documents and their delivery.",
        docs_url=None,  # their scripts come from elsewhere; /openapi.json has all of it
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.database = database
    app.include_router(api.router)
    app.include_router(health.router)
    app.include_router(pages.router)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app.add_exception_handler(HTTPException, _problem)
    app.add_exception_handler(StoreError, _database_away)
    app.middleware("http")(_closed_page)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if "text/html" in request.headers.get("accept", ""):
        return pages.templates.TemplateResponse(
            request, "problem.html", {"code": error.status_code, "detail": error.detail}, status_code=error.status_code
        )
    return JSONResponse({"detail": error.detail}, error.status_code, headers=error.headers)


async def _database_away(request: Request, error: Exception) -> Response:
    logger.error("%s", error)
    detail = (
        "The database cannot be reached. Nothing is lost: what arrives is kept in the spool. Try again in a moment."
    )
    return await _problem(request, HTTPException(503, detail))


async def _closed_page(request: Request, call_next):  # type: ignore[no-untyped-def]
    response: Response = await call_next(request)
    # nothing is loaded from elsewhere, and nobody may frame our pages
    response.headers["Content-Security-Policy"] = (
        "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'"
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    return response
