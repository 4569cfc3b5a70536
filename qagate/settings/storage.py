"""Settings of the disk, and of what may lie on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from qagate.settings.base import Tree


class Storage(Tree):
    """Where things lie on disk."""

    data_dir: Path = Field(Path("qagate-data"), description="folder for spool, outbox, pictures and SQLite files")
    database_url: str | None = Field(None, description="SQLAlchemy URL; SQLite under data_dir when absent")
    reserve_mb: Annotated[int, Field(ge=0)] = Field(1024, description="free disk below which objects are refused")
    keep_days: Annotated[float, Field(ge=0)] = Field(7, description="days the spool keeps what was delivered")
    max_object_mb: Annotated[int, Field(ge=1)] = Field(4096, description="largest object we take and decode")
    max_volume_mb: Annotated[int, Field(ge=1)] = Field(8192, description="largest volume we rebuild")
