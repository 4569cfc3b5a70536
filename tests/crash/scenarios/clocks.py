"""The clock of the node steps, at every point where somebody waits for a time of day."""

from __future__ import annotations

import time

from tests.crash.scenario import BOTH, scenario
from tests.crash.stage import Setup, Stage

CLOCK = Setup("clock", own_clock=True, settings={"completion": {"quiet_seconds": 3}})
INLINE_CLOCK = Setup("inline-clock", own_clock=True, inline=True)
HOUR = 3600


@scenario("clock-back-while-idle", "the clock steps back an hour: series are judged as before", CLOCK, fast=True)
def _(stage: Stage) -> None:
    stage.at_end(stage.send())
    stage.node.shift_clock(-HOUR)
    stage.at_end(stage.send())


@scenario(
    "clock-back-while-receiving", "the clock steps back an hour between images and verdict", CLOCK, databases=BOTH
)
def _(stage: Stage) -> None:
    stage.node.shift_clock(0)
    number = stage.send()
    stage.node.shift_clock(-HOUR)
    stage.at_end(number)


@scenario(
    "clock-back-while-pacs-is-down",
    "the clock steps back an hour while a report waits for its next try",
    CLOCK,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.node.shift_clock(0)
    stage.pacs.stop()
    number = stage.send()
    stage.wait(lambda: stage.tried(number), "a try in vain")
    stage.node.shift_clock(-HOUR)
    stage.pacs.start()
    stage.at_end(number)


@scenario("clock-forth-and-back", "the clock jumps a day ahead and back again", CLOCK)
def _(stage: Stage) -> None:
    first = stage.send()
    stage.node.shift_clock(24 * HOUR)
    second = stage.send()
    time.sleep(2)
    stage.node.shift_clock(0)
    third = stage.send()
    stage.at_end(first, second, third)


@scenario("clock-back-while-killed", "the clock steps back an hour and the node is killed", CLOCK)
def _(stage: Stage) -> None:
    stage.node.shift_clock(0)
    number = stage.send()
    stage.node.shift_clock(-HOUR)
    for process in stage.node.processes:
        stage.node.kill(process)
    time.sleep(0.3)
    stage.node.ready()
    stage.at_end(number, stage.send())


@scenario(
    "clock-back-while-held",
    "inline, the clock steps back an hour: held images go within twice the deadline",
    INLINE_CLOCK,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.wait(lambda: stage.held(number), "it to be held")
    stage.node.shift_clock(-HOUR)
    stage.wait(lambda: stage.images_at(stage.pacs, number) == 3, "its images to be at the PACS", 60)
    stage.at_end(number)


@scenario(
    "clock-back-while-forwarding", "inline, the clock steps back an hour while images wait for the PACS", INLINE_CLOCK
)
def _(stage: Stage) -> None:
    stage.node.shift_clock(0)
    stage.pacs.stop()
    number = stage.send(RequestedProcedurePriority="STAT")
    stage.wait(lambda: stage.cause(number) == "stat", "it to be let go")
    time.sleep(3)
    stage.node.shift_clock(-HOUR)
    stage.pacs.start()
    stage.wait(lambda: stage.images_at(stage.pacs, number) == 3, "its images to be at the PACS", 120)
    stage.at_end(number)


@scenario(
    "clock-back-while-commitment-is-awaited",
    "inline, the clock steps back while a scanner waits for a promise",
    INLINE_CLOCK,
)
def _(stage: Stage) -> None:
    stage.node.shift_clock(0)
    stage.pacs.commitment = "never"
    images = stage.made(stage.new(), RequestedProcedurePriority="STAT")
    stage.sender.send(images)
    pairs = [(str(i.SOPClassUID), str(i.SOPInstanceUID)) for i in images]
    transaction, status = stage.asker.ask(stage.node.port, pairs)
    assert status == 0
    stage.wait(lambda: stage.pacs.commitments_asked, "the PACS to be asked")
    stage.node.shift_clock(-HOUR)
    stage.pacs.well()
    said = stage.asker.answer(transaction, 90)
    assert said is not None, "the scanner was never told"
    assert len(said.ReferencedSOPSequence) == 3
