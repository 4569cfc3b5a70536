"""What people said, brought home: labels for fine-tuning, every decision, and how far people and the model agree."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field

from qagate.domain.agreement import ENOUGH, Figure, kappa, share
from qagate.domain.decision import Decision
from qagate.domain.person import Permission, Person
from qagate.domain.spreadsheet import write
from qagate.store import decisions, opinions, reviews
from qagate.store.opinions import GOOD, POOR, Paired
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.decisions import settings_of
from qagate.web.export import CSV, Separated, attached, streamed
from qagate.web.problem import told
from qagate.web.reading import database_of, now
from qagate.work import labels

router = APIRouter(prefix="/api/v1", tags=["labels"])

Reader = Annotated[Person, Depends(needs(Permission.READ))]
Tuner = Annotated[Person, Depends(needs(Permission.TUNE))]
Days = Annotated[int, Query(ge=1, le=3650, description="how far to look back")]
DECISION_COLUMNS = (
    "id", "at", "series_instance_uid", "revision", "verdict", "score", "policy", "model", "person", "kind", "reason",
    "quality", "note", "blind", "undoes", "undone",
)  # fmt: skip


class Interval(BaseModel):
    """A figure with its 95 % interval and how many things it was made from."""

    value: float
    low: float
    high: float
    count: int


class Agreement(BaseModel):
    """How far people and the verdict, and people among themselves, say the same: good, or not.

    A figure is null with fewer than 20 pairs. People mostly look at what was flagged; only `missed` is of a fair
    sample.
    """

    modality: str
    protocol: str
    pairs: int = Field(description="opinions beside a verdict")
    same: Interval | None = Field(description="share of opinions that say what the verdict said, 0-1")
    kappa_with_model: Interval | None = Field(description="Cohen's kappa of people and verdict, -1..1")
    kappa_between_people: Interval | None = Field(description="Cohen's kappa of two people on one series, -1..1")
    missed: Interval | None = Field(description="share of good verdicts, hidden, that people called poor, 0-1")
    missed_of: int = Field(description="good verdicts that people judged without knowing them")


class Agreements(BaseModel):
    """Agreement over all protocols, and of each."""

    days: int
    everything: Agreement
    protocols: list[Agreement]


@router.get("/labels.csv", response_class=Response, responses={**told(), **CSV})
def labels_csv(request: Request, person: Tuner) -> Response:
    """Return what people said of volumes whose images are kept, as `qagate train finetune --index` reads it here."""
    settings = settings_of(request)
    with database_of(request).read() as session:
        found = labels.labels(session)
    text = io.StringIO(newline="")
    labels.write(text, ((str(p), one) for one in found if (p := settings.labelled_dir / one.file).is_file()))
    return Response(text.getvalue(), media_type="text/csv", headers=attached("labels.csv"))  # programs alone read it


@router.get("/decisions.csv", response_class=StreamingResponse, responses={**told(422), **CSV})
def decisions_csv(
    request: Request, person: Tuner, days: Days = 365, separator: Separated = "comma"
) -> StreamingResponse:
    """Return every decision, oldest first, those that were taken back among them."""
    with database_of(request).read() as session:
        found = decisions.since(session, now(request) - timedelta(days=days))
        hidden = set(session.scalars(reviews.hidden())) if veil.lies(request) else set()
    text = io.StringIO(newline="")
    write(text, [DECISION_COLUMNS], separator=separator)
    write(text, (_line(one, hidden=one.series_instance_uid in hidden) for one in found), separator=separator)
    return streamed(request, iter([text.getvalue()]), "decisions.csv")


@router.get("/agreement", responses=told(422))
def agreement(request: Request, person: Reader, days: Days = 365) -> Agreements:
    """Say how far people and the verdicts agree, by protocol; nobody is named."""
    with database_of(request).read() as session:
        pairs = opinions.paired(session, since=now(request) - timedelta(days=days))
    ordered = sorted(pairs.items(), key=lambda item: (-len(item[1].model), item[0]))
    return Agreements(
        days=days,
        everything=agreed("", "", Paired.together(pairs.values())),
        protocols=[agreed(modality, protocol, one) for (modality, protocol), one in ordered],
    )


def agreed(modality: str, protocol: str, pairs: Paired) -> Agreement:
    """Return the figures of some pairs; null with fewer than ENOUGH."""
    good = [person for model, person in pairs.blind if model == GOOD]
    return Agreement(
        modality=modality,
        protocol=protocol,
        pairs=len(pairs.model),
        same=_shown(share(sum(one == other for one, other in pairs.model), len(pairs.model))),
        kappa_with_model=_shown(kappa(pairs.model)),
        kappa_between_people=_shown(kappa(pairs.people)),
        missed=_shown(share(good.count(POOR), len(good))),
        missed_of=len(good),
    )


def _shown(figure: Figure | None) -> Interval | None:
    if figure is None or figure.count < ENOUGH:
        return None
    return Interval(
        value=round(figure.value, 3), low=round(figure.low, 3), high=round(figure.high, 3), count=figure.count
    )


def _line(one: Decision, *, hidden: bool) -> tuple[object, ...]:
    outcome, score = ("", None) if hidden else (str(one.outcome or ""), one.score)
    return (
        one.id, one.at.isoformat(), one.series_instance_uid, one.revision, outcome, score, one.policy, one.model,
        one.person, str(one.kind), one.reason, one.quality or "", one.note, one.blind, one.undoes, one.undone,
    )  # fmt: skip
