"""For machines that watch: /healthz, /readyz, /metrics."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from qagate.errors import StoreError
from qagate.settings import Settings
from qagate.store import neighbours, worklist
from qagate.store.database import Database
from qagate.web.problem import told
from qagate.web.reading import database_of

router = APIRouter(tags=["health"])


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


@router.get("/metrics", response_class=PlainTextResponse, responses=told())
def metrics(request: Request) -> Response:
    """Return the node's figures in Prometheus' text format; no patient data."""
    registry = CollectorRegistry()
    registry.register(NodeCollector(database_of(request), request.app.state.settings))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


class NodeCollector(Collector):
    """Reads the figures from the database and the disk at each scrape."""

    def __init__(self, database: Database, settings: Settings) -> None:
        self._database = database
        self._settings = settings

    def collect(self) -> Iterator[Metric]:
        """Yield every metric; docs/metrics.md lists them."""
        with self._database.read() as session:
            account = worklist.account(session)
            deliveries = worklist.delivery_counts(session)
        series = GaugeMetricFamily("qagate_series", "Series by where they are now", labels=["where"])
        for where in ("accepted", "flagged", "unscored", "excluded", "failed", "pending", "unaccounted"):
            series.add_metric([where], getattr(account, where))
        yield series
        outbox = GaugeMetricFamily(
            "qagate_deliveries", "Documents by destination and state", labels=["destination", "state"]
        )
        for (destination, state), number in sorted(deliveries.items()):
            outbox.add_metric([destination, state], number)
        yield outbox
        free = GaugeMetricFamily("qagate_disk_free_bytes", "Free bytes on the disk of the data folder")
        folder = self._settings.storage.data_dir
        free.add_metric([], shutil.disk_usage(folder if folder.exists() else ".").free)
        yield free
