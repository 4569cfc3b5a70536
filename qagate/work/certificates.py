"""Our own certificates: those that the settings name as files, and what each is for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qagate.settings import Settings


@dataclass(frozen=True, slots=True)
class Own:
    """One certificate of ours. key: the same as long as it serves the same end. whose: as people read it."""

    key: str
    whose: str
    path: Path


def own(settings: Settings) -> Iterator[Own]:
    """Yield every certificate that we show to others, and that lies in a file."""
    if settings.node.tls is not None:
        yield Own("node", "our certificate", settings.node.tls.certificate_file)
    for destination in settings.destinations:
        if destination.tls is not None and destination.tls.certificate_file is not None:
            path = destination.tls.certificate_file
            yield Own(f"destination {destination.name}", f"our certificate for {destination.name}", path)
    for peer in settings.node.peers:
        if peer.tls is not None and peer.tls.certificate_file is not None:
            where = f" {peer.host}" if peer.host else ""  # several machines may share a title
            whose = f"our certificate for {peer.ae_title}{where}"
            yield Own(f"peer {peer.ae_title}{where}"[:200], whose, peer.tls.certificate_file)
    if settings.audit.tls is not None and settings.audit.tls.certificate_file is not None:
        yield Own("audit", "our certificate for the audit messages", settings.audit.tls.certificate_file)
