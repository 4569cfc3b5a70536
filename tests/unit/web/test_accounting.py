from __future__ import annotations

from datetime import UTC, datetime

from qagate.store import reconciliation
from qagate.store.reconciliation import Compared


def test_the_account_of_days_adds_up(site):
    found = site.json("/api/v1/accounts?days=3")
    assert len(found) == 3
    for day in found:
        known = sum(day[name] for name in ("scored", "unscored", "excluded", "failed", "pending", "unaccounted"))
        assert day["received"] == known
        assert day["received"] == sum(source["received"] for source in day["sources"].values())
    assert sum(day["received"] for day in found) == site.json("/api/v1/account")["received"]


def test_what_archives_have_is_shown(site):
    now = datetime.now(UTC)
    with site.database.begin() as session:
        reconciliation.record(session, Compared("PACS", "2026-11-21", now, held=3, checked=1, unseen=("1.2",)))
    (one,) = site.json("/api/v1/reconciliations")
    assert (one["state"], one["unseen"]) == ("differs", ["1.2"])
    assert "PACS: differs on 2026-11-21: 1 of its 3 series never came here" in site.page("/")
    metrics = site.client.get("/metrics").text
    assert 'qagate_reconciliation_differences{destination="PACS",what="unseen"} 1.0' in metrics
