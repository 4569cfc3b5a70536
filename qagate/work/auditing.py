"""Auditing: tells a syslog server what the tables say happened.

The tables are the truth. This follows them with a bookmark on disk, so that nothing waits for the syslog server, and
what it missed while it was away is told when it is back. After a crash a message may be told twice, never not at all.
"""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from qagate.assemble.headers import read_header
from qagate.clock import Clock
from qagate.domain.audit import Act
from qagate.errors import NotDicom, SpoolError
from qagate.observe import audit
from qagate.observe.audit import Message, Participant, Subject
from qagate.observe.syslog import Syslog, frame
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.tables import AssociationRow, AuditRow, EventRow, InstanceRow, SeriesRow
from qagate.work.lock import only_one

logger = logging.getLogger(__name__)

BATCH = 200
SETTLED = timedelta(seconds=5)
"""Rows younger than this are left for the next time: another transaction with a lower number may still be open."""

EVENTS = {"started": audit.APPLICATION_START, "stopped": audit.APPLICATION_STOP, "refused": audit.NODE_AUTHENTICATION}
ACCESS = (Act.SERIES_VIEWED, Act.VOLUME_FETCHED)
AUTHENTICATION = {
    Act.LOGGED_IN: (audit.LOGIN, audit.SUCCESS),
    Act.LOGIN_FAILED: (audit.LOGIN, audit.MINOR_FAILURE),
    Act.LOGIN_THROTTLED: (audit.LOGIN, audit.SERIOUS_FAILURE),
    Act.LOGGED_OUT: (audit.LOGOUT, audit.SUCCESS),
    Act.LOGGED_OUT_EVERYWHERE: (audit.LOGOUT, audit.SUCCESS),
}
ALERTS = {
    Act.REFUSED: (audit.USE_OF_RESTRICTED_FUNCTION, audit.MINOR_FAILURE),
    Act.TOKEN_REFUSED: (audit.USE_OF_RESTRICTED_FUNCTION, audit.MINOR_FAILURE),
    Act.ROLE_CHANGED: (audit.SECURITY_ROLES_CHANGED, audit.SUCCESS),
    Act.PERSON_ADDED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
    Act.PERSON_DISABLED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
    Act.PERSON_ENABLED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
    Act.PASSWORD_CHANGED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
    Act.TOKEN_ADDED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
    Act.TOKEN_REVOKED: (audit.USER_SECURITY_ATTRIBUTES_CHANGED, audit.SUCCESS),
}


@dataclass(frozen=True, slots=True)
class Bookmark:
    """How far each table was told: the last numbers, and the moment (ISO 8601) the last association closed."""

    event: int = 0
    act: int = 0
    closed_at: str = ""
    association: str = ""


