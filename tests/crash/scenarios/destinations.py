"""The destination of the reports is away, slow, full, rude, picky or silent; the other destination need not wait."""

from __future__ import annotations

import socket
from contextlib import suppress

from tests.crash.scenario import BOTH, scenario
from tests.crash.stage import Setup, Stage, uid

BESIDE = Setup("beside")
NOT_AHEAD = Setup("not-ahead", settings={"completion": {"ahead": False}})  # so that being judged takes a while
IMPATIENT = Setup("beside-impatient", patience_seconds=3)
COMPREHENSIVE_3D_SR = "1.2.840.10008.5.1.4.1.1.88.34"


@scenario("pacs-down", "the PACS is down when a report is due", BESIDE, fast=True, databases=BOTH)
def _(stage: Stage) -> None:
    stage.pacs.stop()
    try:
        number = stage.send()
        stage.wait(
            lambda: stage.tried(number) and stage.went(number, "OTHER"), "a try in vain here and a good one there"
        )
    finally:
        stage.pacs.start()
    stage.at_end(number)


@scenario("pacs-slow", "the PACS takes a second for each object", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 1
    try:
        stage.at_end(stage.send(), stage.send())
    finally:
        stage.pacs.well()


def _answers(name: str, sentence: str, answers: list[int], states: tuple[str, str], tries: tuple[int, int]) -> None:
    @scenario(name, sentence, BESIDE, fast=True)
    def _(stage: Stage) -> None:
        stage.pacs.answers = list(answers)
        number = stage.send()
        stage.at_end(number)
        rows = stage.deliveries(number)
        assert tuple(rows[kind].state for kind in ("SR", "SC")) == states
        assert tuple(rows[kind].attempts for kind in ("SR", "SC")) == tries


# statuses of the first C-STOREs, then state and tries of SR and SC afterwards
_answers("pacs-A700", "the PACS is out of resources for one object", [0xA700], ("sent", "sent"), (2, 1))
_answers("pacs-0110", "the PACS fails to process one object", [0, 0x0110], ("sent", "sent"), (1, 2))
_answers("pacs-B000", "the PACS coerces data elements", [0xB000, 0xB000], ("warning", "warning"), (1, 1))
_answers("pacs-B006", "the PACS discards elements", [0xB006, 0xB006], ("warning", "warning"), (1, 1))
_answers("pacs-B007", "data set and SOP class do not match for the PACS", [0xB007, 0], ("warning", "sent"), (1, 1))
_answers("pacs-0111", "the PACS has the objects already", [0x0111, 0x0111], ("warning", "warning"), (1, 1))


@scenario("pacs-0122", "the PACS answers that it does not know one form of report: it gets one other form", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.refused = {COMPREHENSIVE_3D_SR: 0x0122}
    try:
        number = stage.send()
        stage.at_end(number)
        assert stage.reports_at(stage.pacs, number) == 1
    finally:
        stage.pacs.well()


@scenario("pacs-full-for-a-while", "the PACS answers A700 to everything for some tries", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.answer = 0xA700
    try:
        number = stage.send()
        stage.wait(lambda: any(r.attempts >= 2 for r in stage.deliveries(number).values()), "two tries in vain")
    finally:
        stage.pacs.well()
    stage.at_end(number)


@scenario("pacs-refuses-for-good", "the PACS cannot understand; parked, and sent when a person says so", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.answer = 0xC000
    try:
        number = stage.send()
        stage.wait(lambda: {r.state for r in stage.deliveries(number).values()} == {"parked"}, "all to be parked")
        assert "3 parked" in stage.node.command("status")
    finally:
        stage.pacs.well()
    assert "3 deliveries" in stage.node.command("requeue", "PACS")
    stage.at_end(number)


@scenario("pacs-breaks-off", "the PACS aborts after each object", BESIDE, fast=True)
def _(stage: Stage) -> None:
    stage.pacs.abort_after = 1
    try:
        number = stage.send()
        stage.wait(lambda: any(r.attempts for r in stage.deliveries(number).values()), "a try that was broken off")
    finally:
        stage.pacs.well()
    stage.at_end(number)


@scenario("pacs-silent", "the PACS takes and never answers", IMPATIENT, fast=True)
def _(stage: Stage) -> None:
    stage.pacs.silent.set()
    try:
        number = stage.send()
        stage.wait(
            lambda: (
                stage.went(number, "OTHER")
                and any("must answer" in row.detail for row in stage.deliveries(number).values())
            ),
            "the other destination to be served and this one to be given up for now",
        )
    finally:
        stage.pacs.well()
    stage.at_end(number)


@scenario("pacs-silent-to-requests", "the PACS accepts connections and never answers an association", IMPATIENT)
def _(stage: Stage) -> None:
    stage.pacs.stop()
    with suppress(OSError), socket.create_server(("127.0.0.1", stage.pacs.port), backlog=32):
        number = stage.send()
        stage.wait(lambda: stage.tried(number) and stage.went(number, "OTHER"), "a try in vain", 120)
    stage.pacs.start()
    stage.at_end(number)


@scenario("pacs-knows-us-not", "the PACS rejects our associations until it knows us", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.only_called = "ANOTHER"
    stage.pacs.restart()
    try:
        number = stage.send()
        stage.wait(lambda: any("reject" in r.detail for r in stage.deliveries(number).values()), "a rejection")
    finally:
        stage.pacs.well()
    stage.at_end(number)


@scenario("pacs-takes-older-reports-only", "the PACS takes no Comprehensive 3D SR: it gets one other form", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.without = (COMPREHENSIVE_3D_SR,)
    stage.pacs.restart()
    try:
        number = stage.send()
        stage.at_end(number)
        assert stage.reports_at(stage.pacs, number) == 1
    finally:
        stage.pacs.well()


@scenario("pacs-takes-no-pictures", "the PACS takes no SC: parked, and the report is there", BESIDE)
def _(stage: Stage) -> None:
    stage.pacs.without = ("1.2.840.10008.5.1.4.1.1.7",)
    stage.pacs.restart()
    try:
        number = stage.send()
        stage.wait(lambda: stage.deliveries(number).get("SC") and stage.deliveries(number)["SC"].state == "parked",
                   "the picture to be parked")  # fmt: skip
        assert stage.deliveries(number)["SR"].state == "sent"
    finally:
        stage.pacs.well()
    stage.node.command("requeue")
    stage.at_end(number)


@scenario("pacs-comes-and-goes", "the PACS restarts again and again while reports come", BESIDE)
def _(stage: Stage) -> None:
    numbers = []
    for _ in range(4):
        stage.pacs.stop()
        numbers.append(stage.send())
        stage.pacs.start()
        numbers.append(stage.send())
    stage.at_end(*numbers)


@scenario(
    "worker-dies-while-pacs-is-silent",
    "the worker is killed while it waits for an answer",
    IMPATIENT,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.pacs.silent.set()
    try:
        number = stage.send()
        stage.wait(lambda: stage.pacs.asked.total() and stage.deliveries(number), "an object to be on its way")
        stage.node.kill("work")
        stage.node.ready()
    finally:
        stage.pacs.well()
    stage.at_end(number)


@scenario(
    "poison-among-parcels",
    "deliveries whose worker is killed three times are tried again, not parked",
    BESIDE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    deaths = stage.node.deaths["work"]
    number = stage.new()
    stage.node.armed.arm("sending 1", "sending 2", "one-sent 1")
    stage.sender.send(stage.made(number))
    stage.node.wait(lambda: stage.node.deaths["work"] >= deaths + 3, 120, "three deaths")
    stage.node.ready()
    stage.at_end(number)
    assert uid(number)
