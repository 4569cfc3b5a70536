"""Index: a CSV that lists files and what is known of them, as spreadsheets write it."""

from __future__ import annotations

import codecs
import csv
import io
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qagate.errors import InputError


@dataclass(frozen=True, slots=True)
class Record:
    """One row. line: of the file, 1-based, the header is line 1. spare: values behind the last column."""

    line: int
    words: dict[str, str]
    spare: tuple[str, ...]

    def said(self) -> dict[str, str]:
        """Return its words by column, "" where there is none. Raises InputError when there are more than columns.

        An unquoted decimal comma does that, and would else cut a score of 3,5 down to 3.
        """
        if self.spare:
            more = ", ".join(repr(word) for word in self.spare[:3])
            raise InputError(f"a row must have no more values than there are columns, got {more} behind the last one")
        return self.words


def read(path: Path, needed: Sequence[str], others: Sequence[str]) -> list[Record]:
    """Return the rows of an index with the columns `needed` and `others`, parted by commas, semicolons, tabs or bars.

    Raises InputError when there is no such file or a needed column is not there.
    """
    wanted = f"{','.join(needed)}[,{','.join(others)}]"
    try:
        text = _text(path.read_bytes())
        # not splitlines: that would also part rows at letters such as U+2028
        lines = text.split("\n")
        before = next((number for number, line in enumerate(lines) if not _says_nothing(line)), 0)
        header = lines[before]
        between = next((one for one in ",;\t|" if set(needed) <= set(_parted(header, one))), ",")
        rest = io.StringIO("\n".join(lines[before:]))
        reader = csv.DictReader(rest, delimiter=between, skipinitialspace=True)
        columns = {name.strip().lower(): name for name in reader.fieldnames or ()}
        if any(name not in columns for name in needed):
            raise InputError(f"{path} must have the columns {wanted}, got {header[:200]!r}")
        found = []
        for row in reader:
            words = {name: (row.get(columns.get(name, "")) or "").strip() for name in (*needed, *others)}
            spare = tuple(word for word in row.get(None, ()) if word.strip())
            found.append(Record(before + reader.line_num, words, spare))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} must be a readable CSV with the columns {wanted}, got {error}") from error
    return found


def _text(raw: bytes) -> str:
    """Return the text of a CSV: UTF-8, UTF-16 where it begins with its mark, else the letters of western Windows.

    Spreadsheets save all three: as "CSV UTF-8", as "Unicode text", and as "CSV" alone.
    """
    if raw[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        text = raw.decode("utf-16")
    else:
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _says_nothing(line: str) -> bool:
    """Return whether a line before the header is empty, or only tells a spreadsheet what parts the columns."""
    return not line.strip(" ,;\t|") or line.lower().strip(' "').startswith("sep=")


def _parted(header: str, between: str) -> list[str]:
    return [name.strip().lower() for line in csv.reader([header], delimiter=between) for name in line]


def file_in(folder: Path, name: str) -> Path:
    """Return the file of a folder that a row names; on other systems than this, folders may be parted by "\\"."""
    path = folder / name
    return path if os.path.exists(path) else folder / name.replace("\\", "/")
