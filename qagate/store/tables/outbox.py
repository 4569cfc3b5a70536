"""Tables of what goes out: documents and their deliveries."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class DocumentRow(Base):
    """One SR, SC or KO we wrote. `variants` are its files, richest SOP class first."""

    __tablename__ = "document"

    id: Mapped[int] = mapped_column(primary_key=True)
    revision_id: Mapped[int] = mapped_column(ForeignKey("revision.id"), index=True)
    kind: Mapped[str] = mapped_column(String(4))
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    variants: Mapped[list[str]]
    created_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("revision_id", "kind"),)


class DeliveryRow(Base):
    """One document for one destination.

    state: planned → sent (or warning: taken, with a remark) → committed; parked: refused for good, or nobody
    sends it; given_up: by a person.
    obstacle: a word of qagate.domain.obstacle.Obstacle, of the last try; detail: the same for people.
    """

    __tablename__ = "delivery"

    id: Mapped[int] = mapped_column(primary_key=True)
    document_id: Mapped[int] = mapped_column(ForeignKey("document.id"))
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    sop_instance_uid: Mapped[str] = mapped_column(String(64), default="")
    obstacle: Mapped[str] = mapped_column(String(16), default="", server_default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    transaction_uid: Mapped[str] = mapped_column(String(64), default="")
    commitment_asked_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("document_id", "destination"),
        Index("ix_delivery_state_next_attempt_at", "state", "next_attempt_at"),
    )
