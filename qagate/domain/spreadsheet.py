"""Spreadsheet: rows of CSV that a spreadsheet shows as what they are, and that programs read as they always did.

What scanners and people write stands in these rows, and a spreadsheet takes a text that begins with = for a formula and
does what that says. So every text of every column goes through the one guard here. A byte order mark goes before what a
browser asked for alone: a spreadsheet needs it to know UTF-8, and a program would take it for a part of the first name.
A spreadsheet in a language that writes 1,5 wants semicolons between cells, and takes 12.5 for the twelfth of May.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Literal, Protocol

MARK = "\ufeff"
"""What tells a spreadsheet that a file is UTF-8."""

Separator = Literal["comma", "semicolon"]
"""What stands between cells; with a semicolon goes the comma within numbers."""

_SIGNS: dict[Separator, str] = {"comma": ",", "semicolon": ";"}

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the wide ones count in East Asia


class Sink(Protocol):
    """What takes text: a file, or text in memory."""

    def write(self, text: str, /) -> object:
        """Take some text."""


def cell(value: object) -> object:
    """Return a value as a cell that is no formula: an apostrophe before a text that looks like one."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write(file: Sink, rows: Iterable[Iterable[object]], *, separator: Separator = "comma") -> None:
    """Write rows as CSV, every cell through the guard; None is an empty cell."""
    shown = cell if separator == "comma" else _with_comma
    csv.writer(file, delimiter=_SIGNS[separator]).writerows([shown(value) for value in row] for row in rows)


def _with_comma(value: object) -> object:
    return str(value).replace(".", ",") if isinstance(value, float) else cell(value)
