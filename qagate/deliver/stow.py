"""STOW-RS as user agent; the one file that knows dicomweb-client. Source: PS3.18 10.5."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from typing import Any

import requests
from dicomweb_client.api import DICOMwebClient
from pydicom import dcmread
from pydicom.dataset import Dataset
from requests.adapters import HTTPAdapter

from qagate.deliver.receipt import Receipt, Variant, meaning, raise_refused, read_variants
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, SettingsError, Unreachable
from qagate.settings import Destination
from qagate.tls import client_context, words

_DUPLICATE = 0x0111
_TRY_AGAIN = frozenset({0x0110, 0x0124, 0x0213})
# what a proxy or a busy server says, and what an administrator can mend
_HTTP_TRY_AGAIN = frozenset({401, 403, 404, 407, 408, 413, 421, 423, 425, 429})


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
    session = _session(destination)
    address = f"{str(destination.url).rstrip('/')}/studies"
    try:
        answer = session.get(
            address,
            params={"limit": "1", "StudyInstanceUID": "2.25.0"},
            headers={"Accept": "application/dicom+json"},
            timeout=destination.timeout_seconds,
        )
    except requests.RequestException as error:
        raise _unreachable(destination, error) from None
    if answer.status_code >= 400:
        raise _from_http(destination, answer.status_code, "a search")
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
        raise _from_http(destination, response.status_code if response is not None else 0, uid) from None
    except requests.JSONDecodeError as error:
        raise _unclear(destination, uid, error) from None
    except requests.RequestException as error:
        raise _unreachable(destination, error) from None
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
        if code in _TRY_AGAIN or 0xA700 <= code <= 0xA7FF:
            raise DeliveryError(f"{_name(destination)} could not take {uid} now, got {words}")
        raise DeliveryRefused(f"{_name(destination)} refused {uid}, got {words}")
    for item in answer.get("ReferencedSOPSequence") or ():
        code = int(item.get("WarningReason") or 0)
        if code:
            return Receipt(uid, "warning", code, meaning(code))
    return Receipt(uid, "stored", 0)


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


def _from_http(destination: Destination, status: int, what: str) -> DeliveryError:
    message = f"{_name(destination)} did not take {what}, got HTTP {status}"
    if status >= 500 or status in _HTTP_TRY_AGAIN:
        return DeliveryError(message)
    return DeliveryRefused(message)


def _unreachable(destination: Destination, error: requests.RequestException) -> DeliveryError:
    cause: BaseException | None = error
    for _ in range(8):  # the reason lies deep inside; arguments hold it where no chain does
        if isinstance(cause, ssl.SSLError):
            return AssociationRejected(f"{_name(destination)} and we cannot agree on TLS, got {words(cause)}")
        inside = next((each for each in cause.args if isinstance(each, BaseException)), None) if cause else None
        cause = inside or getattr(cause, "reason", None) or (cause.__cause__ or cause.__context__ if cause else None)
        if not isinstance(cause, BaseException):
            break
    # the text of requests' errors holds memory addresses and no more than the kind says
    return Unreachable(f"{_name(destination)} cannot be reached, got {type(error).__name__}")


def _unclear(destination: Destination, uid: str, error: Exception) -> DeliveryError:
    # the object may or may not be there, and storing it again does no harm
    return DeliveryError(f"{_name(destination)} must answer {uid} in DICOM JSON, got {type(error).__name__}")


def _client(destination: Destination) -> Any:
    client = DICOMwebClient(
        url=str(destination.url).rstrip("/"), session=_session(destination), timeout=destination.timeout_seconds
    )
    client.set_http_retry_params(retry=False)  # trying again is the outbox's work
    return client


class _SecuredAdapter(HTTPAdapter):
    """Connects as destinations.tls says."""

    def __init__(self, context: ssl.SSLContext, server_name: str | None) -> None:
        self._options: dict[str, Any] = {"ssl_context": context}
        if not context.check_hostname:
            self._options["assert_hostname"] = False
        elif server_name is not None:
            self._options |= {"assert_hostname": server_name, "server_hostname": server_name}
        super().__init__()

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        """Make the pool of connections."""
        super().init_poolmanager(connections, maxsize, block, **options, **self._options)


def _session(destination: Destination) -> requests.Session:
    session = requests.Session()
    if destination.tls is not None:
        try:
            context = client_context(destination.tls, destination.name)
        except SettingsError as error:
            raise Unreachable(f"{_name(destination)} cannot be reached: {error}") from None
        session.mount("https://", _SecuredAdapter(context, destination.tls.server_name))
        if destination.tls.ca_file is not None:
            session.verify = str(destination.tls.ca_file)  # else the library would trust its own list beside it
    session.trust_env = False  # no credentials from ~/.netrc, no proxy that nobody configured here
    if destination.token:
        session.headers["Authorization"] = f"Bearer {destination.token}"
    return session


def _name(destination: Destination) -> str:
    return f"destination {destination.name} ({destination.url})"
