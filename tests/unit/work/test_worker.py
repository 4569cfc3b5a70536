"""A worker is known to the others before it takes anything, so that they notice its death however early it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qagate.settings import Settings
from qagate.store import workers
from qagate.store.database import Database
from qagate.work import worker
from qagate.work.worker import Worker


def test_a_worker_is_on_the_list_before_it_takes_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings.model_validate({"storage": {"data_dir": str(tmp_path)}, "model": {"threads": 1}})
    database = Database.open(settings.database_url)
    known: list[set[str]] = []

    class Engine(worker.Engine):
        def start(self) -> None:
            with database.read() as session:
                known.append({executor_id.rpartition(":")[2] for executor_id in workers.beats(session)})
            super().start()

    monkeypatch.setattr(worker, "Engine", Engine)
    with Worker(settings, database, name="worker-7"):
        pass
    database.close()
    assert known == [{"worker-7"}]
