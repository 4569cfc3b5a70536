"""Syslog as the carrier of audit messages. Source: RFC 5424, 5425, 5426, 6587; PS3.15 A.6 and A.7."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from types import TracebackType

from qagate.errors import QagateError
from qagate.settings.audit import Audit
from qagate.settings.delivering import DestinationTls
from qagate.tls import client_context

PRIORITY = 85
"""Facility 10 (security), severity 5 (notice): PS3.15 A.6."""

MESSAGE_ID = "DICOM+RFC3881"


class SyslogAway(QagateError):
    """The syslog server cannot be reached now."""

    retryable = True


def frame(message: bytes, *, at: datetime, host: str, application: str) -> bytes:
    """Return one syslog message with its header; its text is UTF-8 and says so by a byte order mark. RFC 5424 6."""
    stamp = at.isoformat(timespec="milliseconds")
    header = f"<{PRIORITY}>1 {stamp} {_name(host, 255)} {_name(application, 48)} {os.getpid()} {MESSAGE_ID} - "
    return header.encode("ascii") + b"\xef\xbb\xbf" + message


class Syslog:
    """A connection to a syslog server; a context manager.

    Every fault is a SyslogAway, but a file for TLS that cannot be used, which is a SettingsError.
    """

    def __init__(self, settings: Audit) -> None:
        self._settings = settings
        self._socket: socket.socket | None = None

    def __enter__(self) -> Syslog:
        """Connect."""
        to, address = self._settings, (str(self._settings.host), self._settings.server_port)
        tls = to.tls or DestinationTls()
        context = client_context(tls, "audit", "audit.tls") if to.syslog == "tls" else None
        try:
            if to.syslog == "udp":
                family = socket.getaddrinfo(*address, type=socket.SOCK_DGRAM)[0][0]
                self._socket = socket.socket(family, socket.SOCK_DGRAM)
                self._socket.connect(address)
            else:
                self._socket = socket.create_connection(address, timeout=to.timeout_seconds)
            if context is not None:
                self._socket = context.wrap_socket(self._socket, server_hostname=tls.server_name or str(to.host))
        except OSError as error:
            self._close()
            raise SyslogAway(f"the syslog server at {address[0]}:{address[1]} cannot be reached: {error}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        self._close()

    def send(self, message: bytes) -> None:
        """Send one message, with its length before it on a stream (RFC 5425 4.3, RFC 6587 3.4.1)."""
        if self._socket is None:
            raise SyslogAway("a Syslog is used inside its with statement, got one that is closed")
        counted = message if self._settings.syslog == "udp" else b"%d %b" % (len(message), message)
        try:
            self._socket.sendall(counted)
        except OSError as error:
            raise SyslogAway(f"the syslog server did not take a message: {error}") from None

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _name(text: str, most: int) -> str:
    return "".join(c for c in text if "!" <= c <= "~")[:most] or "-"
