"""UIDs: valid, repeatable, and different for different words."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID
from qagate.report import uids

VALID = re.compile(r"2\.25\.(0|[1-9][0-9]*)")


@given(st.lists(st.text(), min_size=1))
def test_the_same_words_give_the_same_valid_uid(words: list[str]) -> None:
    uid = uids.derive(*words)
    assert uid == uids.derive(*words)
    assert VALID.fullmatch(uid)
    assert len(uid) <= 64


@given(st.lists(st.text(), min_size=1, max_size=3), st.lists(st.text(), min_size=1, max_size=3))
def test_other_words_give_another_uid(one: list[str], other: list[str]) -> None:
    assert (uids.derive(*one) == uids.derive(*other)) == (one == other)


def test_the_borders_between_words_matter() -> None:
    assert uids.derive("ab", "c") != uids.derive("a", "bc")


def test_the_root_never_moves() -> None:
    # these stand in documents that archives keep: a change here would make every one of them a stranger
    assert uids.derive("a", "b") == "2.25.4525315435719766130986746196039355167"
    assert IMPLEMENTATION_CLASS_UID == "2.25.196757590420998626776947339971869324679"
