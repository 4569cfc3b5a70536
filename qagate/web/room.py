"""The room page: what the last series of one scanner was, readable from four metres."""

from __future__ import annotations

import socket
import threading
import time
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, Response

from qagate.settings import Settings
from qagate.store import neighbours
from qagate.web import views
from qagate.web.pages import templates
from qagate.web.reading import database_of

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

OLD_SECONDS = 30 * 60
"""A verdict older than this is grey: it says nothing about the patient on the table."""

Scanner = Annotated[str, PathParameter(max_length=64, pattern=r"^[^\x00/]+$")]


class Receiver:
    """Whether the DICOM receiver takes connections; asked at most every ten seconds."""

    SECONDS = 10.0
    PATIENCE_SECONDS = 0.5

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._lock = threading.Lock()
        self._until = 0.0
        self._listens = True

    @classmethod
    def of(cls, settings: Settings) -> Receiver:
        """Return the one that the settings name: web.receiver, else the node's own port on this machine."""
        if settings.web.receiver:
            host, _, port = settings.web.receiver.rpartition(":")
            return cls(host.strip("[]"), int(port))
        host = settings.node.host
        return cls("127.0.0.1" if host in ("0.0.0.0", "::", "") else host, settings.node.port)

    def listens(self) -> bool:
        """Return whether somebody listens there."""
        with self._lock:
            if time.monotonic() >= self._until:
                try:
                    socket.create_connection(self._address, self.PATIENCE_SECONDS).close()
                    self._listens = True
                except OSError:
                    self._listens = False
                self._until = time.monotonic() + self.SECONDS
            return self._listens


@router.get("/room/{scanner}")
def room_page(request: Request, scanner: Scanner) -> Response:
    """Show the last series of a scanner full screen: colour, shape, word, reason; no identity."""
    return templates.TemplateResponse(request, "room.html", _context(request, scanner))


@router.get("/room/{scanner}/now")
def room_now(request: Request, scanner: Scanner) -> Response:
    """Return the inner part of the room page alone, for the page that keeps itself current."""
    return templates.TemplateResponse(request, "room_now.html", _context(request, scanner))


def _context(request: Request, scanner: str) -> dict[str, object]:
    with database_of(request).read() as session:
        rows = [views.summary(row) for row in neighbours.latest_of_scanner(session, scanner)]
    last = rows[0] if rows else None
    old = (
        last is None
        or (datetime.now(UTC) - datetime.fromisoformat(last["last_instance_at"])).total_seconds() > OLD_SECONDS
    )
    receives = request.app.state.receiver.listens()
    return {"scanner": scanner, "last": last, "before": rows[1:6], "old": old, "receives": receives}
