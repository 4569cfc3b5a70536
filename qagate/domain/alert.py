"""Alerts: what is an incident, and what is said about it. Pure rules: no clock, no database, no network."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Literal

EXPIRES_SOON = timedelta(days=30)
"""From then on a certificate is an incident: a new one takes weeks in some hospitals."""


@dataclass(frozen=True, slots=True)
class Sign:
    """Something that is wrong now. key: the same as long as it is the same incident. scanner: "" = the node itself."""

    key: str
    scanner: str
    words: str


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to an incident: opened, updated (its words changed) or closed."""

    what: Literal["opened", "updated", "closed"]
    sign: Sign


def steps(open_words: Mapping[str, Sign], signs: Iterable[Sign], scanners: Sequence[str] = ()) -> tuple[Step, ...]:
    """Return what the signs of now make of the incidents that are open (key → last sign).

    scanners: the ones that alerts are about; empty = all. Signs of the node itself always count.
    """
    now = {sign.key: sign for sign in signs if not scanners or not sign.scanner or sign.scanner in scanners}
    found = [Step("closed", sign) for key, sign in open_words.items() if key not in now]
    for key, sign in now.items():
        if key not in open_words:
            found.append(Step("opened", sign))
        elif open_words[key].words != sign.words:
            found.append(Step("updated", sign))
    return tuple(found)


def parked(by_destination: Mapping[str, int], named: Collection[str]) -> tuple[Sign, ...]:
    """Return a sign for each destination with parked deliveries (destination → how many). named: by the settings."""
    found = []
    for name, number in sorted(by_destination.items()):
        if number:
            words = f"{_some(number, 'delivery', 'deliveries')} to {name} parked: "
            if name in named:
                words += "see why among the deliveries, mend it there, then `qagate requeue`"
            else:
                words += f"the settings do not name it; name it again, or give it up (`qagate give-up {name}`)"
            found.append(Sign(f"parked:{name}", "", words))
    return tuple(found)


def standstills(not_taken: Collection[str], not_tried: Collection[str]) -> tuple[Sign, ...]:
    """Return a sign for each destination to which nothing goes any more, though something waits for it (names).

    The words say nothing of how much it is, or since when: they would change all the time.
    """
    found = {
        name: f"Nobody sends what waits for {name}: start `qagate forward` and `work`, or see their logs"
        for name in not_tried
    }
    found |= {
        name: f"Something for {name} is tried in vain, again and again: see among the deliveries what it answers, and "
        "have it mended; what waits then goes by itself"
        for name in not_taken
    }
    return tuple(Sign(f"standstill:{name}", "", words) for name, words in sorted(found.items()))


def unpromised(names: Collection[str]) -> tuple[Sign, ...]:
    """Return a sign for each destination that took something long ago and still does not promise to keep it (names)."""
    return tuple(
        Sign(
            f"unpromised:{name}",
            "",
            f"{name} does not promise to keep what it took, and images stay on our disk for that: does its storage "
            "commitment work? Else set commitment = false for it",
        )
        for name in sorted(names)
    )


def left_out(some: bool) -> tuple[Sign, ...]:
    """Return the sign that objects are in the spool which the database does not take."""
    if not some:
        return ()
    words = (
        "Objects are safe in the spool that the database does not take: nobody judges or forwards them; see the log "
    )
    return (Sign("left_out", "", words + "of `qagate receive` for which, and report it"),)


def nobody_judges() -> tuple[Sign, ...]:
    """Return the sign that no worker judges."""
    words = "No worker judges any more: images are kept and have no verdict; start `qagate work`, or see its log"
    return (Sign("worker:score", "", words),)


def unwritable(why: str) -> tuple[Sign, ...]:
    """Return the sign that the spool takes nothing. why: as the system says it; empty while it takes something."""
    if not why:
        return ()
    return (
        Sign("spool", "", f"The spool cannot be written ({why}): objects are refused, and their senders keep them"),
    )


def disk(free_mb: int, reserve_mb: int, reserves: float) -> tuple[Sign, ...]:
    """Return a sign when the disk is nearly full; its words change only when objects are refused."""
    if free_mb >= reserves * reserve_mb:
        return ()
    word = "objects are refused" if free_mb <= reserve_mb else "soon objects are refused"
    return (Sign("disk", "", f"The disk of the spool is nearly full: {word}"),)


def certificates(ends: Mapping[str, tuple[str, datetime]], now: datetime) -> tuple[Sign, ...]:
    """Return a sign for each certificate that expires soon or has expired (key → whose it is, end; times in UTC).

    The words name the day, not how many are left: they would change every day.
    """
    found = []
    for key, (whose, end) in sorted(ends.items()):
        if end - now < EXPIRES_SOON:
            words = f"{whose[:1].upper()}{whose[1:]} {'expires' if end > now else 'expired'} on {end:%Y-%m-%d}"
            found.append(Sign(f"certificate:{key}", "", words))
    return tuple(found)


def burst(outcomes: Mapping[str, Sequence[str]], last: int, share: float) -> tuple[Sign, ...]:
    """Return a sign for each scanner of whose last series too many are flagged (scanner → outcomes, newest first)."""
    found = []
    for scanner, all_of_it in sorted(outcomes.items()):
        latest = all_of_it[:last]
        flagged = sum(outcome in ("review", "reject") for outcome in latest)
        if len(latest) == last and flagged >= share * last:
            found.append(Sign(f"burst:{scanner}", scanner, f"{scanner}: many of its last {last} series are flagged"))
        unscored = sum(outcome == "unscored" for outcome in latest)
        if len(latest) == last and unscored >= share * last:
            found.append(
                Sign(f"unscored:{scanner}", scanner, f"{scanner}: many of its last {last} series have no score")
            )
    return tuple(found)


def is_quiet(now: datetime, begin: str | None, end: str | None) -> bool:
    """Say whether a time of day lies in the quiet hours, which may pass midnight. now: in the zone of the hours."""
    if begin is None or end is None:
        return False
    first, last, at = time.fromisoformat(begin), time.fromisoformat(end), now.time()
    return first <= at < last if first <= last else at >= first or at < last


def _some(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
