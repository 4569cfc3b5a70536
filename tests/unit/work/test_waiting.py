from __future__ import annotations

import threading

from qagate.errors import StoreError
from qagate.store.database import Database
from qagate.work.waiting import when_there


def test_it_waits_says_so_once_and_goes_on(tmp_path, monkeypatch, caplog):
    opened, tries = Database.open, []

    def away(url):
        tries.append(url)
        if len(tries) < 4:
            raise StoreError("the database at nowhere cannot be used")
        return opened(url)

    monkeypatch.setattr(Database, "open", away)
    database = when_there(f"sqlite:///{tmp_path / 'q.db'}", threading.Event(), try_seconds=0.01)
    assert database is not None
    database.close()
    waits, end = [record.message for record in caplog.records]
    assert waits.startswith("the database at nowhere cannot be used; waiting for it")
    assert end.startswith("the database is there after")


def test_it_stops_waiting_when_told(tmp_path):
    told = threading.Event()
    told.set()
    assert when_there(f"sqlite:///{tmp_path / 'q.db'}", told) is None
