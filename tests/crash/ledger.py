"""The ledger: from what the sender was promised to what the PACS holds. Zero lost, zero double."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import UID
from sqlalchemy import select

from qagate.demo.shelf import StoredObject
from qagate.receive import part10
from qagate.settings import Settings
from qagate.store import worklist
from qagate.store.database import Database
from qagate.store.tables import AssessmentRow, DeliveryRow, DocumentRow, ForwardRow, InstanceRow, RevisionRow, SeriesRow
from tests.crash.sending import Promise

FINAL_REVISIONS = ("reported", "excluded", "failed")


@dataclass(slots=True)
class Ledger:
    """What became of everything; `faults` is empty when nothing was lost and nothing came twice."""

    promised: int = 0
    kept: int = 0
    series: int = 0
    revisions: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    documents: Counter[str] = field(default_factory=Counter)
    at_pacs: Counter[str] = field(default_factory=Counter)
    originals: Counter[str] = field(default_factory=Counter)
    repeats: int = 0
    leftovers: int = 0
    lost: list[str] = field(default_factory=list)
    double: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        """Everything that is wrong, in words."""
        return [*self.lost, *self.double, *self.stuck]

    def __add__(self, other: Ledger) -> Ledger:
        """Return both as one."""
        return Ledger(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def __str__(self) -> str:
        def counts(counter: Counter[str]) -> str:
            return " ".join(f"{key}={number}" for key, number in sorted(counter.items())) or "none"

        lines = [
            ("objects answered with Success", str(self.promised)),
            ("  of them in the spool, same bytes", str(self.kept)),
            ("series", f"{self.series} ({counts(self.states)})"),
            ("revisions", f"{sum(self.revisions.values())} ({counts(self.revisions)})"),
            ("documents written", counts(self.documents)),
            ("documents at the PACS", counts(self.at_pacs)),
            ("originals on their way", counts(self.originals)),
            ("objects offered again", str(self.repeats)),
            ("temporary files left", str(self.leftovers)),
            ("LOST", str(len(self.lost))),
            ("DOUBLE", str(len(self.double))),
            ("STUCK", str(len(self.stuck))),
        ]
        return "\n".join([*(f"{what:38} {value}" for what, value in lines), *(f"  ! {f}" for f in self.faults[:40])])


def account(
    promises: Collection[Promise],
    settings: Settings,
    database_url: str,
    objects: Sequence[StoredObject],
    *,
    destination: str = "PACS",
    set_aside: Collection[str] = (),
    pending: Collection[str] = (),
) -> Ledger:
    """Compare promises, spool, database and PACS.

    set_aside: series that may be parked. pending: series that need not be at their end.
    """
    ledger = Ledger()
    unique = set(promises)
    ledger.promised = len(unique)
    database = Database.open(database_url, migrate=False)
    try:
        with database.read() as session:
            instances = session.scalars(select(InstanceRow)).all()
            series = {row.series_instance_uid: row for row in session.scalars(select(SeriesRow))}
            revisions = session.scalars(select(RevisionRow).order_by(RevisionRow.id)).all()
            documents = session.scalars(select(DocumentRow)).all()
            forwards = session.execute(
                select(ForwardRow.state, ForwardRow.detail, InstanceRow.sop_instance_uid, InstanceRow.sha256)
                .join(InstanceRow, InstanceRow.id == ForwardRow.instance_id)
                .where(ForwardRow.destination == destination)
            ).all()
            deliveries = session.scalars(select(DeliveryRow).where(DeliveryRow.destination == destination)).all()
            assessed = set(session.scalars(select(AssessmentRow.revision_id)))
            unaccounted = worklist.account(session).unaccounted
    finally:
        database.close()
    _account_for_objects(ledger, unique, settings.spool_dir, instances)
    if any(d.originals for d in settings.destinations if d.name == destination):
        ledger.originals = Counter(str(state) for state, *_ in forwards)
        _account_for_originals(ledger, unique, {(uid, sha): (state, why) for state, why, uid, sha in forwards}, objects)
    ledger.series = len(series)
    ledger.states = Counter(row.state for row in series.values())
    if unaccounted:
        ledger.stuck.append(f"{unaccounted} series are in no known state")
    for row in series.values():
        if row.series_instance_uid in pending:
            continue
        if row.state not in ("delivered", "excluded", "failed"):
            ledger.stuck.append(f"series {row.series_instance_uid} is {row.state}")
        if row.state == "failed" and row.series_instance_uid not in set_aside:
            ledger.stuck.append(f"series {row.series_instance_uid} was set aside: {row.state_reason}")
    ledger.revisions = Counter(row.state for row in revisions)
    _account_for_documents(ledger, [r for r in revisions if r.series_instance_uid not in pending], documents,
                           deliveries, assessed, objects, settings, instances)  # fmt: skip
    ledger.leftovers = sum(1 for _ in settings.spool_dir.rglob("*.part"))
    return ledger


def _account_for_objects(ledger: Ledger, promises: set[Promise], spool: Path, instances: Sequence[InstanceRow]) -> None:
    rows = {Promise(r.series_instance_uid, r.sop_instance_uid, r.sha256): r for r in instances}
    for promise in promises:
        row = rows.get(promise)
        if row is None:
            there = (spool / promise.series_instance_uid / f"{promise.sop_instance_uid}.dcm").exists()
            where = "is in the spool, and the database never learnt of it" if there else "is gone"
            ledger.lost.append(f"{promise.sop_instance_uid} was answered with Success and {where}")
        elif row.deleted_at is None and digest(Path(row.path)) != promise.sha256:
            ledger.lost.append(f"{promise.sop_instance_uid} has other bytes than were sent: {row.path}")
        else:
            ledger.kept += 1
        if row is not None and row.revision is None:
            ledger.stuck.append(f"{promise.sop_instance_uid} belongs to no revision")


def _account_for_originals(
    ledger: Ledger,
    promises: set[Promise],
    forwards: Mapping[tuple[str, str], tuple[str, str]],
    objects: Sequence[StoredObject],
) -> None:
    """Inline, every object that was answered with Success must have reached the PACS, byte for byte, once or more.

    Of two objects under one UID both are sent there, and what it keeps of them is its own affair.
    """
    held = {o.sop_instance_uid: digest(o.path) for o in objects if o.kind == "IMAGE"}
    promised: dict[str, set[str]] = defaultdict(set)
    for promise in promises:
        promised[promise.sop_instance_uid].add(promise.sha256)
    for promise in promises:
        state, why = forwards.get((promise.sop_instance_uid, promise.sha256), ("not planned", ""))
        if state not in ("sent", "warning", "committed"):
            ledger.stuck.append(f"original {promise.sop_instance_uid} is {state}: {why}")
        elif promise.sop_instance_uid not in held:
            ledger.lost.append(f"original {promise.sop_instance_uid} counts as {state}, and the PACS has it not")
        elif held[promise.sop_instance_uid] not in promised[promise.sop_instance_uid]:
            ledger.lost.append(f"original {promise.sop_instance_uid} has other bytes at the PACS than were sent")


def digest(path: Path) -> str:
    """Return the digest of the data set in a Part 10 file, or why there is none."""
    try:
        with path.open("rb") as file:
            _, offset = part10.decode(file)
            file.seek(offset)
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        return str(error)


def _account_for_documents(
    ledger: Ledger,
    revisions: Sequence[RevisionRow],
    documents: Sequence[DocumentRow],
    deliveries: Sequence[DeliveryRow],
    assessed: set[int],
    objects: Sequence[StoredObject],
    settings: Settings,
    instances: Sequence[InstanceRow],
) -> None:
    ledger.documents = Counter(d.kind for d in documents)
    ledger.at_pacs = Counter(o.kind for o in objects)
    ledger.repeats = sum(o.times - 1 for o in objects)
    held = {o.sop_instance_uid: o for o in objects}
    delivered = {d.document_id: d for d in deliveries}
    ours: dict[str, DocumentRow] = {Path(v).stem: d for d in documents for v in d.variants}
    for uid, held_object in held.items():
        if held_object.kind != "IMAGE" and uid not in ours:
            ledger.double.append(f"the PACS holds {held_object.kind} {uid}, which no revision knows")
    for document in documents:
        there = [Path(v).stem for v in document.variants if Path(v).stem in held]
        if len(there) > 1:
            ledger.double.append(f"{document.kind} of revision {document.revision_id} is there in {len(there)} forms")
    number_of: dict[int, Counter[str]] = defaultdict(Counter)
    for document in documents:
        number_of[document.revision_id][document.kind] += 1
    for revision in revisions:
        who = f"revision {revision.number} of {revision.series_instance_uid}"
        if revision.state not in FINAL_REVISIONS:
            ledger.stuck.append(f"{who} is {revision.state}")
        if revision.state != "reported":
            continue
        if revision.id not in assessed:
            ledger.lost.append(f"{who} has no assessment")
        for kind in ("SR", "SC"):
            if number_of[revision.id][kind] != 1:
                ledger.lost.append(f"{who} has {number_of[revision.id][kind]} {kind}")
        for document in (d for d in documents if d.revision_id == revision.id):
            delivery = delivered.get(document.id)
            if delivery is None:
                ledger.lost.append(f"{document.kind} of {who} was never planned")
            elif delivery.state not in ("sent", "warning", "committed"):
                ledger.stuck.append(f"{document.kind} of {who} is {delivery.state}: {delivery.detail}")
            elif delivery.sop_instance_uid not in held:
                ledger.lost.append(f"{document.kind} of {who} counts as {delivery.state}, and the PACS has it not")
            elif ours.get(delivery.sop_instance_uid) is not document:
                ledger.lost.append(f"{document.kind} of {who} was recorded under the UID of another document")
            elif document.kind == "SR":
                _account_for_evidence(ledger, who, held[delivery.sop_instance_uid], revision, instances)


def _account_for_evidence(
    ledger: Ledger, who: str, held: StoredObject, revision: RevisionRow, instances: Sequence[InstanceRow]
) -> None:
    """The report at the PACS must name exactly the images of its revision; what is no UID cannot be named in one."""
    meant = {
        row.sop_instance_uid
        for row in instances
        if row.series_instance_uid == revision.series_instance_uid
        and UID(row.sop_instance_uid).is_valid
        and row.revision is not None
        and row.revision <= revision.number
    }
    report = dcmread(held.path)
    named = {
        str(image.ReferencedSOPInstanceUID)
        for study in report.get("CurrentRequestedProcedureEvidenceSequence", [])
        for group in study.ReferencedSeriesSequence
        if group.SeriesInstanceUID == revision.series_instance_uid
        for image in group.ReferencedSOPSequence
    }
    if named != meant:
        ledger.lost.append(f"the SR of {who} names {len(named)} images, the revision has {len(meant)}")


def say(ledger: Ledger, title: str = "") -> None:
    """Print the table."""
    sys.stdout.write(f"{title}\n{ledger}\n" if title else f"{ledger}\n")
