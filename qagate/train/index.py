"""Index: a CSV that lists files and what is known of them, as spreadsheets write it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from qagate.errors import InputError

Record = tuple[int, dict[str, str]]
"""Line of the file (1-based, the header is line 1) and its words by column; "" where there is none."""


def read(path: Path, needed: Sequence[str], others: Sequence[str]) -> list[Record]:
    """Return the rows of an index with the columns `needed` and `others`. Commas or semicolons part the columns.

    Raises InputError when there is no such file or a needed column is not there.
    """
    wanted = f"{','.join(needed)}[,{','.join(others)}]"
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} must be a readable CSV with the columns {wanted}, got {error}") from error
    lines = text.splitlines()
    header = lines[0] if lines else ""
    reader = csv.DictReader(lines, delimiter=";" if header.count(";") > header.count(",") else ",")
    columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
    if any(name not in columns for name in needed):
        raise InputError(f"{path} must have the columns {wanted}, got {header[:200]!r}")
    return [
        (reader.line_num, {name: (row.get(columns.get(name, "")) or "").strip() for name in (*needed, *others)})
        for row in reader
    ]
