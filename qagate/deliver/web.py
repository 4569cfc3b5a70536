"""HTTP towards DICOMweb servers: sessions, and what their failures mean. Source: PS3.18 8.5."""

from __future__ import annotations

import ssl
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, SettingsError, Unreachable
from qagate.settings import Destination
from qagate.tls import client_context, words

# what a proxy or a busy server says, and what an administrator can mend
_HTTP_TRY_AGAIN = frozenset({401, 403, 404, 407, 408, 413, 421, 423, 425, 429})


def session_of(destination: Destination) -> requests.Session:
    """Return a session that speaks to a destination as its settings say. Raises Unreachable."""
    session = requests.Session()
    if destination.tls is not None:
        try:
            context = client_context(destination.tls, destination.name)
        except SettingsError as error:
            raise Unreachable(f"{name_of(destination)} cannot be reached: {error}") from None
        session.mount("https://", _SecuredAdapter(context, destination.tls.server_name))
        if destination.tls.ca_file is not None:
            session.verify = str(destination.tls.ca_file)  # else the library would trust its own list beside it
    session.trust_env = False  # no credentials from ~/.netrc, no proxy that nobody configured here
    if destination.token:
        session.headers["Authorization"] = f"Bearer {destination.token}"
    return session


def name_of(destination: Destination) -> str:
    """Return name and address, for messages."""
    return f"destination {destination.name} ({destination.address})"


def from_http(destination: Destination, status: int, what: str) -> DeliveryError:
    """Return the error that an HTTP status means."""
    message = f"{name_of(destination)} did not take {what}, got HTTP {status}"
    if status >= 500 or status in _HTTP_TRY_AGAIN:
        return DeliveryError(message)
    return DeliveryRefused(message)


def unreachable(destination: Destination, error: requests.RequestException) -> DeliveryError:
    """Return the error that a failed request means."""
    cause: BaseException | None = error
    for _ in range(8):  # the reason lies deep inside; arguments hold it where no chain does
        if isinstance(cause, ssl.SSLError):
            return AssociationRejected(f"{name_of(destination)} and we cannot agree on TLS, got {words(cause)}")
        inside = next((each for each in cause.args if isinstance(each, BaseException)), None) if cause else None
        cause = inside or getattr(cause, "reason", None) or (cause.__cause__ or cause.__context__ if cause else None)
        if not isinstance(cause, BaseException):
            break
    # the text of requests' errors holds memory addresses and no more than the kind says
    return Unreachable(f"{name_of(destination)} cannot be reached, got {type(error).__name__}")


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
