"""Preflight: everything that can be known to be wrong before the first patient is scanned."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydicom.uid import UID

from qagate.deliver.certificate import certificate_expiry
from qagate.deliver.destination import accepted_sop_classes, echo
from qagate.domain.alert import EXPIRES_SOON
from qagate.errors import QagateError
from qagate.prompt.rules import load_rules
from qagate.receive.spool import why_unwritable
from qagate.score.scorer import Scorer
from qagate.settings import Destination, Settings
from qagate.store.database import Database
from qagate.tls import client_context, expiry, server_context
from qagate.work.certificates import own
from qagate.work.checked import Item, State
from qagate.work.ways import inline, ways

DOCUMENT_CLASSES = {
    "1.2.840.10008.5.1.4.1.1.88.34": "Comprehensive 3D SR",
    "1.2.840.10008.5.1.4.1.1.88.33": "Comprehensive SR",
    "1.2.840.10008.5.1.4.1.1.88.22": "Enhanced SR",
    "1.2.840.10008.5.1.4.1.1.88.59": "Key Object Selection",
    "1.2.840.10008.5.1.4.1.1.7": "Secondary Capture",
}


@dataclass(frozen=True, slots=True)
class Preflight:
    """All that was looked at, and the lines the PACS team needs."""

    items: tuple[Item, ...]
    for_the_pacs_team: str

    @property
    def failed(self) -> bool:
        """Whether anything is bad."""
        return any(item.state == "bad" for item in self.items)


def inspect(settings: Settings) -> Preflight:
    """Look at everything; no fault of one thing stops the look at the next."""
    items: list[Item] = []
    looks: tuple[tuple[str, Callable[[Settings], Iterator[Item]]], ...] = (
        ("disk", _disk),
        ("database", _database),
        ("rules", _rules),
        ("model", _model),
        ("dicom port", _port),
        ("tls", _tls),
        ("alerts", _alerts),
        ("peers", _peers),
        ("clock", _clock),
    )
    for what, look in looks:
        items += _guarded(what, lambda look=look: look(settings))  # type: ignore[misc]
    for destination in settings.destinations:
        items += _guarded(destination.name, lambda d=destination: _destination(settings, d))  # type: ignore[misc]
    items += _guarded("inline", lambda: inline(settings))
    items += _guarded("ways", lambda: ways(settings))
    if not settings.destinations:
        items.append(Item("destinations", "warning", "none: verdicts stay in the database and on the page"))
    return Preflight(tuple(items), _for_the_pacs_team(settings))


def _guarded(what: str, look: Callable[[], Iterator[Item]]) -> list[Item]:
    seen: list[Item] = []
    try:
        seen.extend(look())
    except QagateError as error:
        seen.append(Item(what, "bad", str(error)))
    return seen


def _disk(settings: Settings) -> Iterator[Item]:
    folder = settings.storage.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free >> 20
    reserve = settings.storage.reserve_mb
    state: State = "bad" if free <= reserve else "warning" if free < 5 * reserve else "good"
    yield Item(
        "disk", state, f"{free / 1024:.1f} GB free under {settings.storage.data_dir}; refuses below {reserve} MB"
    )
    spool = settings.spool_dir
    if spool.exists() and (why := why_unwritable(spool)):
        yield Item("disk", "bad", f"{spool} cannot be written ({why}); see its inodes, quota and mount")


def _database(settings: Settings) -> Iterator[Item]:
    began = time.perf_counter()
    database = Database.open(settings.database_url)
    kind = database.engine.dialect.name
    with database.begin():
        pass
    database.close()
    yield Item("database", "good", f"{kind}, schema up to date, {(time.perf_counter() - began) * 1000:.0f} ms")


def _rules(settings: Settings) -> Iterator[Item]:
    load_rules(settings.model.rules_file)
    yield Item(
        "rules",
        "good",
        f"prompt rules load{' with ' + str(settings.model.rules_file) if settings.model.rules_file else ''}",
    )


def _model(settings: Settings) -> Iterator[Item]:
    scorer = Scorer.load(settings.model.folder, settings.model.device, settings.model.threads)
    identity = scorer.identity
    yield Item("model", "good", f"{identity.name} {identity.version} on {scorer.device}, sha256 {identity.sha256[:12]}")


def _port(settings: Settings) -> Iterator[Item]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.node.host, settings.node.port))
        except OSError as error:
            yield Item(
                "dicom port",
                "warning",
                f"{settings.node.port} cannot be taken now ({error.strerror}); fine if qagate runs already",
            )
        else:
            yield Item("dicom port", "good", f"{settings.node.port} is free")


def _tls(settings: Settings) -> Iterator[Item]:
    tls = settings.node.tls
    if tls is not None:
        server_context(tls)
        asks = "asked of" if tls.asks_for_certificate else "not asked of"
        yield Item("tls", "good", f"TLS {tls.minimum_version} or newer; certificates are {asks} peers")
    for one in own(settings):
        yield _until("tls", f"{one.whose}, {one.path},", expiry(one.path))
    for peer in settings.node.peers:
        if peer.tls is not None:
            client_context(peer.tls, peer.ae_title, f"node.peers ({peer.ae_title}) tls")
        elif peer.port is not None and tls is not None:
            words = f"{peer.ae_title} has no tls under node.peers: results of storage commitment go to it in the clear"
            yield Item("tls", "warning", words)


def _alerts(settings: Settings) -> Iterator[Item]:
    wanted = settings.alerts
    if (wanted.quiet_from is None) is not (wanted.quiet_until is None):
        yield Item(
            "alerts",
            "warning",
            "quiet_from and quiet_until belong together, and one is missing: there is no quiet time",
        )


def _until(what: str, whose: str, end: datetime) -> Item:
    days = (end - datetime.now(UTC)).total_seconds() / 86400
    state: State = "bad" if days <= 0 else "warning" if days < EXPIRES_SOON.days else "good"
    words = f"expires in {days:.0f} days" if days > 0 else f"expired {-days:.0f} days ago"
    return Item(what, state, f"{whose} {words}, on {end:%Y-%m-%d}")


def _clock(_settings: Settings) -> Iterator[Item]:
    # a wrong clock breaks quiet times, audit trails and TLS
    try:
        asked = subprocess.run(
            ["timedatectl", "show", "--property=NTPSynchronized", "--value"],
            capture_output=True, text=True, timeout=5, check=False,
        ).stdout.strip()  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        asked = ""
    now = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")
    if asked == "yes":
        yield Item("clock", "good", f"{now}, synchronised")
    elif asked == "no":
        yield Item("clock", "warning", f"{now}, not synchronised: set up a time service")
    else:
        yield Item("clock", "warning", f"{now}; this machine does not tell whether it is synchronised")


def _peers(settings: Settings) -> Iterator[Item]:
    node = settings.node
    if node.accept_unknown_peers:
        yield Item("peers", "warning", "any system may send (node.accept_unknown_peers)")
    elif not node.peers:
        yield Item("peers", "bad", "nobody may send: add scanners under node.peers")
    else:
        names = ", ".join(p.ae_title + (f" from {p.host}" if p.host else "") for p in node.peers)
        yield Item("peers", "good", names)


def _destination(settings: Settings, destination: Destination) -> Iterator[Item]:
    title = settings.node.ae_title
    end = certificate_expiry(destination)
    if end is not None:
        yield _until(destination.name, "its certificate", end)
    yield Item(destination.name, "good", f"answers in {echo(destination, title):.0f} ms")
    if destination.kind == "stow":
        return
    accepted = accepted_sop_classes(destination, title, tuple(DOCUMENT_CLASSES))
    for uid, name in DOCUMENT_CLASSES.items():
        syntaxes = accepted.get(uid, ())
        if syntaxes:
            yield Item("", "good", f"takes {name} in {', '.join(UID(s).name for s in syntaxes)}")
        else:
            yield Item("", "warning", f"does not take {name}")
    if not any(accepted.get(uid) for uid in list(DOCUMENT_CLASSES)[:3]):
        yield Item(destination.name, "bad", "takes no structured report at all")


def _for_the_pacs_team(settings: Settings) -> str:
    node = settings.node
    nobody = "" if settings.destinations else " nobody, as long as there are no destinations."
    lines = [
        "For the PACS team:",
        f"  qagate receives as {node.ae_title} on port {node.port} of this machine ({socket.gethostname()}),",
        "    all storage SOP classes, all transfer syntaxes, C-ECHO, storage commitment results.",
        *(
            f"  qagate forwards images untouched as {node.ae_title} to {d.ae_title} {d.host}:{d.port}:"
            "\n    all SOP classes and transfer syntaxes of the scanners must be allowed to it there."
            for d in settings.destinations
            if d.originals
        ),
        f"  qagate sends as {node.ae_title}: SR, Secondary Capture, Key Object Selection, to{nobody}",
        *(f"    {d.name}: {d.address}" for d in settings.destinations),
        f"  When routing to qagate automatically, leave out what comes from {node.ae_title}.",
    ]
    return "\n".join(lines)
