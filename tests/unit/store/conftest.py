"""A fresh database for each test, and short ways to fill it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qagate.domain.series import StoredInstance
from qagate.store.database import Database

T0 = datetime(2026, 11, 22, 9, 40, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database at the newest schema."""
    database = Database.open(f"sqlite:///{tmp_path / 'qagate.db'}")
    yield database
    database.close()


@pytest.fixture
def instance() -> Callable[..., StoredInstance]:
    """Make a stored instance: instance(number, seconds=..., series=..., sha=..., association=...)."""

    def make(
        number: int, *, seconds: float = 0, series: str = "1.2.3", sha: str = "a", association: str = "A1"
    ) -> StoredInstance:
        return StoredInstance(
            path=Path(f"/spool/{series}/{number}.{sha}.dcm"),
            sop_instance_uid=f"{series}.{number}",
            sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            series_instance_uid=series,
            study_instance_uid="1.2",
            modality="CT",
            size_bytes=10,
            sha256=sha * 64,
            calling_ae_title="SCANNER",
            received_at=T0 + timedelta(seconds=seconds),
            association_id=association,
        )

    return make
