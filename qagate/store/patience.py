"""Patience: what waits for its next try, documents and images alike, waits until then or until it need not."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, update
from sqlalchemy.orm import Session

from qagate.store.tables import DeliveryRow, ForwardRow


def end(
    session: Session,
    table: type[DeliveryRow | ForwardRow],
    destination: str,
    *which: ColumnElement[bool],
    at: datetime,
) -> None:
    """Let nothing wait on for its next try at a destination; which: only what these hold of."""
    waiting = table.destination == destination, table.state == "planned", table.next_attempt_at > at
    session.execute(update(table).where(*waiting, *which).values(next_attempt_at=at))
