"""A worker is known to the others before it takes anything, so that they notice its death however early it comes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qagate.errors import ScoringError, SettingsError
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


@pytest.mark.parametrize(
    ("asked", "device", "takes"),
    [
        (["deliver"], "cpu", "deliver"),
        (["deliver", "score"], "cpu", "deliver score"),
        (None, "cpu", "score deliver"),
        (None, "cuda", "deliver"),  # the network needs a GPU and none is here: it takes no such work
    ],
)
def test_a_worker_takes_what_it_has_the_hardware_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str] | None, device: str, takes: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "model": {"threads": 1, "device": device}})
    database = Database.open(settings.database_url)
    with Worker(settings, database, queues=asked), database.read() as session:
        (row,) = workers.every(session)
        assert (row.queues, row.device) == (takes, "cpu" if "score" in takes else "")
        assert workers.versions(session) == {row.version}
    database.close()


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        (["score"], ScoringError, "no CUDA device"),
        (["scores"], SettingsError, "queues are score and deliver, got scores"),
        ([], SettingsError, "got none"),
    ],
)
def test_queues_that_cannot_be_taken_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str], error: type[Exception], words: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    settings = Settings.model_validate({"storage": {"data_dir": tmp_path}, "model": {"device": "cuda"}})
    database = Database.open(settings.database_url)
    with pytest.raises(error, match=words):
        Worker(settings, database, queues=asked)
    database.close()
