"""Text made comparable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qagate.prompt import text


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Schädel", "schadel"),
        ("KRĘGOSŁUP", "kregoslup"),
        ("İnce Bağırsak", "ince bagirsak"),  # Turkish dotted and dotless i
        ("Scha\u0308del", "schadel"),  # decomposed
        ("Fuß", "fuss"),
        ("ΕΓΚΈΦΑΛΟΣ", "εγκεφαλοσ"),
        ("мозг", "мозг"),
        ("Шейный", "шейный"),  # й keeps its mark
        ("두부", "두부"),  # stays in syllables
        ("ガド", "ガド"),  # keeps its voicing marks
        ("ＣＴ", "ct"),  # full width
    ],
)
def test_normalise(written: str, normal: str) -> None:
    assert text.normalise(written) == normal


def test_spaced_keeps_both_readings() -> None:
    assert text.spaced("ThoraxRoutine_5mm") == " thoraxroutine 5mm | thorax routine 5 mm "


@pytest.mark.parametrize(
    ("word", "said", "found"),
    [
        ("leg", "Legs up", False),
        ("leg", "LEG", True),
        ("leber*", "Leberdynamik", True),
        ("*gelenk", "Kniegelenk", True),
        ("*gelenk", "Gelenke", False),
        ("thorac* spine", "Thoracic  Spine", True),
        ("c spine", "C-Spine", True),
        ("肝臓", "造影肝臓CT", True),
        ("手", "手術", False),
        ("肝", "肝造影", True),
        ("목", "손목", False),
        ("膝", "右膝", True),
        ("膝", "左膝關節", True),
        ("腎", "腎臟超音波", True),
        ("腎", "腎癌", False),
        ("手", "左手術", False),
        ("الركبة", "رنين للركبة", True),  # "of the knee": its article loses a letter
    ],
)
def test_pattern(word: str, said: str, found: bool) -> None:
    pattern = text.pattern([word])
    assert pattern is not None
    assert bool(pattern.search(text.spaced(said))) == found


def test_no_words_no_pattern() -> None:
    assert text.pattern([]) is None


@given(st.text())
def test_normalising_twice_changes_nothing_for_words(value: str) -> None:
    once = text.spaced(value).strip(" |")
    assert isinstance(once, str)
    assert not any(character.isupper() for character in text.normalise(value) if character.isascii())


@pytest.mark.parametrize(
    ("value", "expected"), [(1.5, 1.5), ("2", 2.0), ((3.0, 4.0), 3.0), ("x", None), (float("nan"), None), ("inf", None)]
)
def test_number(value: str | float | tuple[float, ...], expected: float | None) -> None:
    assert text.number({"EchoTime": value}, "EchoTime") == expected
