"""Tables of what came in: associations, series, instances."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class AssociationRow(Base):
    """One association a peer opened with us; closed_at is null while it lasts. receiver: the process that served it."""

    __tablename__ = "association"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    calling_ae_title: Mapped[str] = mapped_column(String(16))
    called_ae_title: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    receiver: Mapped[str] = mapped_column(String(128), default="")
    opened_at: Mapped[datetime]
    closed_at: Mapped[datetime | None] = mapped_column(index=True)
    aborted: Mapped[bool] = mapped_column(default=False)


class SeriesRow(Base):
    """One series as it stands now.

    state: receiving → queued → scored → delivered, or excluded (not for us) or failed (parked after repeated faults).
    The verdict columns repeat the latest revision's, so that the worklist is one query. holding: whether its images
    wait: "" (never asked), held, released or rejected; held_until: the deadline while they are held. kind_id (of
    KindRow), accession_tail (the last four characters, lower case), waiting (for a person) and hidden (its verdict is,
    from people) are kept by triggers of the database.
    """

    __tablename__ = "series"

    series_instance_uid: Mapped[str] = mapped_column(String(64), primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    modality: Mapped[str] = mapped_column(String(16), default="")
    calling_ae_title: Mapped[str] = mapped_column(String(16), default="")
    state: Mapped[str] = mapped_column(String(16))
    state_reason: Mapped[str] = mapped_column(Text, default="")
    instances: Mapped[int] = mapped_column(default=0)
    first_instance_at: Mapped[datetime]
    last_instance_at: Mapped[datetime]
    completed_by: Mapped[str] = mapped_column(String(32), default="")
    revision: Mapped[int] = mapped_column(default=0)
    accession_number: Mapped[str] = mapped_column(String(64), default="")
    series_description: Mapped[str] = mapped_column(String(128), default="")
    protocol_name: Mapped[str] = mapped_column(String(128), default="")
    station_name: Mapped[str] = mapped_column(String(64), default="")
    device: Mapped[str] = mapped_column(String(160), default="")
    region: Mapped[str] = mapped_column(String(64), default="")
    organ: Mapped[str] = mapped_column(String(32), default="")
    sequence: Mapped[str] = mapped_column(String(16), default="")
    outcome: Mapped[str] = mapped_column(String(16), default="")
    score: Mapped[float | None]
    interval_low: Mapped[float | None]
    interval_high: Mapped[float | None]
    reason: Mapped[str] = mapped_column(Text, default="")
    verdict_at: Mapped[datetime | None] = mapped_column(index=True)
    holding: Mapped[str] = mapped_column(String(16), default="")
    held_until: Mapped[datetime | None]
    kind_id: Mapped[int | None] = mapped_column(default=None)
    accession_tail: Mapped[str] = mapped_column(String(4), default="", server_default="")
    waiting: Mapped[bool] = mapped_column(default=False, server_default=false())
    hidden: Mapped[bool] = mapped_column(default=False, server_default=false())

    __table_args__ = (
        # each answers one question of the worklist by itself, without a look at the rows: docs/performance.md
        Index("ix_series_time", "last_instance_at", "series_instance_uid", "kind_id", "outcome", "state"),
        Index("ix_series_outcome_time", "outcome", "last_instance_at", "series_instance_uid"),
        Index("ix_series_kind", "kind_id", "outcome", "last_instance_at"),
        Index("ix_series_state_outcome", "state", "outcome"),
        Index(
            "ix_series_accession_number", "accession_number", postgresql_ops={"accession_number": "text_pattern_ops"}
        ),
        Index("ix_series_accession_tail", "accession_tail"),
        Index(
            "ix_series_waiting",
            "last_instance_at",
            "series_instance_uid",
            "kind_id",
            "outcome",
            "state",
            sqlite_where=text("waiting IS 1"),
            postgresql_where=text("waiting IS true"),
        ),
        Index(
            "ix_series_hidden",
            "last_instance_at",
            "series_instance_uid",
            "kind_id",
            "outcome",
            "state",
            sqlite_where=text("hidden IS 1"),
            postgresql_where=text("hidden IS true"),
        ),
    )


class InstanceRow(Base):
    """One object in the spool. Other bytes under the same UID are another row, marked as a conflict."""

    __tablename__ = "instance"

    id: Mapped[int] = mapped_column(primary_key=True)
    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    path: Mapped[str] = mapped_column(Text)
    # SQLite's integers have 64 bits anyway
    size_bytes: Mapped[int] = mapped_column(BigInteger().with_variant(Integer(), "sqlite"))
    sha256: Mapped[str] = mapped_column(String(64))
    conflict: Mapped[bool] = mapped_column(default=False)
    association_id: Mapped[str] = mapped_column(String(64), default="")
    received_at: Mapped[datetime]
    revision: Mapped[int | None] = mapped_column(default=None)
    deleted_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("series_instance_uid", "sop_instance_uid", "sha256"),
        Index("ix_instance_association_id", "association_id"),
        Index("ix_instance_sop_instance_uid", "sop_instance_uid"),
    )


class AnnouncedRow(Base):
    """What a request called an object whose data set says otherwise: its sender asks for it by these UIDs."""

    __tablename__ = "announced"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id"))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    sop_instance_uid: Mapped[str] = mapped_column(String(64), index=True)

    __table_args__ = (UniqueConstraint("instance_id", "sop_class_uid", "sop_instance_uid"),)
