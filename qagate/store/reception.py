"""What has arrived: associations, instances, and which series are being received."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from qagate.domain.series import StoredInstance
from qagate.store import routing
from qagate.store.routing import NOWHERE, Routing
from qagate.store.tables import AnnouncedRow, AssociationRow, InstanceRow, SeriesRow


def open_association(
    session: Session,
    *,
    association_id: str,
    calling_ae_title: str,
    called_ae_title: str,
    host: str,
    receiver: str,
    at: datetime,
) -> None:
    """Record that a peer opened an association with one of our receivers."""
    session.merge(
        AssociationRow(
            id=association_id,
            calling_ae_title=calling_ae_title,
            called_ae_title=called_ae_title,
            host=host,
            receiver=receiver,
            opened_at=at,
        )
    )


def close_association(session: Session, *, association_id: str, at: datetime, aborted: bool) -> None:
    """Record that an association ended; `aborted` when it was not released in order."""
    session.execute(
        update(AssociationRow)
        .where(AssociationRow.id == association_id, AssociationRow.closed_at.is_(None))
        .values(closed_at=at, aborted=aborted)
    )


def close_all_associations(session: Session, *, receiver: str, at: datetime) -> int:
    """Close what a receiver left open when it died, as aborted; returns how many."""
    result = session.execute(
        update(AssociationRow)
        .where(AssociationRow.closed_at.is_(None), AssociationRow.receiver == receiver)
        .values(closed_at=at, aborted=True)
        .returning(AssociationRow.id)
    )
    return len(result.all())


def register(
    session: Session, instances: Iterable[StoredInstance], to: Routing = NOWHERE, *, found: bool = False
) -> int:
    """Record instances that are in the spool; returns how many were new.

    The same object again (same UIDs, same bytes) changes nothing. A new one re-opens its series. Other bytes under a
    known UID are recorded beside the first and marked as a conflict. to: where originals are forwarded; what is new,
    and what is sent again, is planned for it. found: nobody sends them now, they were found in the spool; what is known
    of such an object stands, but for the place of its file.
    """
    of_series: dict[str, list[StoredInstance]] = {}
    for instance in instances:
        # what a peer sends may be longer than its attribute allows; it must not stop what comes behind it
        uid = _fitting(InstanceRow, "series_instance_uid", instance.series_instance_uid)
        of_series.setdefault(uid, []).append(instance)
    # in one order, so that receivers that write down the same series do not wait for each other
    return sum(_register_series(session, uid, of_series[uid], to, found=found) for uid in sorted(of_series))


def _register_series(
    session: Session, series_instance_uid: str, instances: Sequence[StoredInstance], to: Routing, *, found: bool
) -> int:
    first = instances[0]
    _insert_if_absent(
        session,
        SeriesRow,
        {
            "series_instance_uid": series_instance_uid,
            "study_instance_uid": first.study_instance_uid,
            "modality": first.modality,
            "calling_ae_title": first.calling_ae_title,
            "state": "receiving",
            "first_instance_at": first.received_at,
            "last_instance_at": first.received_at,
        },
    )
    digests: dict[str, set[str]] = {}
    for instance in instances:
        digests.setdefault(_fitting(InstanceRow, "sop_instance_uid", instance.sop_instance_uid), set())
    known = session.execute(
        select(InstanceRow.sop_instance_uid, InstanceRow.sha256).where(
            InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.sop_instance_uid.in_(digests)
        )
    )
    for sop_instance_uid, sha256 in known:
        digests[sop_instance_uid].add(sha256)
    new = [one for one in instances if _register_one(session, series_instance_uid, one, to, digests, found=found)]
    if new:
        session.execute(
            update(SeriesRow)
            .where(SeriesRow.series_instance_uid == series_instance_uid)
            .values(
                state="receiving",
                instances=SeriesRow.instances + len(new),
                last_instance_at=new[-1].received_at,
                calling_ae_title=_fitting(SeriesRow, "calling_ae_title", new[-1].calling_ae_title),
            )
        )
    return len(new)


def _register_one(
    session: Session,
    series_instance_uid: str,
    instance: StoredInstance,
    to: Routing,
    digests: dict[str, set[str]],
    *,
    found: bool,
) -> bool:
    """Record one instance; whether it is new. digests: of what is known under each UID, which is kept up to date."""
    sop_instance_uid = _fitting(InstanceRow, "sop_instance_uid", instance.sop_instance_uid)
    known = digests[sop_instance_uid] - {instance.sha256}
    digests[sop_instance_uid].add(instance.sha256)
    inserted = _insert_if_absent(
        session,
        InstanceRow,
        {
            "series_instance_uid": series_instance_uid,
            "sop_instance_uid": sop_instance_uid,
            "sop_class_uid": instance.sop_class_uid,
            "transfer_syntax_uid": instance.transfer_syntax_uid,
            "path": str(instance.path),
            "size_bytes": instance.size_bytes,
            "sha256": instance.sha256,
            "conflict": bool(known),
            "association_id": instance.association_id,
            "received_at": instance.received_at,
        },
    )
    if inserted is None:
        inserted = _register_known(session, series_instance_uid, sop_instance_uid, instance, to, found=found)
        _announce(session, inserted, instance)
        return False
    _announce(session, inserted, instance)
    routing.intend(session, inserted, series_instance_uid, instance, to)
    return True


def _register_known(
    session: Session,
    series_instance_uid: str,
    sop_instance_uid: str,
    instance: StoredInstance,
    to: Routing,
    *,
    found: bool,
) -> int:
    """Record that an object came again, was found again, or was adopted before its own entry came; return its key."""
    same = (
        InstanceRow.series_instance_uid == series_instance_uid,
        InstanceRow.sop_instance_uid == sop_instance_uid,
        InstanceRow.sha256 == instance.sha256,
    )
    known = session.execute(
        select(InstanceRow.id, InstanceRow.path, InstanceRow.received_at, InstanceRow.deleted_at).where(*same)
    ).one()
    if found:
        # what retention did not come to removing is older than its row: it is only known again, to be removed later
        came_again = known.deleted_at is not None and instance.received_at > known.received_at
        where = {"deleted_at": None, "path": str(instance.path)}
        session.execute(update(InstanceRow).where(*same).values(**where))
    else:
        came_again = instance.received_at != known.received_at
        # What carried it last says whether it came whole. Of what was judged already only what had been broken off can
        # become better by that; nothing becomes worse.
        broken_off = select(AssociationRow.id).where(AssociationRow.aborted)
        session.execute(
            update(InstanceRow)
            .where(*same, or_(InstanceRow.revision.is_(None), InstanceRow.association_id.in_(broken_off)))
            .values(association_id=instance.association_id)
        )
        if known.path != str(instance.path):  # what lay there was no object any more; these bytes lie here
            session.execute(update(InstanceRow).where(*same).values(path=str(instance.path)))
        # sent again after retention removed it: the file is there again, and known again
        session.execute(
            update(InstanceRow)
            .where(*same, InstanceRow.deleted_at.is_not(None))
            .values(deleted_at=None, path=str(instance.path), received_at=instance.received_at)
        )
    if came_again and to.routes and not instance.fetched:
        routing.again(session, known.id, series_instance_uid, instance, to)
    return int(known.id)


def _announce(session: Session, instance_id: int, instance: StoredInstance) -> None:
    said = instance.announced
    if said is not None:
        values = {"sop_class_uid": said.sop_class_uid, "sop_instance_uid": said.sop_instance_uid}
        _insert_if_absent(session, AnnouncedRow, {"instance_id": instance_id, **values})


Table = type[SeriesRow | InstanceRow | AnnouncedRow]


def _insert_if_absent(session: Session, table: Table, values: dict[str, object]) -> Any:
    """Insert a row and return its key; None when there is one like it."""
    values = {name: _fitting(table, name, value) if isinstance(value, str) else value for name, value in values.items()}
    return session.scalar(_insertion(table, session.get_bind().dialect.name), values)


@cache
def _insertion(table: Table, dialect: str) -> Any:
    """Return the statement, made once: making it anew takes longer than the database does."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table.__table__)
    return insert.on_conflict_do_nothing().returning(*table.__table__.primary_key)


