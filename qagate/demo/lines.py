"""The demo's lines in the terminal: one for each series as it happens, and a summary."""

from __future__ import annotations

from collections.abc import Mapping

from qagate.demo.node import SeriesStatus
from qagate.demo.sample import Sample
from qagate.domain.verdict import WORDS, Outcome

SHAPES: Mapping[str, str] = {
    Outcome.ACCEPT: "●",
    Outcome.REVIEW: "▲",
    Outcome.REJECT: "■",
    Outcome.UNSCORED: "○",
}
"""The shapes of the pages, as far as a terminal has them: tick circle, triangle, octagon, dashed circle."""

_COLOURS: Mapping[str, str] = {
    Outcome.ACCEPT: "38;2;76;195;138",
    Outcome.REVIEW: "38;2;245;165;36",
    Outcome.REJECT: "38;2;240;96;77",
    Outcome.UNSCORED: "38;2;163;168;195",
}
_WHAT_WIDTH = 66


def series_line(
    sample: Sample, status: SeriesStatus, *, seconds: float | None, kinds: tuple[str, ...], colour: bool = False
) -> str:
    """Return the line for a series that has its answer.

    seconds: from the last image to the last document in the mini PACS. kinds: the documents there, "SR SC".
    """
    what = sample.description.ljust(_WHAT_WIDTH)
    took = f"{seconds:5.1f} s" if seconds is not None else "       "
    state = status["state"]
    reason = (status.get("reasons") or [""])[0]
    if state == "excluded":
        return _tint(f"– Excluded      {what}  {took}  {reason}", Outcome.UNSCORED, colour)
    if state == "failed":
        return _tint(f"! Failed        {what}  {took}  {reason}", Outcome.REJECT, colour)
    outcome = outcome_of(status)
    score = status.get("score")
    number = f"{score:3.0f}" if score is not None else "   "
    head = _tint(f"{SHAPES[outcome]} {WORDS[outcome]:<8}", outcome, colour)
    revision = status.get("revision", 1)
    again = f" · revision {revision}" if revision > 1 else ""
    sent = f"{' '.join(kinds)} → MINIPACS" if kinds else "no document"
    tail = f" · {reason}" if reason else ""
    return f"{head} {number}  {what}  {took}  {sent}{again}{tail}"


def outcome_of(status: SeriesStatus) -> Outcome:
    """Return the verdict of a series; unscored when there is none."""
    verdict = status.get("verdict")
    return Outcome(verdict) if verdict in {o.value for o in Outcome} else Outcome.UNSCORED


def counts(statuses: list[SeriesStatus]) -> str:
    """Return how many series got which answer: "7 good · 3 looked at ..." in the order of the pages."""
    excluded = sum(s["state"] == "excluded" for s in statuses)
    failed = sum(s["state"] == "failed" for s in statuses)
    judged = [outcome_of(s) for s in statuses if s["state"] in ("scored", "delivered")]
    parts = [f"{judged.count(o)} {WORDS[o].lower()}" for o in Outcome if o in judged]
    if excluded:
        parts.append(f"{excluded} excluded by rule")
    if failed:
        parts.append(f"{failed} failed")
    return " · ".join(parts) or "no answers"


def _tint(text: str, outcome: Outcome, colour: bool) -> str:
    return f"\x1b[{_COLOURS[outcome]}m{text}\x1b[0m" if colour else text
