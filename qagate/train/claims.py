"""Claims that were set before training, and whether the benchmark bears them out."""

from __future__ import annotations

from typing import Any

from qagate.train.heard import MODEL

PUBLISHED = {"srcc": 0.7476, "plcc": 0.7153}
"""CMMIQA on its own 3D database (QIMS 2025): other data, labels and scale, so only a yardstick."""
NOT_RUN = "not run"


def claims(tests: dict[str, Any]) -> dict[str, Any]:
    """Return the claims that were set before: each true, false, or not run."""
    needed = [tests.get(name) for name in ("T1", "T2", "T3")]
    run = [t for t in needed if isinstance(t, dict) and MODEL in t.get("rows", {})]

    def above(test: dict[str, Any]) -> bool:
        row = test["rows"][MODEL]
        return all(row[k]["low"] is not None and row[k]["low"] > limit for k, limit in PUBLISHED.items())

    def ahead(test: dict[str, Any]) -> bool | None:
        row = test["rows"].get("47 features + ExtraTrees")
        return None if row is None else bool((row["model_leads_by_srcc"]["low"] or 0.0) > 0)

    leads = [ahead(test) for test in run]
    return {
        "lower ends above 0.7476 SRCC and 0.7153 PLCC": {
            name: (above(test) if test in run else NOT_RUN)
            for name, test in zip(("T1", "T2", "T3"), needed, strict=True)
        },
        "paired interval against ExtraTrees above 0": {
            name: (NOT_RUN if test not in run else leads[run.index(test)])
            for name, test in zip(("T1", "T2", "T3"), needed, strict=True)
        },
    }
