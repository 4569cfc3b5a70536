"""TLS: contexts made from settings, certificates, and plain words for what goes wrong between two peers.

The profile is BCP 195 (PS3.15 B.12; RFC 8996, RFC 9325): TLS 1.2 or 1.3, suites with forward secrecy and authenticated
encryption only, no compression, no renegotiation, no plain text on the same port.
"""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime
from pathlib import Path

from qagate.errors import SettingsError
from qagate.settings import DestinationTls, NodeTls

_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"  # of TLS 1.2; those of 1.3 are all right
_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_UTC_TIME, _EXPLICIT_VERSION = 0x17, 0xA0


def server_context(tls: NodeTls) -> ssl.SSLContext:
    """Return what our server needs. Raises SettingsError naming the file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _harden(context, tls.minimum_version)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # nothing is written after the handshake that a peer might not read
    _load_own(context, tls.certificate_file, tls.key_file, "node.tls")
    if tls.ca_file is not None:
        _load_authorities(context, tls.ca_file, "node.tls")
        context.verify_mode = ssl.CERT_REQUIRED if tls.asks_for_certificate else ssl.CERT_OPTIONAL
    return context


def client_context(tls: DestinationTls, name: str, where: str = "") -> ssl.SSLContext:
    """Return what a connection to the destination `name` needs. Raises SettingsError naming the file in question.

    where: the table of the settings, when it is not a destination's.
    """
    where = where or f"destinations.{name}.tls"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _harden(context, tls.minimum_version)
    context.check_hostname = tls.check_name
    if tls.ca_file is None:
        context.load_default_certs()
    else:
        _load_authorities(context, tls.ca_file, where)
    if tls.certificate_file is not None and tls.key_file is not None:
        _load_own(context, tls.certificate_file, tls.key_file, where)
    return context


def _harden(context: ssl.SSLContext, minimum_version: str) -> None:
    context.minimum_version = _VERSIONS[minimum_version]
    context.set_ciphers(_SUITES)


def _load_own(context: ssl.SSLContext, certificate: Path, key: Path, where: str) -> None:
    _readable(certificate, f"{where}.certificate_file")
    text = _readable(key, f"{where}.key_file")
    expiry(certificate, f"{where}.certificate_file")
    try:
        # a pass phrase is never asked for: nobody sits there
        context.load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, ValueError, OSError) as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            what = "one that belongs to another certificate"
        elif "PRIVATE KEY-----" not in text:
            what = "none"
        else:
            what = "one with a pass phrase" if "ENCRYPTED" in text else words(error)
        raise SettingsError(
            f"{where}.key_file must be the unencrypted PEM key of {certificate}, got {what}: {key}"
        ) from None


def _load_authorities(context: ssl.SSLContext, path: Path, where: str) -> None:
    _readable(path, f"{where}.ca_file")
    try:
        context.load_verify_locations(path)
    except (ssl.SSLError, OSError) as error:
        raise SettingsError(f"{where}.ca_file must hold PEM certificates, got {words(error)}: {path}") from None


def _readable(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise SettingsError(f"{key} must be a file that we may read, got {error.strerror}: {path}") from None


def expiry(path: Path, key: str = "certificate_file") -> datetime:
    """Return when the first certificate of a PEM file ceases to be valid, UTC. Raises SettingsError; `key` is named."""
    found = _PEM.search(_readable(path, key))
    if found is None:
        raise SettingsError(f"{key} must hold a PEM certificate, got none: {path}")
    try:
        return expiry_of(ssl.PEM_cert_to_DER_cert(found.group()))
    except (ValueError, IndexError):
        raise SettingsError(f"{key} must hold a PEM certificate, got a broken one: {path}") from None


def expiry_of(certificate: bytes) -> datetime:
    """Return when a DER certificate ceases to be valid, UTC. Raises ValueError or IndexError. Source: RFC 5280 4.1."""
    _, body, _ = _element(certificate, 0)
    _, offset, _ = _element(certificate, body)
    tag, _, end = _element(certificate, offset)
    offset = end if tag == _EXPLICIT_VERSION else offset
    for _ in ("serial number", "signature algorithm", "issuer"):
        _, _, offset = _element(certificate, offset)
    _, not_before, _ = _element(certificate, offset)
    _, _, not_after = _element(certificate, not_before)
    tag, start, end = _element(certificate, not_after)
    text = certificate[start:end].decode("ascii")
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes, offset: int) -> tuple[int, int, int]:
    """Return tag, and the offsets where the value begins and ends. Source: X.690 8.1."""
    tag, length = der[offset], der[offset + 1]
    offset += 2
    if length & 0x80:
        count = length & 0x7F
        length = int.from_bytes(der[offset : offset + count], "big")
        offset += count
    return tag, offset, offset + length


def words(error: Exception) -> str:
    """Say what went wrong in plain words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.rstrip(".")
    if isinstance(error, ssl.SSLError) and error.reason:
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_EOF_WHILE_READING"):
            return {"UNEXPECTED_EOF_WHILE_READING": "a connection that ends in the handshake"}.get(
                error.reason, "something that is not TLS"
            )
        return error.reason.replace("_", " ").lower()
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
