from __future__ import annotations

import threading

from tests.fuzz_scp import Account, fuzz


def test_mutated_pdus_and_data_sets_break_nothing() -> None:
    before = threading.excepthook
    account = fuzz(300, seed=7, senders=4, say=lambda line: None)
    assert account.faults == [], str(account)
    assert account.inputs.total() >= 300
    assert {"requests", "messages", "objects"} == set(account.inputs)
    assert account.answers["accepted"] > 20
    assert threading.excepthook is before


def test_the_account_says_what_is_wrong() -> None:
    account = Account()
    assert "nothing left" in str(account)
    account.faults.append("connection 3 hung for 20 s")
    assert str(account).endswith("connection 3 hung for 20 s")
