"""In front of the PACS: every image goes on, byte for byte, whatever happens, and nothing is promised too early."""

from __future__ import annotations

import time

from pydicom.dataset import Dataset

from tests.crash.line import Line
from tests.crash.scenario import BOTH, scenario
from tests.crash.sending import series
from tests.crash.stage import Setup, Stage, uid
from tests.peers.dcmtk import free_port

INLINE = Setup("inline", inline=True)
SHORT_OF_PATIENCE = Setup("inline-short-of-patience", inline=True, patience_seconds=3)
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
STAT = {"RequestedProcedurePriority": "STAT"}

LENIENT = Setup(
    "inline-lenient",
    inline=True,
    policies=({"name": "lenient", "action": "hold", "hold_seconds": 600, "review_below": 0},),
)
LONG = Setup(
    "inline-long",
    inline=True,
    policies=({"name": "gate", "action": "hold", "hold_seconds": 600, "review_below": 100},),
)
IMPATIENT = Setup("inline-impatient", inline=True, settings={"holding": {"commitment_patience_hours": 0.004}})
LINE_PORT = free_port()
OVER_A_LINE = Setup("inline-over-a-line", inline=True, destination={"port": LINE_PORT}, own=True)


def there(stage: Stage, number: int, images: int = 3, seconds: float = 90) -> None:
    """Wait until the PACS has all images of a series."""
    stage.wait(lambda: stage.images_at(stage.pacs, number) == images, f"series {number} to be at the PACS", seconds)


def pairs(images: list[Dataset]) -> list[tuple[str, str]]:
    """Return what a request for storage commitment names."""
    return [(str(image.SOPClassUID), str(image.SOPInstanceUID)) for image in images]


@scenario("good-goes-at-once", "a verdict that does not flag lets images go, long before the deadline", LENIENT)
def _(stage: Stage) -> None:
    number = stage.send()
    there(stage, number)
    assert stage.cause(number) in ("accepted", "unscored")
    stage.at_end(number)


@scenario("deadline-without-a-worker", "no worker at all: images go at the deadline", INLINE, databases=BOTH)
def _(stage: Stage) -> None:
    stage.node.kill("work", stay_down=True)
    try:
        number = stage.send()
        stage.wait(lambda: stage.held(number), "it to be held")
        assert stage.images_at(stage.pacs, number) == 0
        there(stage, number, seconds=40)
        assert stage.cause(number) == "deadline"
    finally:
        stage.node.start("work")
    stage.node.ready()
    stage.at_end(number)


@scenario("stat-without-a-worker", "no worker, and it is urgent: images go at once", LONG)
def _(stage: Stage) -> None:
    stage.node.kill("work", stay_down=True)
    try:
        number = stage.send(**STAT)
        words = stage.send(StudyDescription="CT head TRAUMA")
        there(stage, number, seconds=30)
        there(stage, words, seconds=30)
        assert {stage.cause(number), stage.cause(words)} == {"stat"}
    finally:
        stage.node.start("work")
    stage.node.ready()
    stage.at_end(number, words)


@scenario("no-ct-and-no-mr", "what cannot be scored is never held", LONG)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 2)
    for image in images:
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4.2"
    stage.sender.statuses.clear()
    for image in images:  # MR Spectroscopy, on a context of its own
        assert _store(stage, image) == 0
    there(stage, number, 2)


