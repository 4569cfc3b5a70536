"""The sender breaks off, vanishes, crawls, repeats itself or says something else."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from contextlib import ExitStack, suppress

from pydicom import dcmread

from qagate.deliver.peer import Requestor
from tests.crash.line import Line
from tests.crash.scenario import BOTH, scenario
from tests.crash.scenarios.destinations import BESIDE
from tests.crash.sending import MR_IMAGE, Sender, in_background, series
from tests.crash.stage import Setup, Stage, uid
from tests.fuzz_scp import association_request, p_data


@scenario("sender-aborts", "the sender aborts half-way: said, and not taken for whole", BESIDE, fast=True)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.sender.once(stage.made(number, 4), stop_after=2)
    stage.at_end(number)
    (codes,) = stage.findings(number)
    assert "incomplete_series" in codes


@scenario(
    "sender-aborts-and-comes-back",
    "the sender aborts, and begins anew before the quiet time is over",
    BESIDE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 6)
    stage.sender.once(list(images), stop_after=3)
    stage.sender.send(images)
    stage.at_end(number)
    assert "incomplete_series" not in stage.findings(number)[-1]


@scenario("sender-vanishes", "the sender's connection is reset in the middle of an image", BESIDE)
def _(stage: Stage) -> None:
    with Line(stage.node.port) as line:
        line.cut_after = 25_000
        number = stage.new()
        images = stage.made(number, 5)
        other = Sender(line.port)
        assert not other.once(list(images))
        assert line.cuts == 1
        stage.sender.promises += other.promises
        stage.at_end(number)
        assert "incomplete_series" in stage.findings(number)[0]
        stage.sender.send(images)  # the rest, some time later
    stage.at_end(number, revision=2)


@scenario(
    "sender-goes-to-sleep",
    "the sender stops in the middle of an image and keeps its connection",
    BESIDE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    with Line(stage.node.port) as line:
        line.stall_after = 25_000
        number = stage.new()
        images = stage.made(number, 5)
        other = Sender(line.port)
        (thread,) = in_background(lambda: other.once(list(images)))
        stage.at_end(number)  # by the quiet time of an open association
        good = stage.send()
        stage.at_end(good)
        line.stall_after = None
        thread.join(60)
        stage.sender.promises += other.promises
        stage.sender.send(images)
        stage.wait(lambda: stage.known(number) == 5, "all five images to be known")
        time.sleep(4)
    stage.at_end(number)


@scenario("slow-line", "a series comes over a line of 10 kB/s while another comes fast", BESIDE)
def _(stage: Stage) -> None:
    with Line(stage.node.port) as line:
        line.bytes_per_second = 10_000
        slow = stage.new()
        other = Sender(line.port)
        (thread,) = in_background(lambda: other.send(stage.made(slow, 3)))
        fast = stage.send()
        stage.at_end(fast)
        thread.join(120)
        stage.sender.promises += other.promises
    stage.wait(lambda: stage.known(slow) == 3, "all images of the slow one")
    stage.at_end(slow)


def _kept_open(stage: Stage, count: int, say: bytes) -> ExitStack:
    stack = ExitStack()
    for _ in range(count):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", stage.node.port), 5))
        connection.sendall(say)
    return stack


@scenario("silent-connections", "40 connections that say nothing; a good peer is served at once", BESIDE)
def _(stage: Stage) -> None:
    with _kept_open(stage, 40, b""):
        begun = time.monotonic()
        number = stage.send()
        assert time.monotonic() - begun < 5
        stage.at_end(number)


@scenario("half-a-pdu", "connections that end in the middle of a PDU, and of an association request", BESIDE)
def _(stage: Stage) -> None:
    whole = association_request()
    with _kept_open(stage, 10, whole[:7]), _kept_open(stage, 10, whole[:-20]), _kept_open(stage, 5, whole):
        stage.at_end(stage.send())


@scenario("one-byte-per-second", "a peer that sends its request one byte at a time", BESIDE)
def _(stage: Stage) -> None:
    whole = association_request()
    stop = threading.Event()

    def drip() -> None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", stage.node.port), 5) as connection:
            for number in range(len(whole)):
                connection.sendall(whole[number : number + 1])
                if stop.wait(1):
                    return

    threads = in_background(*(drip for _ in range(5)))
    try:
        stage.at_end(stage.send(), stage.send())
    finally:
        stop.set()
        for thread in threads:
            thread.join(5)


@scenario("half-a-message", "associations that stop between the fragments of a data set", BESIDE)
def _(stage: Stage) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", stage.node.port), 5))
            connection.sendall(association_request())
            connection.recv(4096)
            pdus = list(p_data(1, 0, bytes(50_000)))
            connection.sendall(pdus[0] + pdus[1][:100])
        stage.at_end(stage.send())


@scenario("fifty-associations", "50 associations at one time, each with a series of its own", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    numbers = [stage.new() for _ in range(50)]
    for thread in in_background(*(lambda n=n: stage.sender.send(series(n, 2), restart=False) for n in numbers)):
        thread.join(120)
    stage.at_end(*numbers, seconds=300)


@scenario("interleaved", "one series over three associations at once", BESIDE, fast=True, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 6)
    for thread in in_background(*(lambda part=images[n::3]: stage.sender.send(part) for n in range(3))):
        thread.join(60)
    stage.at_end(number)


@scenario("series-mixed-in-one-association", "three series in one association, image by image", BESIDE)
def _(stage: Stage) -> None:
    numbers = [stage.new() for _ in range(3)]
    made = [stage.made(number, 4) for number in numbers]
    stage.sender.send([image for together in zip(*made, strict=True) for image in together])
    stage.at_end(*numbers)


@scenario(
    "other-bytes", "other bytes under a known UID: both are kept, and it is said", BESIDE, fast=True, databases=BOTH
)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.sender.send([*series(number), series(number, 1, grey=500)[0]], restart=False)
    stage.at_end(number)
    assert any("conflicting_copy" in codes for codes in stage.findings(number))


@scenario("other-bytes-later", "other bytes under a known UID, after the verdict", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.at_end(number)
    stage.sender.send(series(number, 1, grey=500), restart=False)
    stage.at_end(number, revision=2)
    assert "conflicting_copy" in stage.findings(number)[-1]


@scenario("all-again", "the whole series comes again after its verdict: no second report", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.at_end(number)
    stage.sender.send(stage.made(number))
    time.sleep(3)
    stage.at_end(number)
    assert stage.state(number)[1] == 1
    assert stage.reports_at(stage.pacs, number) == 1


@scenario("twice-at-once", "two senders bring the same series at the same time", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.new()
    for thread in in_background(*(lambda: stage.sender.send(stage.made(number, 6)) for _ in range(2))):
        thread.join(60)
    stage.at_end(number)
    assert "conflicting_copy" not in stage.findings(number)[-1]
    assert stage.known(number) == 6


@scenario(
    "late-images",
    "images come after the verdict: a second report that names the first",
    BESIDE,
    fast=True,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.at_end(number)
    first = stage.deliveries(number)["SR"].sop_instance_uid
    stage.sender.send(series(number, 2, first=3))
    stage.at_end(number, revision=2)
    second = stage.deliveries(number)["SR"].sop_instance_uid
    report = dcmread({o.sop_instance_uid: o for o in stage.pacs.objects()}[second].path)
    assert first in str(report.PredecessorDocumentsSequence)


@scenario("late-images-while-judging", "images come while the first ones are being judged", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.wait(lambda: stage.state(number)[0] in ("queued", "scored", "delivered"), "the first images to be complete")
    stage.sender.send(series(number, 2, first=3))
    stage.at_end(number, revision=2)


@scenario("no-pixels", "images without pixel data, and with too few: nothing is lost, others go on", BESIDE)
def _(stage: Stage) -> None:
    empty, short = stage.new(), stage.new()
    images = stage.made(empty)
    for image in images:
        del image.PixelData
    stage.sender.send(images)
    stage.sender.send(stage.made(short, PixelData=bytes(100)))
    good = stage.send()
    stage.set_aside |= {uid(empty), uid(short)}
    stage.at_end(empty, short, good)


@scenario("absurd-dimensions", "images that say they are 65535 × 65535", BESIDE)
def _(stage: Stage) -> None:
    number = stage.send(Rows=65535, Columns=65535)
    stage.set_aside.add(uid(number))
    stage.at_end(number, stage.send())


@scenario("uids-that-are-paths", "UIDs that try to be paths stay names in the spool", BESIDE)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number)
    for index, image in enumerate(images):
        image.SOPInstanceUID = f"../../../../tmp/evil-{index}"
        image.file_meta.MediaStorageSOPInstanceUID = f"{uid(number)}.{index}"
    entity = Requestor("SCANNER")
    entity.add_requested_context(MR_IMAGE)
    association = entity.associate("127.0.0.1", stage.node.port, ae_title="QAGATE")
    for image in images:
        with suppress(ValueError):  # pynetdicom may refuse to send such a one
            association.send_c_store(image)
    association.release()
    spool = stage.node.settings.spool_dir.resolve()
    assert all(path.resolve().is_relative_to(spool) for path in spool.rglob("*"))
    assert not list(spool.parents[3].glob("evil-*"))
    stage.at_end(stage.send())


SMALL = Setup("small-objects", settings={"storage": {"max_object_mb": 1}})


@scenario("too-large", "an object above the limit is refused; the series around it is judged", SMALL)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    images[1].add_new(0x00090010, "LO", "LARGE")
    images[1].add_new(0x00091001, "OB", bytes(2 << 20))
    stage.sender.once(list(images))
    assert sorted(set(stage.sender.statuses)) == [0, 0xA700]
    stage.at_end(number)
    assert stage.known(number) == 3


@scenario("pixels-by-the-bit", "what is in the spool has the bytes that were sent", BESIDE)
def _(stage: Stage) -> None:
    number = stage.send(8)
    stage.at_end(number)
    promised = {p.sop_instance_uid: p.sha256 for p in stage.sender.promises if p.series_instance_uid == uid(number)}
    folder = stage.node.settings.spool_dir / uid(number)
    assert {path.stem for path in folder.glob("*.dcm")} == set(promised)
    whole = [hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.dcm")]
    assert len(set(whole)) == 8