@dataclass(frozen=True, slots=True)
class Auditing:
    """Follows the tables for one syslog server."""

    settings: Settings
    database: Database
    clock: Clock

    def sweep(self) -> int:
        """Tell what is new; returns how many messages. Raises SyslogAway; what was told before it is remembered."""
        if self.settings.audit.syslog == "off":
            return 0
        told = 0
        with self._alone() as path:
            if path is None:
                return 0  # another worker is at it
            mark = self._read(path)
            with self.database.read() as session:
                messages = list(self._messages(session, mark))
            if not messages:
                return 0
            with Syslog(self.settings.audit) as syslog:
                for message, after in messages:
                    if message is not None:
                        syslog.send(self._framed(message))
                        told += 1
                    mark = after
                    self._keep(path, mark)
        return told

    def _keep(self, path: Path, mark: Bookmark) -> None:
        """Move the bookmark in one step: one that is cut short would have everything told again, from the first day."""
        half = path.with_suffix(".part")
        try:
            half.write_text(json.dumps(asdict(mark)), encoding="utf-8")
            half.replace(path)
        except OSError as error:
            raise SpoolError(f"the bookmark of the audit messages cannot be written: {error}") from None

    @contextmanager
    def _alone(self) -> Iterator[Path | None]:
        path = self.settings.storage.data_dir / "audit.bookmark"
        with ExitStack() as held:
            try:
                alone = held.enter_context(only_one(path.with_suffix(".lock")))
            except OSError as error:
                raise SpoolError(f"the bookmark of the audit messages cannot be written: {error}") from None
            yield path if alone else None

    def _read(self, path: Path) -> Bookmark:
        try:
            return Bookmark(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return Bookmark()
        except (ValueError, TypeError):
            logger.error("the bookmark of the audit messages cannot be read; all is told again: %s", path)
            return Bookmark()

    def _framed(self, message: Message) -> bytes:
        node = self.settings.node
        body = audit.xml(
            message, source_id=node.station_name, enterprise_site_id=self.settings.audit.enterprise_site_id
        )
        return frame(body, at=message.at, host=socket.gethostname(), application="qagate")

    def _messages(self, session: Session, mark: Bookmark) -> Iterator[tuple[Message | None, Bookmark]]:
        """Yield messages in the order of each table, and the bookmark behind each."""
        settled = self.clock.now() - SETTLED
        events = session.scalars(
            select(EventRow).where(EventRow.id > mark.event, EventRow.at <= settled).order_by(EventRow.id).limit(BATCH)
        )
        for event in events.all():
            mark = Bookmark(event.id, mark.act, mark.closed_at, mark.association)
            yield self._of_event(event), mark
        acts = session.scalars(
            select(AuditRow).where(AuditRow.id > mark.act, AuditRow.at <= settled).order_by(AuditRow.id).limit(BATCH)
        )
        for act in acts.all():
            mark = Bookmark(mark.event, act.id, mark.closed_at, mark.association)
            yield self._of_act(session, act), mark
        ended = select(AssociationRow).where(AssociationRow.closed_at <= settled)
        if mark.closed_at:
            last = datetime.fromisoformat(mark.closed_at)
            later = (AssociationRow.closed_at > last) | (
                (AssociationRow.closed_at == last) & (AssociationRow.id > mark.association)
            )
            ended = ended.where(later)
        for row in session.scalars(ended.order_by(AssociationRow.closed_at, AssociationRow.id).limit(BATCH)).all():
            after = Bookmark(mark.event, mark.act, row.closed_at.isoformat() if row.closed_at else "", row.id)
            for message in self._of_association(session, row):
                yield message, mark  # the bookmark moves behind the last of them
            mark = after
            yield None, mark

    def _of_event(self, row: EventRow) -> Message | None:
        kind = EVENTS.get(row.what)
        if kind is None:
            return None
        if kind is audit.NODE_AUTHENTICATION:
            return Message(
                audit.SECURITY_ALERT,
                "E",
                row.at,
                [self._us(requestor=False)],
                [kind],
                audit.MINOR_FAILURE,
                row.detail,
                [Subject(audit.URI, f"dicom:{self.settings.node.ae_title}", "2", "13", row.detail[:128])],
            )
        return Message(
            audit.APPLICATION_ACTIVITY, "E", row.at, [Participant(row.detail, False, audit.APPLICATION)], [kind]
        )

    def _of_act(self, session: Session, row: AuditRow) -> Message | None:
        who = Participant(row.who, True, address=row.address)
        if row.what in ACCESS:
            subjects = self._subjects(session, row.series_instance_uid)
            return Message(audit.INSTANCES_ACCESSED, "R", row.at, [who, self._us(requestor=False)], subjects=subjects)
        if row.what in AUTHENTICATION:
            kind, outcome = AUTHENTICATION[Act(row.what)]
            claimed = Participant(row.who, True, address=row.address or socket.gethostname())
            return Message(audit.USER_AUTHENTICATION, "E", row.at, [claimed], [kind], outcome)
        if row.what == Act.AUDIT_READ:
            log = Subject(audit.URI, "/audit", "2", "13", "Security Audit Log")
            return Message(audit.AUDIT_LOG_USED, "R", row.at, [who], subjects=[log])
        if row.what in ALERTS:
            kind, outcome = ALERTS[Act(row.what)]
            about = Subject(audit.URI, "/people", "2", "13", row.detail[:128])
            return Message(audit.SECURITY_ALERT, "E", row.at, [who], [kind], outcome, row.detail, [about])
        return None

    def _of_association(self, session: Session, row: AssociationRow) -> Iterator[Message]:
        """Yield a message for each study that an association brought: a message is about one patient."""
        brought = session.execute(
            select(
                SeriesRow.study_instance_uid,
                InstanceRow.sop_class_uid,
                func.count(),
                func.max(SeriesRow.series_instance_uid),
            )
            .join(SeriesRow, SeriesRow.series_instance_uid == InstanceRow.series_instance_uid)
            .where(InstanceRow.association_id == row.id)
            .group_by(SeriesRow.study_instance_uid, InstanceRow.sop_class_uid)
        ).all()
        sender = Participant(row.calling_ae_title or "unknown", True, audit.SOURCE_ROLE, row.host)
        for uid in dict.fromkeys(study for study, *_ in brought):
            mine = [(sop_class, number) for study, sop_class, number, _ in brought if study == uid]
            series = next(last for study, _, _, last in brought if study == uid)
            yield Message(
                audit.INSTANCES_TRANSFERRED,
                "C",
                row.closed_at or row.opened_at,
                [sender, self._us(requestor=False, role=audit.DESTINATION_ROLE)],
                outcome=audit.MINOR_FAILURE if row.aborted else audit.SUCCESS,
                subjects=[audit.study(uid, mine), audit.patient(self._patient_of(session, series))],
            )

    def _subjects(self, session: Session, series_instance_uid: str) -> list[Subject]:
        row = session.get(SeriesRow, series_instance_uid)
        study = row.study_instance_uid if row is not None else "unknown"
        return [audit.study(study), audit.patient(self._patient_of(session, series_instance_uid))]

    def _patient_of(self, session: Session, series_instance_uid: str) -> str:
        """Return the Patient ID of a series from the spool, where alone it stands; empty when it has left it."""
        if not self.settings.audit.patient_ids:
            return ""
        path = session.scalar(
            select(InstanceRow.path)
            .where(InstanceRow.series_instance_uid == series_instance_uid, InstanceRow.deleted_at.is_(None))
            .limit(1)
        )
        try:
            return str(read_header(Path(path)).get("PatientID") or "") if path else ""
        except (NotDicom, OSError):
            return ""

    def _us(self, *, requestor: bool, role: audit.Code | None = None) -> Participant:
        return Participant(self.settings.node.ae_title, requestor, role, socket.gethostname())
