"""NodeHandle: what the demo needs of the node it starts, and the settings it starts it with."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict

from qagate.settings import Settings

State = Literal["receiving", "queued", "scored", "delivered", "excluded", "failed"]


class DocumentStatus(TypedDict):
    """One document the node made. delivered: whether its outbox says that every destination has it."""

    kind: str  # SR, SC or KO
    sop_instance_uid: str
    delivered: bool


class SeriesStatus(TypedDict, total=False):
    """One series, as the node sees it now.

    series_instance_uid and state are always there. revision counts from 1. verdict is an Outcome's word; score is
    0-100 or None. reasons are sentences, the weightiest first; for an excluded or failed series they name the rule or
    the fault. documents are those of all revisions.
    """

    series_instance_uid: str
    state: State
    revision: int
    verdict: str | None
    score: float | None
    reasons: list[str]
    documents: list[DocumentStatus]


class NodeHandle(Protocol):
    """A node that can be started, asked and stopped."""

    def start(self) -> None:
        """Start and return when it takes associations. Raises QagateError when it cannot."""

    def stop(self) -> None:
        """Stop and return when nothing of it runs."""

    def series(self) -> list[SeriesStatus]:
        """Return every series it has received something of."""


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def demo_settings(
    data_dir: Path, *, pacs_port: int, node_port: int, web_port: int, quiet_seconds: float = 4.0
) -> Settings:
    """Return settings for a node on this machine only, with the mini PACS as its one destination.

    quiet_seconds is shorter than in a hospital: the demo's scanner never pauses inside an association.
    """
    tree: dict[str, Any] = {
        "node": {"host": "127.0.0.1", "port": node_port, "accept_unknown_peers": True},
        "storage": {"data_dir": data_dir, "reserve_mb": 0},
        "completion": {"quiet_seconds": quiet_seconds, "open_quiet_seconds": max(10.0, quiet_seconds)},
        "destinations": [
            {"name": "MINIPACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs_port, "timeout_seconds": 10}
        ],
        "web": {"host": "127.0.0.1", "port": web_port, "public_url": f"http://127.0.0.1:{web_port}"},
        "people": {"anonymous_role": "admin"},  # only this machine reaches it, and nothing in it is anybody's
    }
    return Settings.model_validate(tree)
