"""What others say a series consists of: the lists of scanners (MPPS), and what archives answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from qagate.domain.step import PerformedStep, StepState
from qagate.store import revisions
from qagate.store.events import event
from qagate.store.tables import AnnouncedRow, InquiryRow, InstanceRow, PerformedSeriesRow, PerformedStepRow, SeriesRow

FINAL = (StepState.COMPLETED, StepState.DISCONTINUED)

StepOutcome = Literal["taken", "known", "ended"]
"""What became of a message about a step: taken; its UID was known; it had ended and does not change any more."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What scanners that ended their steps list of one series; `missing` of the `instances` are not here."""

    instances: frozenset[str]
    missing: frozenset[str]
    at: datetime


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What one archive answered about one series, and how often images were fetched from it."""

    destination: str
    instances: int | None
    asked_at: datetime | None
    retrievals: int
    retrieved_at: datetime | None


def create_step(session: Session, step: PerformedStep) -> StepOutcome:
    """Record a step that a scanner begins: "taken" or "known"."""
    if session.get(PerformedStepRow, step.sop_instance_uid) is not None:
        return "known"
    session.add(_row(step))
    session.flush()
    _list(session, step)
    return "taken"


def set_step(session: Session, step: PerformedStep) -> StepOutcome:
    """Record how a step goes on: "taken", or "ended" when it had ended before.

    A step that we were not told of is taken all the same: its list is worth as much. When it ends, series that were
    judged without images of its list are opened again.
    """
    row = session.get(PerformedStepRow, step.sop_instance_uid, with_for_update=True)
    if row is None:
        row = _row(step)
        session.add(row)
    elif row.state in FINAL:
        return "ended"
    row.state = step.state
    row.reason = step.reason[:128] or row.reason
    row.ended_at = step.at if step.state.final else None
    session.flush()
    _list(session, step)
    if step.state.final:
        _tell(session, row, at=step.at)
    return "taken"


def _row(step: PerformedStep) -> PerformedStepRow:
    return PerformedStepRow(
        sop_instance_uid=step.sop_instance_uid,
        calling_ae_title=step.calling_ae_title[:16],
        state=step.state,
        reason=step.reason[:128],
        study_instance_uid=step.study_instance_uid[:64],
        modality=step.modality[:16],
        station_name=step.station_name[:16],
        begun_at=step.at,
        ended_at=step.at if step.state.final else None,
    )


def _list(session: Session, step: PerformedStep) -> None:
    known = {
        row.series_instance_uid: row
        for row in session.scalars(
            select(PerformedSeriesRow).where(PerformedSeriesRow.step_uid == step.sop_instance_uid)
        )
    }
    for uid, instances in step.series.items():
        if uid in known:
            known[uid].instances = list(instances)
        else:
            session.add(
                PerformedSeriesRow(
                    step_uid=step.sop_instance_uid, series_instance_uid=uid[:64], instances=list(instances)
                )
            )
    session.flush()


def _tell(session: Session, row: PerformedStepRow, *, at: datetime) -> None:
    """Write into the trail of each series of a step that ended what it lists; open again what lacks some of it."""
    series = session.scalars(
        select(PerformedSeriesRow.series_instance_uid).where(PerformedSeriesRow.step_uid == row.sop_instance_uid)
    ).all()
    for uid in series:
        found = listed(session, uid)
        if found is None:
            continue
        why = f" ({row.reason})" if row.reason else ""
        detail = f"{row.state.lower()}{why}; the scanner lists {len(found.instances)} images"
        event(session, at, "mpps", uid, detail)
        if found.missing:
            revisions.reopen(session, uid, why=f"{len(found.missing)} of them are not here", at=at)


def listed(session: Session, series_instance_uid: str) -> Listed | None:
    """Return what scanners list of a series; None when none has ended a step with images of it."""
    rows = session.execute(
        select(PerformedSeriesRow.instances, PerformedStepRow.ended_at)
        .join(PerformedStepRow, PerformedStepRow.sop_instance_uid == PerformedSeriesRow.step_uid)
        .where(PerformedSeriesRow.series_instance_uid == series_instance_uid, PerformedStepRow.state.in_(FINAL))
    ).all()
    instances = frozenset(uid for uids, _ in rows for uid in uids)
    if not instances:
        return None  # some scanners end their steps with empty lists
    return Listed(instances, instances - _known_as(session, series_instance_uid), max(at for _, at in rows if at))


def here(session: Session, series_instance_uid: str) -> frozenset[str]:
    """Return the SOP Instance UIDs of a series that have come."""
    return frozenset(
        session.scalars(
            select(InstanceRow.sop_instance_uid).where(InstanceRow.series_instance_uid == series_instance_uid)
        )
    )


def _known_as(session: Session, series_instance_uid: str) -> frozenset[str]:
    """Return the UIDs by which a scanner may list what has come: those of the data sets, and those it announced."""
    announced = (
        select(AnnouncedRow.sop_instance_uid)
        .join(InstanceRow, InstanceRow.id == AnnouncedRow.instance_id)
        .where(InstanceRow.series_instance_uid == series_instance_uid)
    )
    return here(session, series_instance_uid) | frozenset(session.scalars(announced))


def inquiries(session: Session, series_instance_uid: str) -> tuple[Inquiry, ...]:
    """Return what archives answered about a series."""
    rows = session.scalars(select(InquiryRow).where(InquiryRow.series_instance_uid == series_instance_uid))
    return tuple(Inquiry(r.destination, r.instances, r.asked_at, r.retrievals, r.retrieved_at) for r in rows)


def answered(
    session: Session,
    series_instance_uid: str,
    destination: str,
    *,
    instances: int | None,
    at: datetime,
    detail: str = "",
) -> None:
    """Record what an archive answered: how many instances it has; None when it gave no answer, `detail` says why."""
    row = _inquiry(session, series_instance_uid, destination)
    row.instances, row.asked_at, row.detail = instances, at, detail


def retrieved(session: Session, series_instance_uid: str, destination: str, *, at: datetime, detail: str) -> None:
    """Record a try to fetch missing images; written before the try, so that each counts."""
    row = _inquiry(session, series_instance_uid, destination)
    row.retrievals, row.retrieved_at = row.retrievals + 1, at
    event(session, at, "retrieve", series_instance_uid, f"{destination}: {detail}")


def _inquiry(session: Session, series_instance_uid: str, destination: str) -> InquiryRow:
    row = session.scalar(
        select(InquiryRow).where(
            InquiryRow.series_instance_uid == series_instance_uid, InquiryRow.destination == destination
        )
    )
    if row is None:
        row = InquiryRow(series_instance_uid=series_instance_uid, destination=destination, retrievals=0)
        session.add(row)
    return row


def sop_classes(session: Session, series_instance_uid: str) -> Sequence[str]:
    """Return the SOP classes of what has come of a series."""
    return session.scalars(
        select(InstanceRow.sop_class_uid).where(InstanceRow.series_instance_uid == series_instance_uid).distinct()
    ).all()


def study_of(session: Session, series_instance_uid: str) -> str:
    """Return the Study Instance UID of a series that has come; empty when none of it has."""
    row = session.get(SeriesRow, series_instance_uid)
    return row.study_instance_uid if row is not None else ""
