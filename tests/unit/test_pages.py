"""The generated pages of docs/ are those of this code, and every metric and error is told of."""

from __future__ import annotations

from pathlib import Path

import pytest

from qagate.cli.pages import PAGES
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.web.health import NodeCollector

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_generated_pages_are_current(name):
    assert (DOCS / name).read_text(encoding="utf-8") == PAGES[name](), "run `make docs`"


def test_every_metric_is_documented(tmp_path):
    database = Database.open(f"sqlite:///{tmp_path / 'q.db'}")
    text = (DOCS / "metrics.md").read_text(encoding="utf-8")
    for metric in NodeCollector(database, Settings()).collect():
        assert f"`{metric.name}`" in text
    database.close()
