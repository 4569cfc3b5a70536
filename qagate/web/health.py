"""For machines that watch: /healthz, /readyz, /metrics."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qagate.domain.person import Permission
from qagate.errors import StoreError
from qagate.settings import Settings
from qagate.store import backfills, forwarding, holding, neighbours, pace, reconciliation, workers, worklist
from qagate.store.database import Database
from qagate.web import veil
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.web.reading import database_of

router = APIRouter(tags=["health"])

LAST_HOUR = timedelta(hours=1)
QUANTILES = (0.5, 0.95, 1.0)


@router.get("/healthz", response_class=PlainTextResponse)
def healthz() -> str:
    """Say that this process is alive."""
    return "ok\n"


@router.get("/readyz", response_class=PlainTextResponse, responses={503: {"description": "not ready"}})
def readyz(request: Request) -> Response:
    """Say whether the database can be used."""
    try:
        with database_of(request).read() as session:
            neighbours.state_of_things(session)  # a transaction alone asks nothing of the database
    except StoreError as error:
        return PlainTextResponse(f"{error}\n", 503)
    return PlainTextResponse("ready\n")


@router.get(
    "/metrics",
    response_class=PlainTextResponse,
    responses=told(),
    dependencies=[Depends(needs(Permission.READ, by_itself=True))],
)
def metrics(request: Request) -> Response:
    """Return the node's figures in Prometheus' text format; no patient data."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(database_of(request), request.app.state.settings, veiled=veil.drawn(request)))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class NodeCollector(Collector):
    """Reads the figures from the database and the disk at each scrape."""

    def __init__(self, database: Database, settings: Settings, *, veiled: bool = False) -> None:
        self._database = database
        self._settings = settings
        self._veiled = veiled

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; docs/metrics.md lists them."""
        now = datetime.now(UTC)
        with self._database.read() as session:
            account = worklist.account(session, veiled=self._veiled)
            deliveries = worklist.delivery_counts(session)
            originals = forwarding.counts(session)
            held = holding.waiting(session)
            seconds = pace.seconds_to_verdict(session, since=now - LAST_HOUR)
            oldest = pace.oldest_unjudged(session)
            compared = reconciliation.latest(session)
            at_work = workers.every(session)
            waiting = backfills.states(session)
        series = GaugeMetricFamily("qagate_series", "Series by where they are now", labels=["where"])
        for where in ("accepted", "flagged", "unscored", "excluded", "failed", "pending", "unaccounted"):
            series.add_metric([where], getattr(account, where))
        yield series
        differences = GaugeMetricFamily(
            "qagate_reconciliation_differences",
            "What the last daily comparison with an archive found",
            labels=["destination", "what"],
        )
        for one in compared:
            differences.add_metric([one.destination, "unseen"], len(one.unseen))
            differences.add_metric([one.destination, "absent"], len(one.absent))
            differences.add_metric([one.destination, "failed"], int(bool(one.detail)))
        yield differences
        outbox = GaugeMetricFamily(
            "qagate_deliveries", "Documents by destination and state", labels=["destination", "state"]
        )
        for (destination, state), number in sorted(deliveries.items()):
            outbox.add_metric([destination, state], number)
        yield outbox
        forwarded = GaugeMetricFamily(
            "qagate_originals", "Images to forward by destination and state", labels=["destination", "state"]
        )
        for (destination, state), number in sorted(originals.items()):
            forwarded.add_metric([destination, state], number)
        yield forwarded
        yield GaugeMetricFamily("qagate_series_held", "Series whose images wait for a verdict", value=len(held))
        verdicts = GaugeMetricFamily(
            "qagate_seconds_to_verdict", "From the last image to the verdict, over the last hour", labels=["quantile"]
        )
        for quantile in QUANTILES if seconds else ():
            verdicts.add_metric([str(quantile)], seconds[min(int(quantile * len(seconds)), len(seconds) - 1)])
        yield verdicts
        yield GaugeMetricFamily("qagate_verdicts_last_hour", "Series judged in the last hour", value=len(seconds))
        yield GaugeMetricFamily(
            "qagate_oldest_unjudged_seconds",
            "Age of the last image of the series that has waited longest for a verdict; 0 when none waits",
            value=0 if oldest is None else max((now - oldest).total_seconds(), 0),
        )
        taking = GaugeMetricFamily("qagate_workers", "Workers that take work from a queue", labels=["queue"])
        for queue in workers.QUEUES:
            taking.add_metric([queue], sum(queue in (one.queues.split() or workers.QUEUES) for one in at_work))
        yield taking
        afterwards = GaugeMetricFamily("qagate_backfill_series", "Series of backfills by state", labels=["state"])
        for state, number in sorted(waiting.items()):
            afterwards.add_metric([state], number)
        yield afterwards
        free = GaugeMetricFamily("qagate_disk_free_bytes", "Free bytes on the disk of the data folder")
        folder = self._settings.storage.data_dir
        free.add_metric([], shutil.disk_usage(folder if folder.exists() else ".").free)
        yield free
        reserve = GaugeMetricFamily("qagate_disk_reserve_bytes", "Free bytes below which objects are refused")
        reserve.add_metric([], self._settings.storage.reserve_mb << 20)
        yield reserve