def _fitting(table: Table, column: str, value: str) -> str:
    """Return a text as the column can hold it: SQLite takes everything, PostgreSQL neither length nor NUL."""
    return value.replace("\0", "")[: getattr(table.__table__.columns[column].type, "length", None) or len(value)]


def known_paths(session: Session, series_instance_uid: str) -> frozenset[str]:
    """Return the paths of all that the database knows of a series, to tell which files of the spool it does not."""
    uid = _fitting(InstanceRow, "series_instance_uid", series_instance_uid)
    known = select(InstanceRow.path).where(InstanceRow.series_instance_uid == uid, InstanceRow.deleted_at.is_(None))
    return frozenset(session.scalars(known))


def all_paths(session: Session, series_instance_uid: str) -> tuple[Path, ...]:
    """Return the files of all that has come of a series."""
    return tuple(
        Path(path)
        for path in session.scalars(
            select(InstanceRow.path).where(
                InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_(None)
            )
        )
    )


def source_of(session: Session, series_instance_uid: str) -> str:
    """Return the AE title that sent a series; empty when none of it has come."""
    row = session.get(SeriesRow, series_instance_uid)
    return row.calling_ae_title if row is not None else ""


def spool_paths(session: Session, series_instance_uid: str, revision: int) -> tuple[Path, ...]:
    """Return the files of a series up to a revision (1-based), in order of arrival."""
    return tuple(
        Path(path)
        for path in session.scalars(
            select(InstanceRow.path)
            .where(
                InstanceRow.series_instance_uid == series_instance_uid,
                InstanceRow.revision <= revision,
                InstanceRow.deleted_at.is_(None),
            )
            .order_by(InstanceRow.id)
        )
    )
