"""Volumes that people judged are kept one after the other, and nobody waits for them."""

from __future__ import annotations

import threading

from qagate.web.keeping import Keeper


def test_who_comes_meanwhile_leaves_theirs_and_goes():
    begun, go_on, kept = threading.Event(), threading.Event(), []

    def keep(uid: str) -> None:
        begun.set()
        assert go_on.wait(10)
        kept.append(uid)

    keeper = Keeper(keep)
    first = threading.Thread(target=keeper.keep, args=("1.1",))
    first.start()
    assert begun.wait(10)
    for uid in ("1.2", "1.3", "1.2"):
        keeper.keep(uid)  # returns while the first is at it
    assert kept == []
    go_on.set()
    first.join(10)
    assert kept == ["1.1", "1.2", "1.3"]
    keeper.keep("1.4")
    assert kept[-1] == "1.4"


def test_one_that_cannot_be_kept_keeps_no_other_back(caplog):
    kept = []

    def keep(uid: str) -> None:
        if uid == "1.1":
            keeper.keep("1.2")
            raise OSError("no room")
        kept.append(uid)

    keeper = Keeper(keep)
    keeper.keep("1.1")
    assert kept == ["1.2"]
    assert "series 1.1" in caplog.text


def test_nothing_new_is_begun_once_it_closes():
    kept = []

    def keep(uid: str) -> None:
        keeper.keep("1.2")
        keeper.close()
        kept.append(uid)

    keeper = Keeper(keep)
    keeper.keep("1.1")
    assert kept == ["1.1"]
