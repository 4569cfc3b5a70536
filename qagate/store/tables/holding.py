"""Tables of images on their way through: what is held, what is forwarded, what was promised to the scanner."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from qagate.store.tables.base import Base


class HoldingRow(Base):
    """Whether the images of one series wait, and who or what let them go.

    state: held → released or rejected (kept back for good by a person; it can still be released). until: the deadline,
    meant for `held` only. cause: a word of qagate.domain.holding.Cause. rejections: how often a person rejected it.
    note: "" → asked → written (rejection notes) → withdraw → withdrawn.
    """

    __tablename__ = "holding"

    series_instance_uid: Mapped[str] = mapped_column(ForeignKey("series.series_instance_uid"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    policy: Mapped[str] = mapped_column(String(64), default="")
    held_at: Mapped[datetime]
    until: Mapped[datetime | None]
    cause: Mapped[str] = mapped_column(String(32), default="")
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str] = mapped_column(Text, default="")
    rejections: Mapped[int] = mapped_column(default=0)
    rejection_code: Mapped[str] = mapped_column(String(64), default="")
    note: Mapped[str] = mapped_column(String(16), default="")

    __table_args__ = (Index("ix_holding_state_until", "state", "until"), Index("ix_holding_note", "note"))


class ForwardRow(Base):
    """One original for one destination.

    state: held → planned → sent (or warning: taken, with a remark) → committed; rejected: kept back by a person;
    parked: refused for good, or nobody sends it; given_up: by a person.
    obstacle: a word of qagate.domain.obstacle.Obstacle, of the last try; detail: the same for people. claimed_by,
    claimed_until: who is sending it now, and until when that is believed.
    """

    __tablename__ = "forward"

    id: Mapped[int] = mapped_column(primary_key=True)
    instance_id: Mapped[int] = mapped_column(ForeignKey("instance.id"))
    series_instance_uid: Mapped[str] = mapped_column(String(64), index=True)
    destination: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16))
    urgent: Mapped[bool] = mapped_column(default=False)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    claimed_by: Mapped[str] = mapped_column(String(128), default="")
    claimed_until: Mapped[datetime | None]
    obstacle: Mapped[str] = mapped_column(String(16), default="", server_default="")
    detail: Mapped[str] = mapped_column(Text, default="")
    sent_at: Mapped[datetime | None]
    committed_at: Mapped[datetime | None]
    transaction_uid: Mapped[str] = mapped_column(String(64), default="", index=True)
    commitment_asked_at: Mapped[datetime | None]

    __table_args__ = (
        UniqueConstraint("instance_id", "destination"),
        Index("ix_forward_destination_state_urgent", "destination", "state", "urgent"),
    )


class CommitmentRow(Base):
    """One storage commitment request that a scanner made of us.

    instances: "SOP Class UID SOP Instance UID" each. state: waiting → answered, or given_up (the scanner could not be
    told). host: where the request came from.
    """

    __tablename__ = "commitment"

    id: Mapped[int] = mapped_column(primary_key=True)
    transaction_uid: Mapped[str] = mapped_column(String(64))
    calling_ae_title: Mapped[str] = mapped_column(String(16))
    host: Mapped[str] = mapped_column(String(255))
    instances: Mapped[list[str]]
    state: Mapped[str] = mapped_column(String(16), index=True)
    asked_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    detail: Mapped[str] = mapped_column(Text, default="")

    __table_args__ = (UniqueConstraint("calling_ae_title", "transaction_uid"),)
