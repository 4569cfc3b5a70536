from __future__ import annotations

from qagate.receive.rates import MOST_PEERS, Rates
from tests.unit.receive.scanner import associate, receiving
from tests.unit.work.test_sweeps import HandClock

ECHO = "1.2.840.10008.1.1"


def test_a_peer_has_so_many_in_any_minute_and_others_have_their_own():
    clock = HandClock()
    rates = Rates(2, clock)
    assert [rates.enter("CT1", "h") for _ in range(3)] == [True, True, False]
    assert rates.enter("CT2", "h")
    assert rates.enter("CT1", "other")
    clock.running = 59.9
    assert not rates.enter("CT1", "h")
    clock.running = 60
    assert rates.enter("CT1", "h")


def test_zero_is_no_limit():
    rates = Rates(0, HandClock())
    assert all(rates.enter("CT1", "h") for _ in range(10_000))


def test_made_up_titles_do_not_fill_the_memory():
    clock = HandClock()
    rates = Rates(5, clock)
    for number in range(3 * MOST_PEERS):
        clock.running += 1
        rates.enter(f"X{number}", "h")
    assert len(rates._opened) <= MOST_PEERS


def test_one_too_many_is_rejected_for_a_while(tmp_path):
    with receiving(tmp_path, max_associations_per_minute=2) as (receiver, _):
        for _ in range(2):
            association = associate(receiver.port, ECHO)
            assert association.is_established
            association.release()
        refused = associate(receiver.port, ECHO)
        assert refused.is_rejected
        answer = refused.acceptor.primitive
        assert (answer.result, answer.result_source, answer.diagnostic) == (2, 3, 2)  # transient, local limit exceeded
