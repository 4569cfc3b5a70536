"""Workers that are at work: each counts its beats, so that others see when one stands still."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from qagate.store.tables import WorkerRow

QUEUES = ("score", "deliver")
"""What there is to take work from."""

FIRST_VERSION = "qagate-1"
"""The version of the pipeline of workers that do not say it."""


def beat(session: Session, executor_id: str, *, device: str, at: datetime, queues: str = "", version: str = "") -> bool:
    """Count one beat; returns False when this worker was not on the list, and puts it there.

    queues: what it takes work from, separated by spaces. version: of its pipeline.
    """
    found = session.execute(
        update(WorkerRow)
        .where(WorkerRow.executor_id == executor_id)
        .values(beats=WorkerRow.beats + 1, beat_at=at, device=device, queues=queues, version=version)
    )
    if found.rowcount:  # type: ignore[attr-defined]
        return True
    session.add(
        WorkerRow(
            executor_id=executor_id,
            device=device,
            beats=1,
            started_at=at,
            beat_at=at,
            queues=queues,
            version=version,
        )
    )
    return False


def every(session: Session) -> Sequence[WorkerRow]:
    """Return all workers that are at work, by name; one that died is among them for a quarter of a minute."""
    return session.scalars(select(WorkerRow).order_by(WorkerRow.executor_id)).all()


def versions(session: Session) -> frozenset[str]:
    """Return the versions of the pipeline that workers have."""
    return frozenset(version or FIRST_VERSION for version in session.scalars(select(WorkerRow.version).distinct()))


def beats(session: Session, queue: str = "") -> dict[str, int]:
    """Return how often each worker has beaten: executor id → beats. queue: only those that take work from it."""
    rows = session.execute(select(WorkerRow.executor_id, WorkerRow.beats, WorkerRow.queues))
    return {row.executor_id: row.beats for row in rows if not queue or queue in (row.queues.split() or QUEUES)}


def remove(session: Session, executor_id: str, *, beats: int | None = None) -> bool:
    """Take a worker off the list; with `beats`, only while it has not beaten since. Returns whether it was there."""
    wanted = delete(WorkerRow).where(WorkerRow.executor_id == executor_id)
    if beats is not None:
        wanted = wanted.where(WorkerRow.beats == beats)
    return bool(session.execute(wanted).rowcount)  # type: ignore[attr-defined]
