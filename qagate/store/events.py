"""The trail: what happened to which series, in words for a person."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from qagate.store.tables import EventRow

LEFT_OUT = "left_out"
"""What is said of an object of the spool that the database does not take."""


def event(session: Session, at: datetime, what: str, series_instance_uid: str = "", detail: str = "") -> None:
    """Add a line to the trail."""
    session.add(EventRow(at=at, what=what, series_instance_uid=series_instance_uid, detail=detail))
