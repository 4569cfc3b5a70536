"""Progress: where each sample of the demo stands, in words and as JSON."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from qagate.demo import scanner
from qagate.demo.lines import series_line
from qagate.demo.node import SeriesStatus
from qagate.demo.pacs import MiniPacs
from qagate.demo.sample import Expect, Sample, Way
from qagate.demo.speaker import Speaker

SCHEMA = "qagate.demo/1"
_UNDER_WAY = {"receiving": "not yet complete", "queued": "not yet scored", "scored": "not yet delivered"}


@dataclass(slots=True)
class Progress:
    """Where one sample stands. answered: its first answer is there; late images wait for it."""

    sample: Sample
    sending: Future[scanner.Sending] | None = None
    printed_revision: int = 0
    printed: str = ""
    seconds: float | None = None
    missing: str = "nothing was heard of it"
    answered: threading.Event = field(default_factory=threading.Event)


def look(item: Progress, status: SeriesStatus | None, pacs: MiniPacs, say: Speaker) -> bool:
    """Print the sample's line when there is news; return whether nothing more is expected of it."""
    sending = item.sending.result() if item.sending is not None and _finished(item.sending) else None
    if status is None:
        item.missing = _why_unheard(item)
        return False
    state = status["state"]
    revision = status.get("revision", 1)
    here = {stored.sop_instance_uid: stored for stored in pacs.objects()}
    documents = status.get("documents") or []
    arrived = [here[d["sop_instance_uid"]] for d in documents if d["sop_instance_uid"] in here]
    if state in _UNDER_WAY:
        item.missing = _UNDER_WAY[state]
        return False
    if state == "delivered" and len(arrived) < len(documents):
        lost = [d["kind"] for d in documents if d["sop_instance_uid"] not in here]
        item.missing = f"{' '.join(sorted(lost))} not in the mini PACS"
        return False
    if revision > item.printed_revision or not item.printed:
        last = sending.last_image_at if sending else 0.0
        newest = max((stored.at for stored in arrived), default=0.0)
        item.seconds = newest - last if last and newest > last else None
        kinds = tuple(sorted({d["kind"] for d in documents}, key=("SR", "SC", "KO").index))
        item.printed = series_line(item.sample, status, seconds=item.seconds, kinds=kinds, colour=say.colour)
        item.printed_revision = revision
        item.answered.set()
        say(item.printed)
    item.missing = _what_is_wrong(item, status, arrived_kinds={stored.kind for stored in arrived})
    return not item.missing and sending is not None


def _finished(future: Future[scanner.Sending]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _why_unheard(item: Progress) -> str:
    future = item.sending
    if future is not None and future.done() and not future.cancelled():
        error = future.exception()
        if error is not None:
            return f"it could not be sent: {error}"
        refused = {f"0x{s:04X}" for s in future.result().statuses if s}
        if refused:
            return f"the node answered {', '.join(sorted(refused))}"
    return "nothing was heard of it"


def _what_is_wrong(item: Progress, status: SeriesStatus, arrived_kinds: set[str]) -> str:
    """Return what is still missing for this sample, in words; empty when all is as expected."""
    sample, state = item.sample, status["state"]
    if state == "failed":
        return "the node failed on it: " + (status.get("reasons") or ["no reason given"])[0]
    if sample.expect is Expect.EXCLUDED and state != "excluded":
        return f"expected to be excluded, got {state}"
    if sample.expect is Expect.DOCUMENTS and state == "excluded":
        return "expected documents, but it was excluded: " + (status.get("reasons") or ["no rule given"])[0]
    if sample.expect is Expect.DOCUMENTS and "SR" not in arrived_kinds:
        return "no SR in the mini PACS"
    if sample.send is Way.LATE and status.get("revision", 1) < 2:
        return "no second revision for its late images"
    return ""


def record(
    progress: list[Progress], known: dict[str, SeriesStatus], pacs: MiniPacs, page: str, *, complete: bool
) -> dict[str, Any]:
    """Return all samples as plain JSON data."""
    held = {stored.sop_instance_uid for stored in pacs.objects()}
    rows = []
    for item in progress:
        status = known.get(item.sample.series_instance_uid)
        row: dict[str, Any] = {
            "name": item.sample.name,
            "description": item.sample.description,
            "sent": item.sample.send.value,
            "expectation": item.sample.expectation,
            "series_instance_uid": item.sample.series_instance_uid,
            "state": status["state"] if status else None,
            "revision": status.get("revision", 1) if status else None,
            "verdict": status.get("verdict") if status else None,
            "score": status.get("score") if status else None,
            "reasons": list(status.get("reasons") or []) if status else [],
            "documents": [dict(d) | {"in_pacs": d["sop_instance_uid"] in held} for d in (status.get("documents") or [])]
            if status
            else [],
            "seconds_after_last_image": None if item.seconds is None else round(item.seconds, 2),
            "missing": None if complete else item.missing or None,
        }
        rows.append(row)
    return {"schema": SCHEMA, "complete": complete, "page": page, "series": rows}
