"""Delivery: has the destination taken this document?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from qagate.deliver import dimse, stow
from qagate.deliver.receipt import Receipt
from qagate.settings import Destination

__all__ = ["Receipt", "accepted_sop_classes", "deliver", "echo"]


def deliver(
    documents: Sequence[Sequence[Path]], destination: Destination, *, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """Send documents and return a receipt for each, in order.

    A document is one file, or the same content as several SOP classes, richest first: the first one that the
    destination accepts is sent. All are tried, even when one is refused. Raises DeliveryError (see qagate.errors for
    which can be tried again); the receipts of what had been taken before stand in its attribute `receipts`.
    """
    if not documents:
        return ()
    if destination.kind == "stow":
        return stow.store(documents, destination)
    return dimse.store(documents, destination, calling_ae_title=calling_ae_title)


def accepted_sop_classes(
    destination: Destination, calling_ae_title: str, sop_class_uids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return which SOP classes the destination would take, and with which transfer syntaxes, without sending anything.

    A class that it would not take has no entry. STOW-RS has no way to ask: everything is then said to be taken, with no
    transfer syntaxes. Raises DeliveryError.
    """
    if destination.kind == "stow":
        return dict.fromkeys(sop_class_uids, ())
    return dimse.accepted_sop_classes(destination, calling_ae_title, sop_class_uids)


def echo(destination: Destination, calling_ae_title: str) -> float:
    """Ask whether the destination is there; return the time from connecting to its answer, in milliseconds.

    C-ECHO, or for STOW-RS a search that finds nothing. Raises DeliveryError.
    """
    if destination.kind == "stow":
        return stow.echo(destination)
    return dimse.echo(destination, calling_ae_title)
