from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from apscheduler.schedulers.background import BackgroundScheduler

from qagate.work.steady import Steady
from tests.unit.work.test_sweeps import HandClock

START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def scheduler():
    made = BackgroundScheduler(timezone="UTC")
    made.add_job(lambda: None, "interval", hours=2, next_run_time=START + timedelta(hours=2))
    made.start(paused=True)
    yield made
    made.shutdown(wait=False)


@pytest.mark.parametrize(
    ("time_of_day", "step"),
    [
        (3, 0),  # time goes on
        (3600, 0),  # forward: what is late is due anyway
        (-0.5, 0),  # less than a second
        (-3600, 3600),
        (-3595, 3595),
    ],
)
def test_after_a_step_back_everything_is_due_at_once(scheduler, time_of_day, step):
    clock = HandClock()
    clock.time = START
    steady = Steady(scheduler, clock)
    clock.time += timedelta(seconds=time_of_day)
    assert steady.look() == step
    (job,) = scheduler.get_jobs()
    assert job.next_run_time == (clock.time if step else START + timedelta(hours=2))
    assert steady.look() == 0  # said once


def test_nor_does_a_step_forth_and_back_between_two_looks_go_unseen(scheduler):
    clock = HandClock()
    clock.time = START
    steady = Steady(scheduler, clock)
    assert steady.look() == 0
    (job,) = scheduler.get_jobs()
    job.modify(next_run_time=START + timedelta(hours=1 + 2))  # it ran while the clock stood an hour ahead
    assert steady.look() == 3600
