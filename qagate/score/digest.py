"""Digest: what says that a file of a model is the one its sheet means."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from qagate.errors import ModelCorrupt


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(path: Path, wanted: str) -> None:
    """Raise ModelCorrupt unless a file has this SHA-256; OSError when it cannot be read."""
    if (digest := sha256(path)) != wanted:
        raise ModelCorrupt(f"{path} must have SHA-256 {wanted}; copy the folder again, got {digest}")


def listed(path: Path, about: Mapping[str, Any], name: str) -> bool:
    """Return whether a sheet has a table of this name; raise ModelCorrupt unless the file is the one it means."""
    table = about.get(name)
    if table is None:
        return False
    try:
        verify(path, table["sha256"])
    except (OSError, KeyError, TypeError) as error:
        raise ModelCorrupt(f"{path} must be there as its sheet says, got {error!r}") from error
    return True
