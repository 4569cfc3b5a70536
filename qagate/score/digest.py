"""Digest: what says that a file of a model is the one its sheet means."""

from __future__ import annotations

import hashlib
from pathlib import Path

from qagate.errors import ModelCorrupt


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, wanted: str) -> None:
    """Raise ModelCorrupt unless a file has this SHA-256; OSError when it cannot be read."""
    if (digest := sha256(path)) != wanted:
        raise ModelCorrupt(f"{path} must have SHA-256 {wanted}; copy the folder again, got {digest}")
