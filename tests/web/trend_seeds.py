"""Thousands of judged series of several scanners: one drifts after a while, and the model changes once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np

from qagate.store.database import Database
from qagate.store.tables import PointRow, SeriesRow

SCANNERS = ("CT1", "CT2", "MR1", "MR2")
PROTOCOLS = {"CT": ("Abdomen venous", "Thorax"), "MR": ("Knee PD FS", "Brain T2")}
DAYS = 88
DRIFTING = ("CT2", "Abdomen venous")
DRIFT_DAYS_AGO = 16
MODEL_DAYS_AGO = 44


def seed_points(database: Database, number: int = 5000, now: datetime | None = None) -> None:
    """Write `number` series, evenly over days, scanners and protocols; the same every time."""
    now = now or datetime.now(UTC)
    rng = np.random.default_rng(14)
    points, series = [], []
    for index in range(number):
        age = DAYS * (1 - index / number)
        scanner = SCANNERS[index % 4]
        protocol = PROTOCOLS[scanner[:2]][(index // 4) % 2]
        new = age < MODEL_DAYS_AGO
        worse = (scanner, protocol) == DRIFTING and age < DRIFT_DAYS_AGO
        # the new model grades everything 6 points higher: no scanner became better by that
        score = float(np.clip(rng.normal(76, 6) + (6 if new else 0) - (12 if worse else 0), 0, 100))
        outcome = "unscored" if index % 53 == 0 else "review" if score < 66 else "accept"
        at = now - timedelta(days=age)
        uid = f"1.2.826.0.1.3680043.10.9.{index}"
        noise = float(rng.normal(14, 1.5) + (6 if worse else 0))
        words = {"series_instance_uid": uid, "modality": scanner[:2], "organ": "", "outcome": outcome,
                 "score": None if outcome == "unscored" else score}  # fmt: skip
        points.append(
            PointRow(
                **words, at=at, scanner=scanner, protocol=protocol, seconds_to_verdict=float(rng.gamma(4, 4)),
                model=f"qagate-iqa 0.{2 if new else 1}.0 {'beef' if new else 'cafe'}0000", policy="default",
                repeated=bool(rng.random() < 0.04), attributes={"noise": 0.3, "motion": 0.1},
                physics={"noise_hu": round(noise, 2)},
            )
        )  # fmt: skip
        series.append(
            SeriesRow(
                **words, study_instance_uid=uid, state="delivered", first_instance_at=at, last_instance_at=at,
                station_name=scanner, protocol_name=protocol, instances=120, revision=1,
            )
        )  # fmt: skip
    with database.begin() as session:
        session.add_all([*series, *points])
