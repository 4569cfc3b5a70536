"""The certificate that a destination shows, and how long it is valid."""

from __future__ import annotations

import contextlib
import socket
import ssl
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from qagate.errors import AssociationRejected, SettingsError, Unreachable
from qagate.settings import Destination, DestinationTls
from qagate.tls import client_context, expiry_of, words

_HTTPS = 443


def certificate_expiry(destination: Destination) -> datetime | None:
    """Return until when the destination's certificate is valid, UTC; None when it is not spoken to with TLS.

    Opens a connection of its own. Raises AssociationRejected when the two cannot agree on TLS (an expired certificate
    is a case of that), Unreachable when nobody answers, SettingsError for our own files.
    """
    tls = destination.tls
    if destination.kind == "stow":
        url = urlsplit(str(destination.url))
        if url.scheme != "https":
            return None
        host, port = url.hostname or "", url.port or _HTTPS
    else:
        if tls is None:
            return None
        host, port = str(destination.host), int(destination.port or 0)
    tls = tls or DestinationTls(ca_file=Path(DEFAULT_CA_BUNDLE_PATH))
    context = client_context(tls, destination.name)
    where = f"destination {destination.name} ({host}:{port})"
    try:
        with (
            socket.create_connection((host, port), destination.timeout_seconds) as connection,
            context.wrap_socket(connection, server_hostname=tls.server_name or host) as secured,
        ):
            certificate = secured.getpeercert(binary_form=True)
            with contextlib.suppress(OSError):
                secured.settimeout(0)
                secured.unwrap()
    except ssl.SSLError as error:
        raise AssociationRejected(f"{where} and we cannot agree on TLS, got {words(error)}") from None
    except OSError as error:
        raise Unreachable(f"{where} cannot be reached, got {words(error)}") from None
    try:
        return expiry_of(certificate or b"")
    except (ValueError, IndexError):
        raise SettingsError(f"{where} must show a certificate with a date, got one without") from None
