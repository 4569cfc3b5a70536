"""Fill a database with many made series by bulk insert: what a department with a dozen scanners sends in years."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from qagate.domain.decision import Sampling
from qagate.domain.verdict import Outcome
from qagate.store.database import Database
from qagate.store.tables import AssessmentRow, KindRow, ReviewRow, RevisionRow, SeriesRow

YEARS = 3
BATCH = 20_000

PROTOCOLS = {
    "CT": (
        ("Abdomen venous", "Abd venous 3mm", "abdomen", "liver"), ("Thorax", "Thorax lung 1mm", "chest", "lung"),
        ("Head native", "Head 4mm", "head", "brain"), ("Trauma", "Polytrauma 2mm", "chest abdomen", ""),
        ("Spine", "L spine bone", "spine", "spine"), ("Neck", "Neck contrast", "neck", ""),
    ),
    "MR": (
        ("Knee PD FS", "PD FS sag", "lower_extremity", "knee"), ("Brain T2", "T2 tra FLAIR", "head", "brain"),
        ("Prostate", "T2 tra", "pelvis", "prostate"), ("Liver", "T1 vibe dyn", "abdomen", "liver"),
        ("Cardiac", "cine sa", "chest", "heart"), ("Shoulder", "PD FS cor", "upper_extremity", "shoulder"),
    ),
}  # fmt: skip
"""Modality → (protocol, description, region, organ)."""

SCANNERS = (*(f"CT{i:02d}" for i in range(1, 8)), *(f"MR{i:02d}" for i in range(1, 6)))
OUTCOMES = ("accept", "review", "reject", "unscored", "")
FLAGGED = ("review", "reject")
KIND_WORDS = (
    "modality", "calling_ae_title", "station_name", "protocol_name", "series_description", "region", "organ",
)  # fmt: skip
SHARES = (0.86, 0.06, 0.005, 0.07, 0.005)

BLIND = Sampling(accepted=0.02, flagged=0.2)
"""How many series people are to judge blind."""


def fill(database: Database, number: int, now: datetime) -> bool:
    """Write series into an empty database, the newest of them with revision and assessment; False when it has some.

    Indexes and triggers are away meanwhile: what the triggers would write is written here.
    """
    with database.read() as session:
        if session.scalar(select(func.count()).select_from(SeriesRow)):
            return False
    kinds: dict[tuple[str, ...], int] = {}
    with database.engine.begin() as connection, _bare(connection):
        for first in range(0, number, BATCH):
            rows = list(_series(first, min(first + BATCH, number), number, now))
            for row in rows:
                row["kind_id"] = kinds.setdefault(tuple(str(row[word]) for word in KIND_WORDS), len(kinds) + 1)
                row["hidden"] = _blind(row)
                row["waiting"] = row["outcome"] in FLAGGED or row["hidden"]
                row["accession_tail"] = row["accession_number"][-4:].lower()
            _write(connection, SeriesRow.__table__, rows)
            if first + BATCH >= number:
                judged = [(i + 1, row) for i, row in enumerate(rows) if row["outcome"]]
                _write(connection, RevisionRow.__table__, [_revision(key, row) for key, row in judged])
                _write(connection, AssessmentRow.__table__, [_assessment(key, row) for key, row in judged])
            _write(connection, ReviewRow.__table__, [_review(row) for row in rows if row["waiting"]])
        _write(connection, KindRow.__table__, [dict(zip(("id", *KIND_WORDS), (key, *words), strict=True))
                                               for words, key in kinds.items()])  # fmt: skip
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE" if connection.dialect.name == "sqlite" else "VACUUM ANALYZE")
    return True


@contextlib.contextmanager
def _bare(connection: Connection) -> Iterator[None]:
    """Take indexes and triggers off the table of series, and put the same ones back."""
    if connection.dialect.name == "sqlite":
        asked = "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = 'series' AND type <> 'table' AND sql <> ''"
        drop = "DROP {0} {1}"
    else:
        asked = (
            "SELECT 'INDEX', indexname, indexdef FROM pg_indexes WHERE tablename = 'series'"
            " AND indexname <> 'pk_series'"
            " UNION ALL SELECT 'TRIGGER', tgname, pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgrelid = 'series'::regclass AND NOT tgisinternal"
        )
        drop = "DROP {0} {1}{2}"
    found = [(kind.upper(), name, sql) for kind, name, sql in connection.exec_driver_sql(asked)]
    for kind, name, _ in found:
        connection.exec_driver_sql(drop.format(kind, name, " ON series" if kind == "TRIGGER" else ""))
    yield
    for _, _, sql in found:
        connection.exec_driver_sql(sql)


def _series(first: int, last: int, number: int, now: datetime) -> Iterator[dict[str, Any]]:
    rng = np.random.default_rng(first)
    size = last - first
    scanners, protocols = rng.integers(len(SCANNERS), size=size), rng.integers(6, size=size)
    outcomes, chances = rng.choice(len(OUTCOMES), p=SHARES, size=size), rng.random(size)
    scores, numbers = rng.normal(size=size), rng.integers(20, 600, size=size)
    for i, index in enumerate(range(first, last)):
        at = now - timedelta(days=YEARS * 365 * (1 - index / number), seconds=2)  # the oldest first
        scanner = SCANNERS[scanners[i]]
        if index < number // 3 and scanner == "CT07":
            scanner = "CTOLD"  # retired after the first year
        modality = scanner[:2]
        protocol, description, region, organ = PROTOCOLS[modality][protocols[i]]
        if chances[i] < 0.00005:
            protocol, description = "Physics test", "weekly physics"
        outcome = OUTCOMES[outcomes[i]]
        usual = 80 if outcome == "accept" else 42
        score = None if outcome in ("", "unscored") else min(max(usual + 7 * float(scores[i]), 0.0), 100.0)
        yield {
            "series_instance_uid": f"1.2.826.0.1.3680043.10.1.{index:07d}",
            "study_instance_uid": f"1.2.826.0.1.3680043.10.2.{index // 4:07d}",
            "modality": modality,
            "calling_ae_title": f"AE_{scanner}",
            "state": "delivered" if outcome else ("failed" if chances[i] < 0.1 else "excluded"),
            "instances": int(numbers[i]),
            "first_instance_at": at - timedelta(seconds=60),
            "last_instance_at": at,
            "completed_by": "released",
            "revision": 1,
            "accession_number": f"ACC{index // 4:08d}",
            "series_description": f"{description} {numbers[i] % 5 + 1}",
            "protocol_name": protocol,
            "station_name": scanner,
            "region": region,
            "organ": organ,
            "outcome": outcome,
            "score": score,
            "interval_low": None if score is None else max(score - 8, 0),
            "interval_high": None if score is None else min(score + 8, 100),
            "reason": "Noise 24 HU; abdomen here is usually 12-18" if outcome in ("review", "reject") else "",
            "verdict_at": at + timedelta(seconds=11) if outcome else None,
        }  # fmt: skip


def _revision(key: int, series: dict[str, Any]) -> dict[str, Any]:
    at = series["last_instance_at"]
    return {
        "id": key, "series_instance_uid": series["series_instance_uid"], "number": 1, "digest": f"{key:064x}",
        "state": "reported" if series["outcome"] else "excluded", "completed_by": "released", "last_instance_at": at,
        "created_at": at, "assessed_at": series["verdict_at"], "reported_at": series["verdict_at"],
    }  # fmt: skip


def _review(series: dict[str, Any]) -> dict[str, Any]:
    """Nobody ever decided anything here: the most that can wait."""
    return {
        "series_instance_uid": series["series_instance_uid"], "version": 1, "revision": 1, "state": "open",
        "asked": True, "blind": series["hidden"], "outcome": series["outcome"], "score": series["score"],
    }  # fmt: skip


def _blind(series: dict[str, Any]) -> bool:
    return bool(series["outcome"]) and BLIND.draws(series["series_instance_uid"], 1, Outcome(series["outcome"]))


def _assessment(key: int, series: dict[str, Any]) -> dict[str, Any]:
    document = {"score": series["score"], "physics": {"noise_hu": 14.0}, "attributes": {"noise": 0.2}}
    return {
        "id": key, "revision_id": key, "volume_index": 0, "score": series["score"], "outcome": series["outcome"],
        "policy": "default", "document": document, "created_at": series["verdict_at"],
    }  # fmt: skip


def _write(connection: Connection, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    defaults = {c.name: c.default.arg for c in table.columns if c.default is not None and c.default.is_scalar}
    names = list({**defaults, **rows[0]})
    lines = ([_plain(value) for value in {**defaults, **row}.values()] for row in rows)
    cursor = connection.connection.cursor()
    if connection.dialect.name == "sqlite":
        places = ", ".join("?" * len(names))
        cursor.executemany(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({places})", lines)
        return
    text = io.StringIO()
    csv.writer(text).writerows(["\\N" if value is None else value for value in line] for line in lines)
    with cursor.copy(f"COPY {table.name} ({', '.join(names)}) FROM STDIN WITH (FORMAT csv, NULL '\\N')") as copy:
        copy.write(text.getvalue())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return json.dumps(value) if isinstance(value, dict) else value
