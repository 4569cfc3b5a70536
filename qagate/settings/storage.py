"""Settings of the disk, and of what may lie on it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator

from qagate.settings.base import Days, Tree

# as SQLAlchemy reads it, for the two kinds of database that there are; an @ in a password ends it too early
_DATABASE = re.compile(
    r"sqlite(\+pysqlite)?:///?.*"
    r"|postgresql(\+psycopg)?://([^:/]*(:[^@]*)?@)?(\[[^/?@]+\]|[^/:?@]+)?(:\d*)?([/?].*)?"
)


class Storage(Tree):
    """Where things lie on disk."""

    data_dir: Path = Field(Path("qagate-data"), description="folder for spool, outbox, pictures and SQLite files")
    database_url: str | None = Field(None, description="SQLAlchemy URL; SQLite under data_dir when absent")
    reserve_mb: Annotated[int, Field(ge=0)] = Field(1024, description="free disk below which objects are refused")
    keep_days: Days = Field(7, description="days the spool keeps what was delivered")
    keep_events_days: Days = Field(400, description="days the trail of a series stays in the database")
    keep_associations_days: Days = Field(
        90, description="days the database knows who connected, and longer while images of that are in the spool"
    )
    keep_exchanges_days: Days = Field(
        90,
        description="days the database keeps finished forwards of images that left the spool, and answered questions",
    )
    max_object_mb: Annotated[int, Field(ge=1)] = Field(4096, description="largest object we take and decode")
    max_volume_mb: Annotated[int, Field(ge=1)] = Field(8192, description="largest volume we rebuild")

    @field_validator("database_url")
    @classmethod
    def _of_a_known_kind(cls, url: str | None) -> str | None:
        if url and not _DATABASE.fullmatch(url):
            raise ValueError(
                "must look like sqlite:////FOLDER/FILE or postgresql+psycopg://NAME:PASSWORD@HOST:PORT/DATABASE, "
                "with @ in a password written as %40"
            )
        return url
