"""Measurements have words, sensible digits and units for people, and a meaning of their own in reports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from qagate.domain import measurement
from qagate.report import codes
from qagate.score import physics

MADE = frozenset(re.findall(r'^ +\("(\w+)", ', Path(physics.__file__).read_text(encoding="utf-8"), re.MULTILINE))


def test_all_that_is_measured_has_words_and_a_meaning() -> None:
    assert "mtf50_per_mm" in MADE
    assert set(measurement.WORDS) == MADE
    assert set(codes.load().measurements) == MADE
    assert measurement.SHARES <= MADE


@pytest.mark.parametrize(
    ("name", "value", "ucum", "text"),
    [
        ("noise_hu", 50.4412, "[hnsf'U]", "50.4 HU"),
        ("mtf50_per_mm", 0.47531, "/mm", "0.475 /mm"),
        ("snr", 6.0, "1", "6 "),
        ("slices_with_body", 1.0, "1", "100 %"),  # 1.0 of 1 = 100 %
        ("body_at_last_slice", 0.5816, "1", "58 %"),
        ("fber", 123456.0, "1", "123000 "),  # 1.23e+05 is nothing people read
        ("noise_hu", 0.0541, "[hnsf'U]", "0.0541 HU"),
        ("cnr", 0.0, "1", "0 "),
        ("new_thing", 1e-6, "deg", "1e-06 °"),
    ],
)
def test_values_as_people_read_them(name: str, value: float, ucum: str, text: str) -> None:
    assert f"{measurement.number(name, value)} {measurement.unit(name, ucum)}" == text


def test_names_without_words_of_their_own() -> None:
    assert measurement.words("beam_hardening") == "beam hardening"
