"""A node with all that is around it, and what a scenario may do to them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from pydicom.dataset import Dataset
from sqlalchemy import select

from qagate.errors import StoreError
from qagate.store.tables import (
    AssessmentRow,
    DeliveryRow,
    DocumentRow,
    ForwardRow,
    HoldingRow,
    InstanceRow,
    RevisionRow,
    SeriesRow,
)
from tests.crash.ledger import Ledger, account
from tests.crash.node import Node
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, series
from tests.peers.asker import Asker
from tests.peers.dcmtk import free_port
from tests.peers.postgres import Postgres

ENDED = ("delivered", "excluded", "failed")


@dataclass(frozen=True, slots=True)
class Setup:
    """What is built for a scenario. Scenarios with the same setup share a stage, unless it is their `own`.

    inline: the node stands in front of the PACS, holds what is flagged (here: all that has a score) for ten seconds,
    and forwards originals. disks: folder of the node ("data", "data/spool", "database", "postgres") → size of the small
    file system that is mounted there. settings: sections of the settings. destination: more about the PACS.
    patience_seconds: of the node with its destinations.
    """

    name: str
    inline: bool = False
    web: bool = False
    own_clock: bool = False
    own: bool = False
    workers: int = 1
    patience_seconds: float = 20
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    destination: Mapping[str, Any] = field(default_factory=dict)
    more_destinations: Sequence[Mapping[str, Any]] = ()
    policies: Sequence[Mapping[str, Any]] = ()
    disks: Mapping[str, str] = field(default_factory=dict)


class Stage:
    """Use as a context manager. Numbers of series are given out by `new`, and say their UIDs."""

    def __init__(self, folder: Path, setup: Setup, kind: str) -> None:
        self.folder = folder
        self.setup = setup
        self.kind = kind
        self.set_aside: set[str] = set()
        self._stack = ExitStack()
        self._last = 0
        self.cluster: Postgres | None = None

    def __enter__(self) -> Stage:
        """Build it, and wait until the node takes images and work."""
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it down."""
        self._stack.close()

    def _build(self) -> None:
        setup = self.setup
        for name, size in setup.disks.items():
            self._mount(self.disk(name), size)
        if self.kind == "postgresql":
            self.cluster = self._stack.enter_context(
                Postgres(self.disk("postgres") if "postgres" in setup.disks else None)
            )
        database_url = self.cluster.url if self.cluster else None
        if "database" in setup.disks and self.cluster is None:
            database_url = f"sqlite:///{self.disk('database') / 'qagate.db'}"
        port = free_port()
        peer = ("127.0.0.1", port)
        self.pacs = self._stack.enter_context(Pacs(0, self.folder / "pacs", commitment_peer=peer))
        self.other = self._stack.enter_context(Pacs(0, self.folder / "other", commitment_peer=peer))
        self.asker = self._stack.enter_context(Asker())
        common = {"ae_title": "MINIPACS", "host": "127.0.0.1", "timeout_seconds": setup.patience_seconds}
        first = {"name": "PACS", "port": self.pacs.port, **common}
        if setup.inline:
            first |= {"originals": True, "commitment": True}
        second = {"name": "OTHER", "port": self.other.port, "documents": ("SR", "SC"), **common}
        settings: dict[str, dict[str, Any]] = {
            "node": {"peers": [{"ae_title": "SCANNER", "host": "127.0.0.1", "port": self.asker.port}]}
        }
        for section, values in setup.settings.items():
            settings[section] = {**settings.get(section, {}), **values}
        gate = {"name": "gate", "action": "hold", "hold_seconds": 10, "review_below": 100}
        self.node = self._stack.enter_context(
            Node(
                self.folder / "node",
                destinations=[{**first, **setup.destination}, second, *setup.more_destinations],
                database_url=database_url,
                port=port,
                settings=settings,
                workers=setup.workers,
                policies=setup.policies or ((gate,) if setup.inline else ()),
                web=setup.web,
                own_clock=setup.own_clock,
            )
        )
        self.sender = Sender(self.node.port)

    # disks

    def disk(self, name: str) -> Path:
        """Return one of the folders that may have a file system of their own."""
        if name == "postgres":
            return self._for_postgres()
        return self.folder / name if name == "database" else self.folder / "node" / name

    @cache  # noqa: B019
    def _for_postgres(self) -> Path:
        # its server may not enter folders of ours
        folder = Path(tempfile.mkdtemp(prefix="qagate-postgres-disk-"))
        folder.chmod(0o755)
        return folder

    def _mount(self, folder: Path, size: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
        self._stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=True)

    def fill(self, name: str, *, leave: int = 0) -> None:
        """Fill a small file system but for some bytes."""
        ballast = self.disk(name) / ".ballast"
        with ballast.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        if leave:
            os.truncate(ballast, max(ballast.stat().st_size - leave, 0))

    def empty(self, name: str) -> None:
        """Take away what `fill` put there."""
        (self.disk(name) / ".ballast").unlink()

    def remount(self, name: str, options: str) -> None:
        """Mount a small file system with other options: "ro", "rw"."""
        subprocess.run(["mount", "-o", f"remount,{options}", str(self.disk(name))], check=True)

    # sending

    def new(self) -> int:
        """Return the number of a new series."""
        self._last += 1
        return self._last

    def send(self, images: int = 3, **tags: Any) -> int:
        """Send a new series, and return its number."""
        number = self.new()
        self.sender.send(self.made(number, images, **tags))
        return number

    def made(self, number: int, images: int = 3, **tags: Any) -> list[Dataset]:
        """Return a series with some attributes set."""
        datasets = series(number, images)
        for dataset in datasets:
            for keyword, value in tags.items():
                setattr(dataset, keyword, value)
        return datasets

    # what the database knows

    def rows(self, statement: Any) -> list[Any]:
        """Return what a query gives."""
        with self.node.database.read() as session:
            return list(session.execute(statement).all())

    def state(self, number: int) -> tuple[str, int]:
        """Return the state of a series and its newest revision; "" when it is not known."""
        found = self.rows(
            select(SeriesRow.state, SeriesRow.revision).where(SeriesRow.series_instance_uid == uid(number))
        )
        return (found[0][0], found[0][1]) if found else ("", 0)

    def at_end(self, *numbers: int, revision: int = 1, seconds: float = 150) -> None:
        """Wait until series are at their end."""

        def ended() -> bool:
            states = [self.state(number) for number in numbers]
            return all(state in ENDED and found >= revision for state, found in states)

        self.wait(ended, f"series {numbers} to be at their end", seconds)

    def deliveries(self, number: int, name: str = "PACS") -> dict[str, DeliveryRow]:
        """Return the deliveries of the newest revision of a series to one destination, by kind."""
        rows = self.rows(
            select(DocumentRow.kind, DeliveryRow)
            .join(DeliveryRow, DeliveryRow.document_id == DocumentRow.id)
            .join(RevisionRow, RevisionRow.id == DocumentRow.revision_id)
            .where(RevisionRow.series_instance_uid == uid(number), DeliveryRow.destination == name)
            .order_by(RevisionRow.number)
        )
        return {kind: row for kind, row in rows}  # noqa: C416

    def tried(self, number: int, name: str = "PACS") -> bool:
        """Whether a delivery of a series has been tried in vain."""
        return any(row.attempts and row.detail for row in self.deliveries(number, name).values())

    def went(self, number: int, name: str) -> bool:
        """Whether all documents of a series are at a destination."""
        rows = self.deliveries(number, name).values()
        return bool(rows) and all(row.state in ("sent", "warning", "committed") for row in rows)

    def findings(self, number: int) -> list[list[str]]:
        """Return the codes of the findings about each revision of a series."""
        rows = self.rows(
            select(RevisionRow.number, AssessmentRow.document)
            .join(AssessmentRow, AssessmentRow.revision_id == RevisionRow.id)
            .where(RevisionRow.series_instance_uid == uid(number))
            .order_by(RevisionRow.number)
        )
        return [[finding["code"] for finding in document["findings"]] for _, document in rows]

    def completed_by(self, number: int) -> str:
        """Return which signal completed the newest revision of a series."""
        rows = self.rows(
            select(RevisionRow.completed_by)
            .where(RevisionRow.series_instance_uid == uid(number))
            .order_by(RevisionRow.number.desc())
        )
        return str(rows[0][0])

    def originals(self, number: int) -> Counter[str]:
        """Return how many originals of a series are in each state, towards the PACS."""
        rows = self.rows(
            select(ForwardRow.state).where(
                ForwardRow.series_instance_uid == uid(number), ForwardRow.destination == "PACS"
            )
        )
        return Counter(state for (state,) in rows)

    def cause(self, number: int) -> str:
        """Return why the images of a series were let go; "" while they wait."""
        rows = self.rows(select(HoldingRow.cause).where(HoldingRow.series_instance_uid == uid(number)))
        return str(rows[0][0] or "") if rows else ""

    def held(self, number: int) -> bool:
        """Whether the images of a series wait."""
        rows = self.rows(select(HoldingRow.state).where(HoldingRow.series_instance_uid == uid(number)))
        return bool(rows) and rows[0][0] == "held"

    def known(self, number: int) -> int:
        """Return how many objects of a series the database knows."""
        return len(self.rows(select(InstanceRow.id).where(InstanceRow.series_instance_uid == uid(number))))

    def images_at(self, pacs: Pacs, number: int) -> int:
        """Return how many images of a series a PACS has."""
        return sum(o.kind == "IMAGE" and o.series_instance_uid == uid(number) for o in pacs.objects())

    def reports_at(self, pacs: Pacs, number: int) -> int:
        """Return how many reports about a series' study a PACS has."""
        return sum(o.kind == "SR" and o.study_instance_uid == uid(number).removesuffix(".1") for o in pacs.objects())

    # waiting and accounting

    def wait(self, condition: Callable[[], Any], what: str, seconds: float = 90) -> None:
        """Wait until something holds; fails with the ends of the logs."""

        def holds() -> bool:
            with suppress(StoreError):  # the database is away, which may be what is played
                return bool(condition())
            return False

        self.node.wait(holds, seconds, what)

    def settle(self) -> None:
        """Let everything come to its end, as far as it does."""
        known = len(self.rows(select(SeriesRow.series_instance_uid)))
        with suppress(AssertionError):  # the ledger says what is not at its end
            self.node.wait_for_end(known, 120)

    def account(self) -> Ledger:
        """Return the ledger of all that was ever sent to this stage."""
        return account(
            self.sender.promises,
            self.node.settings,
            self.node.database_url,
            self.pacs.objects(),
            set_aside=self.set_aside,
        )


def uid(number: int) -> str:
    """Return the Series Instance UID of a series."""
    return str(series(number, 1)[0].SeriesInstanceUID)
