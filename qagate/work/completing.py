"""Completing: what is known about the reception of each series, what is asked and fetched, and what is decided."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from qagate.assemble.completion import ArchiveFacts, CompletionDecision, CompletionFacts, RetrievalFacts, decide
from qagate.assemble.contiguity import Place, contiguous
from qagate.assemble.headers import read_header
from qagate.assemble.values import numbers_of, whole_of
from qagate.clock import Clock
from qagate.deliver.archive import Archive
from qagate.errors import DeliveryError, NotDicom
from qagate.settings import Destination, Settings
from qagate.store import arrivals, backfills, completion, reception, revisions
from qagate.store.arrivals import SeriesArrival
from qagate.store.completion import Inquiry, Listed
from qagate.store.database import Database
from qagate.work.fetched import IMAGE_CLASSES, keep

logger = logging.getLogger(__name__)

TAKEN_UP_WITHIN = timedelta(days=2)
"""How long after its verdict a series that had been broken off is judged again when its sender comes to its end."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One series that is being received, and what is decided about it. expected_by: "mpps", a destination, or ""."""

    arrival: SeriesArrival
    decision: CompletionDecision
    expected_by: str


@dataclass(frozen=True, slots=True)
class Completing:
    """Decides which series are complete; asks archives and fetches from them what is missing."""

    settings: Settings
    database: Database
    clock: Clock
    _placed: dict[str, tuple[int, bool]] = field(default_factory=dict, repr=False)

    def waiting(self) -> Iterator[Waiting]:
        """Yield every series that is being received, with the decision about it now."""
        with self.database.read() as session:
            fetched = backfills.being_fetched(session, now=self.clock.now())
            coming = [a for a in arrivals.every(session) if a.series_instance_uid not in fetched]
            known = [(arrival, *self._known(session, arrival)) for arrival in coming]
        now = self.clock.now()  # after the reading: what was noted meanwhile is no step of the clock
        self._forget({arrival.series_instance_uid for arrival in coming})
        for arrival, facts, by in known:
            yield Waiting(arrival, decide(facts, self.settings.completion, now), by)

    def _known(self, session: Session, arrival: SeriesArrival) -> tuple[CompletionFacts, str]:
        uid = arrival.series_instance_uid
        facts = CompletionFacts(
            instances=arrival.instances,
            last_instance_at=arrival.last_instance_at,
            open_associations=arrival.open_associations,
            last_closed_at=arrival.last_closed_at,
            broke_off=arrival.aborted,
        )
        listed = completion.listed(session, uid)
        asked = completion.inquiries(session, uid) if self._counting or self._retrieving else ()
        by = ""
        if listed is not None:
            facts, by = _with_list(facts, listed), "mpps"
        elif self._counting:
            archive, by = _archive(asked, self._counting)
            facts = replace(facts, instances=len(completion.here(session, uid)), archive=archive)
        if self._retrieving:
            tries = [i for i in asked if i.retrieved_at is not None]
            last = max((i.retrieved_at for i in tries if i.retrieved_at), default=None)
            facts = replace(facts, retrieval=RetrievalFacts(max((i.retrievals for i in tries), default=0), last))
        if listed is None and self.settings.completion.early and arrival.last_closed_at and not arrival.aborted:
            facts = replace(facts, contiguous=self._contiguous(session, arrival))
        return facts, by

    @property
    def _counting(self) -> tuple[Destination, ...]:
        return tuple(d for d in self.settings.destinations if d.counts)

    @property
    def _retrieving(self) -> tuple[Destination, ...]:
        return tuple(d for d in self.settings.destinations if d.retrieve != "no")

    def _contiguous(self, session: Session, arrival: SeriesArrival) -> bool:
        """Read the headers of a series once for each number of instances."""
        if arrival.open_associations:
            return False
        known = self._placed.get(arrival.series_instance_uid)
        if known is None or known[0] != arrival.instances:
            places = [_place(path) for path in reception.all_paths(session, arrival.series_instance_uid)]
            known = arrival.instances, contiguous(places)
            self._placed[arrival.series_instance_uid] = known
        return known[1]

    def _forget(self, received: set[str]) -> None:
        for uid in self._placed.keys() - received:
            del self._placed[uid]

    def inquire(self) -> None:
        """Ask archives about series that are quiet, and fetch what is missing. Safe to repeat."""
        if not (self._counting or self._retrieving):
            return
        for item in list(self.waiting()):
            if item.decision.ask:
                self._ask(item.arrival.series_instance_uid)
            elif item.decision.retrieve:
                self._retrieve(item.arrival.series_instance_uid)

    def _ask(self, uid: str) -> None:
        with self.database.read() as session:
            study = completion.study_of(session, uid)
        for destination in self._counting:
            at = self.clock.now()  # what comes after the question is not in its answer
            found, detail = None, ""
            try:
                found = Archive(destination, self.settings.node.ae_title).count(study, uid)
            except DeliveryError as error:
                detail = str(error)
                logger.warning("%s: how many images a series has is not known: %s", destination.name, error)
            with self.database.begin() as session:
                completion.answered(session, uid, destination.name, instances=found, at=at, detail=detail)

    def _retrieve(self, uid: str) -> None:
        """Fetch what is missing from the first archive that has some of it. The try is written down first."""
        title = self.settings.node.ae_title
        with self.database.read() as session:
            study = completion.study_of(session, uid)
            here = completion.here(session, uid)
            listed = completion.listed(session, uid)
            classes = (*completion.sop_classes(session, uid), *IMAGE_CLASSES)
            source = reception.source_of(session, uid)
        for destination in self._retrieving:
            archive = Archive(destination, title)
            said = ""
            try:
                # some archives refuse the whole request for one instance that they have not
                held = archive.instances(study, uid)
                missing = sorted(held & listed.missing if listed is not None else held - here)
                with self.database.begin() as session:
                    said = f"{len(missing)} images by {destination.retrieve}"
                    completion.retrieved(session, uid, destination.name, at=self.clock.now(), detail=said)
                if not missing:
                    continue
                came = archive.retrieve(
                    study, uid, missing, sop_class_uids=classes, keep=lambda part: self._keep(part, source)
                )
            except DeliveryError as error:
                if not said:
                    with self.database.begin() as session:
                        completion.retrieved(session, uid, destination.name, at=self.clock.now(), detail=str(error))
                logger.warning("%s: missing images could not be fetched: %s", destination.name, error)
                continue
            logger.info("%s: %d of %d missing images of a series fetched", destination.name, came, len(missing))
            if came:
                return

    def _keep(self, part: bytes, source: str) -> None:
        """Put a fetched object into the spool as if its first sender had sent it. Raises QagateError."""
        stored = keep(part, self.settings, self.clock, source=source)
        with self.database.begin() as session:
            reception.register(session, [stored])

    def take_up(self) -> None:
        """Let series be judged again whose sender had broken off and has come to its end since."""
        now = self.clock.now()
        with self.database.read() as session:
            found = revisions.taken_up(session, since=now - TAKEN_UP_WITHIN)
        for uid in found:
            with self.database.begin() as session:
                revisions.reopen(session, uid, why="its sender has come to its end", at=now)


