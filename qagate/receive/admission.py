"""Who may associate with us: called and calling AE title, and the host it comes from. Source: PS3.8 9.3.4."""

from __future__ import annotations

from dataclasses import dataclass

from qagate.receive.names import Names
from qagate.settings import Node

_NAMES = Names()

# (result, source, diagnostic) of A-ASSOCIATE-RJ, PS3.8 Table 9-21
CALLING_AE_TITLE_NOT_RECOGNISED = (1, 1, 3)
CALLED_AE_TITLE_NOT_RECOGNISED = (1, 1, 7)
LOCAL_LIMIT_EXCEEDED = (2, 3, 2)


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an association is rejected: for the peer, and for people.

    Rejections with equal `key` are of the same kind and from the same peer.
    """

    reason: tuple[int, int, int]
    key: tuple[str, ...]
    words: str


def rejection(node: Node, calling_ae_title: str, called_ae_title: str, host: str) -> Rejection | None:
    """Return why this peer may not associate, or None if it may. Looks up the names of hosts that have names."""
    if node.check_called_ae_title and called_ae_title != node.ae_title:
        return Rejection(
            CALLED_AE_TITLE_NOT_RECOGNISED,
            ("called", calling_ae_title, host, called_ae_title),
            f"it calls {called_ae_title}, we are {node.ae_title}",
        )
    if node.accept_unknown_peers:
        return None
    known = [candidate for candidate in node.peers if candidate.ae_title == calling_ae_title]
    if any(candidate.host is None or is_address_of(host, candidate.host) for candidate in known):
        return None
    if known:
        hosts = ", ".join(str(candidate.host) for candidate in known)
        cure = f"this AE title is expected from {hosts}; correct its host under node.peers to let it send"
    else:
        cure = f'unknown; add {{ae_title = "{calling_ae_title}", host = "{host}"}} to node.peers'
    return Rejection(CALLING_AE_TITLE_NOT_RECOGNISED, ("calling", calling_ae_title, host), cure)


def too_many(node: Node, calling_ae_title: str, host: str) -> Rejection:
    """Return the rejection of an association that is one too many."""
    return Rejection(
        LOCAL_LIMIT_EXCEEDED,
        ("limit", calling_ae_title, host),
        f"{node.max_associations} are open (node.max_associations)",
    )


def too_often(node: Node, calling_ae_title: str, host: str) -> Rejection:
    """Return the rejection of an association that comes too soon after others of its peer."""
    return Rejection(
        LOCAL_LIMIT_EXCEEDED,
        ("rate", calling_ae_title, host),
        f"{node.max_associations_per_minute} in the last minute (node.max_associations_per_minute)",
    )


def is_address_of(address: str, host: str) -> bool:
    """Return whether a host, by name or address, has this address; looks up names."""
    return address == host or address in _NAMES.addresses(host)
