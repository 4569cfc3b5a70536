"""Certificates for tests, made with the openssl command; tests that use them are skipped where there is none."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    certificate_file: Path
    key_file: Path


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self.own = self._pair(name)
        _openssl(
            *("req", "-x509", "-new", "-key", self.own.key_file, "-out", self.own.certificate_file, "-days", "30"),
            *("-subj", f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"),
        )

    @property
    def file(self) -> Path:
        """What those who trust it need."""
        return self.own.certificate_file

    def issue(self, name: str, days: int = 20, alternative: str = "IP:127.0.0.1,DNS:localhost") -> Pair:
        """Issue a certificate; with negative `days` it has expired."""
        pair = self._pair(name)
        request = self._folder / f"{name}.csr"
        extensions = self._folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative}\n")
        _openssl("req", "-new", "-key", pair.key_file, "-out", request, "-subj", f"/CN={name}")
        _openssl(
            *("x509", "-req", "-in", request, "-CA", self.own.certificate_file, "-CAkey", self.own.key_file),
            *("-CAcreateserial", "-out", pair.certificate_file, "-days", str(days), "-extfile", extensions),
        )
        return pair

    def _pair(self, name: str) -> Pair:
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", pair.key_file)
        return pair


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, timeout=30)
