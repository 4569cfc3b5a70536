"""Ways: where images and documents are to go, and what waits on its way. For `qagate check` and `status`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from qagate.settings import Settings
from qagate.store import forwarding, stranded, undelivered, worklist
from qagate.store.database import Database
from qagate.work.checked import Item


def inline(settings: Settings) -> Iterator[Item]:
    """Look at what stands in the settings about images that pass through."""
    originals = [d for d in settings.destinations if d.originals]
    holding = [p.name for p in settings.policies if p.action == "hold"]
    if not originals:
        if holding:
            yield Item(
                "inline",
                "bad",
                f"{', '.join(holding)} should hold images, and no destination has originals = true: nothing is held",
            )
        return
    if holding:
        longest = max(p.hold_seconds for p in settings.policies if p.action == "hold")
        yield Item("inline", "good", f"{', '.join(holding)} hold images for at most {longest:g} s from the first one")
    else:
        yield Item("inline", "good", "images are forwarded at once; no policy holds them")
    node = settings.node
    for d in originals:
        if (str(d.ae_title), d.port) == (node.ae_title, node.port) and d.host in ("127.0.0.1", "localhost", "::1"):
            yield Item(d.name, "bad", "this is qagate itself: images would go round for ever")
        sending = [p for p in node.peers if p.ae_title == d.ae_title]
        if sending:
            yield Item(
                d.name,
                "warning",
                f"{d.ae_title} sends to qagate and gets images from it: what comes from it is not sent back; its own "
                f"routing must leave out what comes from {node.ae_title}",
            )
        if not d.commitment and not d.sent_is_kept:
            yield Item(
                d.name,
                "warning",
                "commitment and sent_is_kept are both false: scanners that ask for storage commitment are told no",
            )
    if not any(p.port is not None for p in node.peers):
        yield Item("inline", "warning", "no peer has a port: storage commitment is refused to all scanners")


def ways(settings: Settings) -> Iterator[Item]:
    """Look at what waits, also for destinations that the settings do not name any more."""
    database = Database.open(settings.database_url)
    with database.read() as session:
        stuck = forwarding.overdue(session, before=datetime.now(UTC) - timedelta(minutes=2))
        asked = stranded.unpromised(session, _named(settings, "images"))
        images, documents = forwarding.counts(session), worklist.delivery_counts(session)
    database.close()
    if stuck:
        yield Item("inline", "bad", f"{stuck} images are forwarded by nobody: does `qagate forward` run?")
    for destination, number in asked.items():
        words = (
            f"took {number} images that it has not promised to keep, and nobody asks it any more: the settings do not "
            "name it; name it again, or be sure that they are there"
        )
        yield Item(destination, "warning", words)
    for what, counts in (("images", images), ("documents", documents)):
        named = _named(settings, what)
        for (destination, state), number in sorted(counts.items()):
            if state in undelivered.WAITING and destination not in named:
                yield Item(destination, "bad", f"{number} {what} {state}: {_cure(destination, what)}")
            elif state == "parked":
                words = f"{number} {what} are parked; `qagate requeue {destination}` tries them again"
                yield Item(destination, "bad", words)


def unnamed(session: Session, settings: Settings) -> tuple[str, ...]:
    """Return a sentence for each destination for which something waits and that the settings do not name."""
    counts = {"images": forwarding.counts(session), "documents": worklist.delivery_counts(session)}
    found = {
        destination: _cure(destination, what)
        for what, states in counts.items()
        for destination, state in states
        if state in undelivered.WAITING and destination not in _named(settings, what)
    }
    return tuple(found[name] for name in sorted(found))


def _named(settings: Settings, what: str) -> set[str]:
    return {d.name for d in settings.destinations if d.originals or what == "documents"}


def _cure(destination: str, what: str) -> str:
    how = " with originals = true" if what == "images" else ""
    return f"the settings do not name {destination}{how}; name it again, or give it up: `qagate give-up {destination}`"
