from __future__ import annotations

import io

import pytest

from qagate.domain.decision import Kind
from qagate.domain.spreadsheet import cell, write


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+49", "'+49"),
        ("-1", "'-1"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),  # a wide one, as East Asian keyboards write it
        ("T1", "T1"),
        ("1-2", "1-2"),
        ("", ""),
        (-1.5, -1.5),  # a number is no text
        (None, None),
        (Kind.AGREE, "agree"),
    ],
)
def test_cells_are_no_formulas(value: object, shown: object) -> None:
    assert cell(value) == shown


def test_every_column_goes_through_the_guard() -> None:
    text = io.StringIO()
    write(text, [("=a", "b"), ("b", '=HYPERLINK("x","y")'), (None, -2)])
    assert text.getvalue() == '\'=a,b\r\nb,"\'=HYPERLINK(""x"",""y"")"\r\n,-2\r\n'
