"""The table of kinds: which words series share. Lists search here: thousands instead of millions."""

from __future__ import annotations

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class KindRow(Base):
    """One combination of words that at least one series has or had: what was imaged, how, and on which scanner.

    Triggers of the database keep it and `series.kind_id` true, whoever writes a series and by which way.
    """

    __tablename__ = "kind"

    id: Mapped[int] = mapped_column(primary_key=True)
    modality: Mapped[str] = mapped_column(String(16))
    calling_ae_title: Mapped[str] = mapped_column(String(16))
    station_name: Mapped[str] = mapped_column(String(64))
    protocol_name: Mapped[str] = mapped_column(String(128))
    series_description: Mapped[str] = mapped_column(String(128))
    region: Mapped[str] = mapped_column(String(64))
    organ: Mapped[str] = mapped_column(String(32))

    __table_args__ = (
        Index(
            "uq_kind",
            "series_description",
            "protocol_name",
            "station_name",
            "calling_ae_title",
            "modality",
            "region",
            "organ",
            unique=True,
        ),
    )