def _store(stage: Stage, image: Dataset) -> int:
    from qagate.deliver.peer import Requestor
    from tests.crash.sending import Promise, sha256

    entity = Requestor("SCANNER")
    entity.add_requested_context(image.SOPClassUID, image.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", stage.node.port, ae_title="QAGATE")
    status = int(association.send_c_store(image).Status)
    association.release()
    if status == 0:
        stage.sender.promises.append(Promise(str(image.SeriesInstanceUID), str(image.SOPInstanceUID), sha256(image)))
    return status


@scenario(
    "release-everything",
    "`qagate release --all` with neither worker nor pages: everything held goes",
    LONG,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.node.kill("work", stay_down=True)
    try:
        numbers = [stage.send(), stage.send()]
        stage.wait(lambda: all(stage.held(n) for n in numbers), "both to be held")
        assert "2 series released" in stage.node.command("release", "--all", "--reason", "downtime")
        for number in numbers:
            there(stage, number, seconds=30)
            assert stage.cause(number) == "everything"
    finally:
        stage.node.start("work")
    stage.node.ready()
    stage.at_end(*numbers)


@scenario(
    "rejected-and-released", "what a person rejects stays; released again it goes, byte for byte", LONG, databases=BOTH
)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.wait(lambda: stage.held(number), "it to be held")
    stage.node.command("reject", uid(number), "--yes", "--code", "motion_blur", "--reason", "motion")
    time.sleep(3)
    assert stage.images_at(stage.pacs, number) == 0
    stage.sender.send(series(number, 1, first=3))
    there(stage, number, 1)  # what comes after a rejection goes at once
    stage.node.kill("forward")
    stage.node.command("release", uid(number))
    there(stage, number, 4)
    stage.at_end(number, revision=2)


@scenario("late-after-release", "images that come after their series was let go follow at once", INLINE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.send()
    there(stage, number)
    stage.sender.send(series(number, 2, first=3))
    there(stage, number, 5, seconds=30)
    stage.at_end(number, revision=2)


@scenario(
    "inline-pacs-down",
    "the PACS is down when images are let go: they go when it is back",
    INLINE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.pacs.stop()
    number = stage.send(**STAT)
    stage.wait(lambda: stage.cause(number) == "stat", "it to be let go")
    time.sleep(3)
    assert stage.originals(number) == {"planned": 3}
    stage.pacs.start()
    there(stage, number)
    stage.at_end(number)


@scenario("inline-pacs-full", "the PACS answers A700 to images: they wait in the spool", INLINE)
def _(stage: Stage) -> None:
    stage.pacs.answer = 0xA700
    number = stage.send(**STAT)
    stage.wait(lambda: stage.pacs.asked.total() > 2, "tries in vain")
    stage.pacs.well()
    there(stage, number)
    stage.at_end(number)


@scenario("inline-pacs-has-them", "the PACS answers 0111 and B000 to images: they count as there", INLINE)
def _(stage: Stage) -> None:
    stage.pacs.answers = [0x0111, 0xB000, 0xB007]
    number = stage.send(**STAT)
    there(stage, number)
    stage.at_end(number)


@scenario("inline-pacs-breaks-off", "the PACS aborts after each second image", INLINE)
def _(stage: Stage) -> None:
    stage.pacs.abort_after = 2
    number = stage.send(9, **STAT)
    there(stage, number, 9, seconds=120)
    stage.pacs.well()
    stage.at_end(number)


@scenario("inline-pacs-silent", "the PACS takes an image and never answers; nothing else stops", SHORT_OF_PATIENCE)
def _(stage: Stage) -> None:
    stage.pacs.silent.set()
    number = stage.send(**STAT)
    stage.wait(lambda: stage.pacs.asked.total(), "an image to be on its way")
    other = stage.send()  # reception goes on
    time.sleep(4)
    stage.pacs.well()
    there(stage, number)
    there(stage, other)
    stage.at_end(number, other)


@scenario("inline-pacs-refuses-a-kind", "the PACS does not take MR: parked, and sent when a person says so", INLINE)
def _(stage: Stage) -> None:
    stage.pacs.without = ("1.2.840.10008.5.1.4.1.1.4",)
    stage.pacs.restart()
    number = stage.send(**STAT)
    stage.wait(lambda: stage.originals(number) == {"parked": 3}, "all three to be parked")
    assert "3 images parked" in stage.node.command("status")
    stage.pacs.well()
    stage.node.command("requeue", "PACS")
    there(stage, number)
    stage.at_end(number)


@scenario("inline-cut-line", "the line to the PACS is cut in the middle of images, again and again", OVER_A_LINE)
def _(stage: Stage) -> None:
    with Line(stage.pacs.port, port=LINE_PORT) as line:
        line.cut_after = 30_000
        number = stage.send(10, **STAT)
        stage.wait(lambda: line.cuts >= 3, "some cuts")
        line.cut_after = None
        there(stage, number, 10)
        stage.at_end(number)


@scenario("forwarder-dies", "the forwarder is killed while it sends", INLINE, databases=BOTH)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 0.5
    number = stage.send(8, **STAT)
    for _ in range(3):
        stage.wait(lambda: stage.pacs.asked.total(), "an image to be on its way")
        time.sleep(0.7)
        stage.node.kill("forward")
    stage.pacs.well()
    there(stage, number, 8)
    stage.at_end(number)


@scenario(
    "forwarder-dies-for-good", "a forwarder dies while it sends, and another one continues", INLINE, databases=BOTH
)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 0.5
    number = stage.send(8, **STAT)
    stage.wait(lambda: stage.images_at(stage.pacs, number), "an image to be there")
    stage.node.kill("forward", stay_down=True)
    stage.pacs.well()
    stage.node.start("forward-2")
    there(stage, number, 8, seconds=180)
    stage.node.kill("forward-2", stay_down=True)
    stage.node.start("forward")
    stage.at_end(number)


@scenario("forwarder-restarted", "the forwarder is restarted in order while it sends", INLINE)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 0.5
    number = stage.send(8, **STAT)
    stage.wait(lambda: stage.originals(number)["sent"] + stage.images_at(stage.pacs, number), "the first to be there")
    stage.node.restart("forward")
    time.sleep(1)
    stage.pacs.well()
    there(stage, number, 8)
    stage.at_end(number)


@scenario("forwarder-suspended", "the forwarder is suspended while it sends", INLINE)
def _(stage: Stage) -> None:
    number = stage.send(8, **STAT)
    time.sleep(0.3)
    stage.node.pause("forward")
    time.sleep(6)
    stage.node.resume("forward")
    there(stage, number, 8)
    stage.at_end(number)


@scenario(
    "inline-power-cut",
    "all processes die while images are held: they go at the deadline",
    INLINE,
    fast=True,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.wait(lambda: stage.held(number), "it to be held")
    for process in stage.node.processes:
        stage.node.kill(process)
    time.sleep(0.3)
    stage.node.ready()
    there(stage, number)
    stage.at_end(number)


@scenario("inline-other-bytes", "other bytes under a known UID are forwarded too", INLINE)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.sender.send([*series(number), series(number, 1, grey=500)[0]], restart=False)
    there(stage, number)
    stage.wait(lambda: stage.originals(number).total() == 4 and "planned" not in stage.originals(number), "all four")
    stage.at_end(number)


@scenario("inline-all-again", "the whole series comes again after it went: it goes again", INLINE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.send(**STAT)
    there(stage, number)
    before = stage.pacs.asked.total()
    stage.sender.send(stage.made(number, **STAT))
    stage.wait(lambda: stage.pacs.asked.total() >= before + 3, "it to go again")
    stage.at_end(number)


# storage commitment


@scenario(
    "promise-after-the-pacs", "the scanner is told only after the PACS has promised", INLINE, fast=True, databases=BOTH
)
def _(stage: Stage) -> None:
    stage.pacs.commitment = "never"
    images = stage.made(stage.new(), **STAT)
    stage.sender.send(images)
    transaction, status = stage.asker.ask(stage.node.port, pairs(images))
    assert status == 0
    stage.wait(lambda: stage.pacs.commitments_asked, "the PACS to be asked")
    assert stage.asker.answer(transaction, 3) is None
    stage.pacs.well()
    # what was never answered is asked again after a quarter of an hour; other images bring the answer about here
    number = int(str(images[0].StudyInstanceUID).rpartition(".")[2])
    stage.sender.send(images)
    said = stage.asker.answer(transaction, 60)
    assert said is not None
    assert {i.ReferencedSOPInstanceUID for i in said.ReferencedSOPSequence} == {uid for _, uid in pairs(images)}
    stage.at_end(number)


@scenario(
    "promise-not-kept",
    "the PACS says it has not got the images: they go again, and then it promises",
    INLINE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.pacs.commitment = "fails"
    images = stage.made(stage.new(), **STAT)
    stage.sender.send(images)
    transaction, _ = stage.asker.ask(stage.node.port, pairs(images))
    stage.wait(lambda: stage.pacs.commitments_asked, "the PACS to be asked")
    time.sleep(1)
    assert stage.asker.answer(transaction, 1) is None
    stage.pacs.well()
    stage.sender.send(images)
    said = stage.asker.answer(transaction, 90)
    assert said is not None
    assert len(said.ReferencedSOPSequence) == 3


def _no_promise(name: str, words: str, commitment: str, why: int | None) -> None:
    """The PACS promises nothing: the scanner is told so of each image, with this Failure Reason where it is known."""

    @scenario(name, words, IMPATIENT)
    def _(stage: Stage) -> None:
        stage.pacs.commitment = commitment
        images = stage.made(stage.new(), **STAT)
        stage.sender.send(images)
        transaction, _ = stage.asker.ask(stage.node.port, pairs(images))
        said = stage.asker.answer(transaction, 90)
        assert said is not None
        assert "ReferencedSOPSequence" not in said
        reasons = [int(item.FailureReason) for item in said.FailedSOPSequence]
        assert len(reasons) == 3
        assert why is None or set(reasons) == {why}


_no_promise(
    "promise-never-comes", "the PACS never promises: the scanner is told so, and keeps its images", "never", 0x0110
)
_no_promise("promise-refused", "the PACS refuses to be asked: nothing is promised to the scanner", "refuses", None)


@scenario("promise-and-crash", "the node is killed between a scanner's request and its answer", INLINE, databases=BOTH)
def _(stage: Stage) -> None:
    images = stage.made(stage.new(), **STAT)
    stage.sender.send(images)
    transaction, status = stage.asker.ask(stage.node.port, pairs(images))
    assert status == 0
    for process in stage.node.processes:
        stage.node.kill(process)
    time.sleep(0.3)
    stage.node.ready()
    said = stage.asker.answer(transaction, 90)
    assert said is not None
    assert len(said.ReferencedSOPSequence) == 3


@scenario("scanner-deaf", "the scanner cannot be told at first: told when it listens again", INLINE)
def _(stage: Stage) -> None:
    stage.asker.deaf()
    images = stage.made(stage.new(), **STAT)
    stage.sender.send(images)
    transaction, _ = stage.asker.ask(stage.node.port, pairs(images))
    stage.wait(lambda: "could not be told" in stage.node.log(), "a try in vain")
    stage.asker.listen()
    said = stage.asker.answer(transaction, 60)
    assert said is not None
    assert len(said.ReferencedSOPSequence) == 3


@scenario("promise-of-what-is-held", "images that are held are not promised before they are at the PACS", INLINE)
def _(stage: Stage) -> None:
    images = stage.made(stage.new())
    stage.sender.send(images)
    transaction, _ = stage.asker.ask(stage.node.port, pairs(images))
    number = int(str(images[0].StudyInstanceUID).rpartition(".")[2])
    said = stage.asker.answer(transaction, 90)
    assert said is not None
    assert len(said.ReferencedSOPSequence) == 3
    assert stage.images_at(stage.pacs, number) == 3
    assert stage.cause(number) in ("deadline", "unscored", "accepted")