def _with_list(facts: CompletionFacts, listed: Listed) -> CompletionFacts:
    return replace(facts, listed=len(listed.instances), listed_missing=len(listed.missing), listed_at=listed.at)


def _archive(asked: tuple[Inquiry, ...], counting: tuple[Destination, ...]) -> tuple[ArchiveFacts, str]:
    """Return what the archive says that has most, and its name; asked only when all were."""
    answers = {inquiry.destination: inquiry for inquiry in asked}
    found = [answers.get(destination.name) for destination in counting]
    times: list[datetime] = [i.asked_at for i in found if i is not None and i.asked_at is not None]
    if len(times) < len(counting):
        return ArchiveFacts(), ""
    said = [(i.instances, i.destination) for i in found if i is not None and i.instances is not None]
    most, name = max(said, default=(None, ""))
    return ArchiveFacts(most, min(times)), name


def _place(path: Path) -> Place:
    try:
        header = read_header(path)
    except (NotDicom, OSError):
        return Place(None, None, None, None)
    position = numbers_of(header, "ImagePositionPatient")
    directions = numbers_of(header, "ImageOrientationPatient")
    return Place(
        whole_of(header, "InstanceNumber"),
        (position[0], position[1], position[2]) if len(position) == 3 else None,
        (directions[0], directions[1], directions[2]) if len(directions) == 6 else None,
        (directions[3], directions[4], directions[5]) if len(directions) == 6 else None,
    )
