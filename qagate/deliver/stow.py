"""STOW-RS as user agent; the one file that knows dicomweb-client. Source: PS3.18 10.5."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset

from qagate.deliver.receipt import TRY_AGAIN, Receipt, Variant, meaning, raise_refused, read_variants
from qagate.deliver.web import from_http, name_of, session_of, unreachable
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable
from qagate.settings import Destination

_DUPLICATE = 0x0111


def store(documents: Sequence[Sequence[Any]], destination: Destination) -> tuple[Receipt, ...]:
    """Send the richest variant of each document, one request for each document; see destination.deliver."""
    receipts: list[Receipt] = []
    refused: list[DeliveryError] = []
    client = _client(destination)
    for variants in read_variants(documents):
        try:
            receipts.append(_store_richest(variants, client, destination))
        except (Unreachable, AssociationRejected) as error:
            error.receipts = tuple(receipts)
            raise
        except DeliveryError as error:
            refused.append(error)
    raise_refused(refused, receipts)
    return tuple(receipts)


def echo(destination: Destination) -> float:
    """Search for nothing; return the time to the answer, in milliseconds. Raises DeliveryError."""
    begun = time.monotonic()
    session = session_of(destination)
    address = f"{str(destination.url).rstrip('/')}/studies"
    try:
        answer = session.get(
            address,
            params={"limit": "1", "StudyInstanceUID": "2.25.0"},
            headers={"Accept": "application/dicom+json"},
            timeout=destination.timeout_seconds,
        )
    except requests.RequestException as error:
        raise unreachable(destination, error) from None
    if answer.status_code >= 400:
        raise from_http(destination, answer.status_code, "a search")
    return (time.monotonic() - begun) * 1000


def _store_richest(variants: tuple[Variant, ...], client: Any, destination: Destination) -> Receipt:
    last: DeliveryRefused | None = None
    for variant in variants:
        try:
            return _store_one(variant, client, destination)
        except DeliveryRefused as error:
            last = error  # a poorer variant may be taken
    if last is None:
        raise ValueError("a document must have at least one variant, got none")
    raise last


def _store_one(variant: Variant, client: Any, destination: Destination) -> Receipt:
    uid = variant.sop_instance_uid
    try:
        answer = client.store_instances([dcmread(variant.path)])
    except requests.HTTPError as error:
        response = error.response
        if response is not None and response.status_code == 409:
            return _receipt(uid, _answer_of(response), destination)
        raise from_http(destination, response.status_code if response is not None else 0, uid) from None
    except requests.JSONDecodeError as error:
        raise _unclear(destination, uid, error) from None
    except requests.RequestException as error:
        raise unreachable(destination, error) from None
    except (ValueError, KeyError, TypeError) as error:
        raise _unclear(destination, uid, error) from None
    return _receipt(uid, answer, destination)


def _receipt(uid: str, answer: Dataset, destination: Destination) -> Receipt:
    """Return the receipt for one instance out of a Store Instances Response. Source: PS3.18 I.2."""
    for item in answer.get("FailedSOPSequence") or ():
        code = int(item.get("FailureReason") or 0)
        if code == _DUPLICATE:
            return Receipt(uid, "warning", code, meaning(code))
        words = f"failure reason 0x{code:04X} ({meaning(code)})"
        if code in TRY_AGAIN or 0xA700 <= code <= 0xA7FF:
            raise DeliveryError(f"{name_of(destination)} could not take {uid} now, got {words}")
        raise DeliveryRefused(f"{name_of(destination)} refused {uid}, got {words}")
    for item in answer.get("ReferencedSOPSequence") or ():
        if str(item.get("ReferencedSOPInstanceUID") or "") != uid:
            continue
        code = int(item.get("WarningReason") or 0)
        return Receipt(uid, "warning" if code else "stored", code, meaning(code) if code else "")
    # what is not named is not promised, whatever the status says; storing it again does no harm
    raise DeliveryError(f"{name_of(destination)} must name {uid} among what it stored, got an answer without it")


def _answer_of(response: requests.Response) -> Dataset:
    try:
        if "json" in response.headers.get("Content-Type", ""):
            return Dataset.from_json(response.json())
    except (ValueError, KeyError, TypeError):
        pass
    failed = Dataset()
    failed.FailureReason = 0xC000
    answer = Dataset()
    answer.FailedSOPSequence = [failed]
    return answer


def _unclear(destination: Destination, uid: str, error: Exception) -> DeliveryError:
    # the object may or may not be there, and storing it again does no harm
    return DeliveryError(f"{name_of(destination)} must answer {uid} in DICOM JSON, got {type(error).__name__}")


def _client(destination: Destination) -> Any:
    client = DICOMwebClient(
        url=str(destination.url).rstrip("/"), session=session_of(destination), timeout=destination.timeout_seconds
    )
    client.set_http_retry_params(retry=False)  # trying again is the outbox's work
    return client
