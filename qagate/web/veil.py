"""Veil: what is left out where people are to judge without knowing the verdict (the blind sample).

It lies over pages, lists, exports and answers alike until somebody decided. A program that comes with a token sees
through it: it asks for a fact, and nobody asks its opinion. So does the room page: whoever scans is told while the
patient is there. Whether images are held is never left out: somebody may have to let them go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from fastapi import Request
from sqlalchemy.orm import Session

from qagate.store import lists, reviews
from qagate.store.filter import Filter
from qagate.store.tables import SeriesRow
from qagate.store.undelivered import Undelivered
from qagate.web import views
from qagate.web.access import caller_of

TELLING = "KO"
"""The document that only flagged series have: that there is one tells the verdict."""


def lies(request: Request) -> bool:
    """Whether hidden verdicts stay hidden from who asks: from everybody but tokens."""
    caller = caller_of(request)
    return caller is None or caller.how != "token"


def drawn(request: Request) -> bool:
    """Whether there may be series whose verdict is hidden from who asks."""
    review = request.app.state.settings.review
    return lies(request) and bool(review.blind_accepted or review.blind_flagged)


def hides(request: Request, session: Session, uid: str) -> bool:
    """Whether the verdict of a series is hidden from who asks."""
    return lies(request) and reviews.hides(reviews.of(session, [uid]).get(uid))


def narrowed(request: Request, wanted: Filter) -> Filter:
    """Return the filter without hidden verdicts where it asks for a verdict: to be found under it is to be told."""
    return replace(wanted, hidden=False) if wanted.outcome not in ("", "todo") and drawn(request) else wanted


def counts(request: Request, session: Session, wanted: Filter) -> dict[str, int]:
    """Return how many series have each outcome as `lists.outcome_counts` does, the hidden ones as if they had none."""
    return lists.outcome_counts(session, wanted, veiled=drawn(request))


def shown(request: Request, session: Session, rows: Sequence[SeriesRow]) -> list[dict[str, Any]]:
    """Return lines of a list as who asks may see them, each with where it stands with people."""
    stands = reviews.of(session, [row.series_instance_uid for row in rows])
    return [views.reviewed(row, stands.get(row.series_instance_uid), veiled=lies(request)) for row in rows]


def verdict(request: Request, found: dict[str, Any]) -> dict[str, Any]:
    """Return one series as who asks may see it: hidden, it comes without its verdict."""
    return {**found, **views.VEILED} if found["hidden"] and lies(request) else found


def undelivered(request: Request, session: Session, rows: Sequence[Undelivered]) -> list[Undelivered]:
    """Return what was not delivered as who asks may see it: without what tells a hidden verdict."""
    stands = reviews.of(session, [row.series_instance_uid for row in rows]) if lies(request) else {}
    return [row for row in rows if row.what != TELLING or not reviews.hides(stands.get(row.series_instance_uid))]


def whole(request: Request, found: dict[str, Any]) -> dict[str, Any]:
    """Return everything about one series as who asks may see it: hidden, it comes without what tells its verdict."""
    if not (found["hidden"] and lies(request)):
        return found
    bare = [
        {**one, "assessments": [], "documents": [said for said in one["documents"] if said["kind"] != TELLING]}
        for one in found["revisions"]
    ]
    events = [
        one
        for one in found["events"]
        if one["what"] not in ("verdict", "released") and not one["detail"].startswith(f"{TELLING} to ")
    ]
    images = found["images"]
    if images["held"]:  # "the verdict is good" would be why they were let go
        images = {**images, "held": {**images["held"], "cause": "", "words": ""}}
    return {**verdict(request, found), "images": images, "revisions": bare, "events": events}
