"""C-STORE and C-ECHO as user. Source: PS3.4 Annex B, PS3.7 9.1.1, 9.1.5 and Annex C."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import PresentationContext, build_context

from qagate.deliver.peer import Peer
from qagate.deliver.receipt import Receipt, Variant, raise_refused, read_variants, receipt_for
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable
from qagate.settings import Destination

VERIFICATION = "1.2.840.10008.1.1"

_UNCOMPRESSED: tuple[str, ...] = (str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian))
_MAX_CONTEXTS = 128  # context identifiers are the odd numbers of one byte, PS3.8 9.3.2.2


def store(
    documents: Sequence[Sequence[Any]], destination: Destination, *, calling_ae_title: str
) -> tuple[Receipt, ...]:
    """Send documents by C-STORE in one association; see destination.deliver."""
    variants = read_variants(documents)
    with Peer(destination, calling_ae_title, _contexts(variants)) as peer:
        return _send_all(variants, peer)


def _send_all(documents: tuple[tuple[Variant, ...], ...], peer: Peer) -> tuple[Receipt, ...]:
    receipts: list[Receipt] = []
    refused: list[DeliveryError] = []
    try:
        for variants in documents:
            try:
                receipts.append(_send_richest(variants, peer))
            except (Unreachable, AssociationRejected):
                raise  # the association is gone
            except DeliveryError as error:
                refused.append(error)
    except DeliveryError as error:
        error.receipts = tuple(receipts)
        raise
    raise_refused(refused, receipts)
    return tuple(receipts)


def _send_richest(variants: tuple[Variant, ...], peer: Peer) -> Receipt:
    """Send the first variant whose SOP class is accepted, going on to the next one if the peer then refuses it."""
    last: DeliveryRefused | None = None
    for variant in variants:
        if peer.accepts(variant.sop_class_uid):
            try:
                return _send(variant, peer)
            except DeliveryRefused as error:
                last = error
    if last is not None:
        raise last
    names = ", ".join(sorted({UID(variant.sop_class_uid).name for variant in variants}))
    uid = variants[0].sop_instance_uid
    raise DeliveryRefused(
        f"{peer.name} takes none of the SOP classes of {uid}, got a refusal of the context for {names}"
    )


def _send(variant: Variant, peer: Peer) -> Receipt:
    return receipt_for(peer.send(_readable_by(variant, peer)), variant.sop_instance_uid, peer.name)


def _readable_by(variant: Variant, peer: Peer) -> Dataset:
    data_set = dcmread(variant.path)
    if variant.transfer_syntax_uid not in peer.transfer_syntaxes(variant.sop_class_uid):
        syntax = UID(variant.transfer_syntax_uid)
        if syntax.is_compressed and not syntax.is_deflated:
            try:
                data_set.decompress(generate_instance_uid=False)
            except (NotImplementedError, RuntimeError, ValueError, AttributeError) as error:
                raise DeliveryRefused(
                    f"{peer.name} does not take {syntax.name}, and {variant.path} cannot be decompressed, got {error}"
                ) from None
    return data_set


def _contexts(documents: tuple[tuple[Variant, ...], ...]) -> list[PresentationContext]:
    """Return the contexts that these files need: each file's own transfer syntax, and uncompressed ones beside it."""
    own: dict[tuple[str, str], None] = {}
    for variants in documents:
        for variant in variants:
            own[variant.sop_class_uid, variant.transfer_syntax_uid] = None
    contexts = []
    classes: dict[str, None] = {}
    for sop_class_uid, syntax in own:
        contexts.append(build_context(sop_class_uid, syntax))
        classes[sop_class_uid] = None
    for sop_class_uid in classes:
        others: list[Any] = [uid for uid in _UNCOMPRESSED if (sop_class_uid, uid) not in own]
        if others:
            contexts.append(build_context(sop_class_uid, others))
    if len(contexts) > _MAX_CONTEXTS:
        raise DeliveryRefused(f"one delivery must need at most {_MAX_CONTEXTS} contexts, got {len(contexts)}")
    return contexts


def accepted_sop_classes(
    destination: Destination, calling_ae_title: str, sop_class_uids: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Probe by association only; see destination.accepted_sop_classes."""
    syntaxes: list[Any] = list(_UNCOMPRESSED)
    found: dict[str, tuple[str, ...]] = {}
    # one context for each transfer syntax: a peer names only one of those that are offered together
    pairs = [(uid, syntax) for uid in dict.fromkeys(sop_class_uids) for syntax in syntaxes]
    for start in range(0, len(pairs), _MAX_CONTEXTS - 1):
        contexts = [build_context(uid, syntax) for uid, syntax in pairs[start : start + _MAX_CONTEXTS - 1]]
        # verification beside them, so that a peer that takes none of them does not count as a failure
        with Peer(destination, calling_ae_title, [build_context(VERIFICATION), *contexts]) as peer:
            for uid, _ in pairs[start : start + _MAX_CONTEXTS - 1]:
                accepted = peer.transfer_syntaxes(uid)
                if accepted:
                    found[uid] = tuple(dict.fromkeys(found.get(uid, ()) + accepted))
    return found


def echo(destination: Destination, calling_ae_title: str) -> float:
    """C-ECHO; see destination.echo."""
    begun = time.monotonic()
    with Peer(destination, calling_ae_title, [build_context(VERIFICATION)]) as peer:
        peer.echo()
        return (time.monotonic() - begun) * 1000
