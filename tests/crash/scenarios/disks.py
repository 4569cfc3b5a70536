"""The disk is full, read-only, or not there: for the spool, for the outbox, for everything."""

from __future__ import annotations

import subprocess
import time

from tests.crash.scenario import BOTH, scenario
from tests.crash.stage import Setup, Stage, uid

SPOOL = Setup("small-spool", disks={"data/spool": "16m"})
OUTBOX = Setup("small-outbox", disks={"data/outbox": "16m"})
PICTURES = Setup("small-pictures", disks={"data/previews": "16m"})
DATA = Setup("small-data", disks={"data": "96m"}, own=True)
RESERVE = Setup("reserve", disks={"data": "96m"}, settings={"storage": {"reserve_mb": 40}}, own=True)
INODES = Setup("few-files", disks={"data/spool": "16m,nr_inodes=40"}, own=True)
INLINE_SPOOL = Setup("inline-small-spool", inline=True, disks={"data/spool": "16m"})


def _refused_until(stage: Stage, free: object, images: int = 12) -> int:
    """Send one series until there is no more room, make room, and send the rest."""
    number = stage.new()
    left = stage.made(number, images)
    stage.sender.statuses.clear()
    stage.sender.once(left)
    assert set(stage.sender.statuses) == {0, 0xA700}, stage.sender.statuses
    assert list(stage.node.settings.spool_dir.rglob("*.part")) == []
    assert callable(free)
    free()
    stage.sender.send(left, restart=False)
    return number


@scenario(
    "spool-full", "the spool is full: refused with A700, and taken when there is room", SPOOL, fast=True, databases=BOTH
)
def _(stage: Stage) -> None:
    stage.fill("data/spool", leave=60_000)
    number = _refused_until(stage, lambda: stage.empty("data/spool"))
    stage.at_end(number)


@scenario("spool-full-and-killed", "the receiver is killed while the spool is full", SPOOL)
def _(stage: Stage) -> None:
    stage.fill("data/spool", leave=60_000)

    def free() -> None:
        stage.node.kill("receive")
        stage.node.ready()
        stage.empty("data/spool")

    stage.at_end(_refused_until(stage, free))


@scenario("spool-read-only", "the spool can only be read: refused with A700, and taken when it can be written", SPOOL)
def _(stage: Stage) -> None:
    before = stage.send()
    stage.at_end(before)
    stage.remount("data/spool", "ro")
    number = stage.new()
    left = stage.made(number)
    stage.sender.statuses.clear()
    try:
        stage.sender.once(left)
        assert set(stage.sender.statuses) == {0xA700}
    finally:
        stage.remount("data/spool", "rw")
    stage.sender.send(left)
    stage.at_end(number)


@scenario("few-files", "the spool has room for no more files", INODES)
def _(stage: Stage) -> None:
    number = stage.new()
    left = stage.made(number, 40)
    stage.sender.once(left)
    assert {0, 0xA700} == set(stage.sender.statuses)
    stage.remount("data/spool", "nr_inodes=10000")
    stage.sender.send(left, restart=False)
    stage.at_end(number)


@scenario(
    "outbox-full",
    "no report can be written: tried again, and sent when there is room",
    OUTBOX,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.fill("data/outbox")
    number = stage.send()
    stage.wait(lambda: stage.state(number)[0] in ("scored", "failed"), "it to be judged")
    time.sleep(3)
    stage.empty("data/outbox")
    stage.at_end(number)
    assert stage.state(number)[0] == "delivered"


@scenario("outbox-full-for-long", "no report can be written for longer than a step is tried", OUTBOX)
def _(stage: Stage) -> None:
    stage.fill("data/outbox")
    number = stage.send()
    stage.wait(lambda: "judged again" in stage.node.log() or stage.state(number)[0] == "failed", "patience to end", 400)
    stage.empty("data/outbox")
    stage.at_end(number, seconds=400)
    assert stage.state(number)[0] == "delivered"


@scenario("outbox-read-only", "the outbox can only be read for a while", OUTBOX)
def _(stage: Stage) -> None:
    stage.remount("data/outbox", "ro")
    try:
        number = stage.send()
        stage.wait(lambda: stage.state(number)[0] in ("scored", "failed"), "it to be judged")
        time.sleep(3)
    finally:
        stage.remount("data/outbox", "rw")
    stage.at_end(number)
    assert stage.state(number)[0] == "delivered"


@scenario("pictures-full", "no picture can be written for a while", PICTURES)
def _(stage: Stage) -> None:
    stage.fill("data/previews")
    number = stage.send()
    time.sleep(5)
    stage.empty("data/previews")
    stage.at_end(number)
    assert stage.state(number)[0] == "delivered"


@scenario("everything-full", "the one disk of the node is full: refused, nothing is lost, and it goes on", DATA)
def _(stage: Stage) -> None:
    first = stage.send()
    stage.at_end(first)
    stage.fill("data", leave=200_000)
    numbers, left = [], []
    for _ in range(12):
        number = stage.new()
        images = stage.made(number, 6)
        stage.sender.once(images)
        numbers.append(number)
        left += images
        if 0xA700 in stage.sender.statuses:
            break
    assert 0xA700 in stage.sender.statuses
    time.sleep(3)
    stage.empty("data")
    stage.sender.send(left, restart=False)
    stage.at_end(*numbers, seconds=300)


@scenario("reserve", "below the reserve objects are refused, before anything else fails", RESERVE)
def _(stage: Stage) -> None:
    first = stage.send()
    stage.fill("data", leave=30 << 20)
    number = stage.new()
    left = stage.made(number)
    stage.sender.statuses.clear()
    stage.sender.once(left)
    assert set(stage.sender.statuses) == {0xA700}
    stage.at_end(first)  # what was taken goes on
    assert "objects are refused" in stage.node.command("status")
    stage.empty("data")
    stage.sender.send(left)
    stage.at_end(number)


@scenario("inline-spool-full", "inline, the spool is full while images are held: what was taken goes on", INLINE_SPOOL)
def _(stage: Stage) -> None:
    stage.fill("data/spool", leave=60_000)
    number = _refused_until(stage, lambda: stage.empty("data/spool"))
    stage.at_end(number)
    stage.wait(lambda: stage.images_at(stage.pacs, number) == 12, "all images to be at the PACS")


@scenario("spool-not-mounted", "the disk of the spool is not there for a while: no image is taken for lost", SPOOL)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    stage.node.kill("work", stay_down=True)
    stage.sender.send(images[:2])
    stage.wait(lambda: stage.known(number) == 2, "both to be known")
    spool, aside = stage.disk("data/spool"), stage.folder / "aside"
    aside.mkdir()
    subprocess.run(["mount", "--move", str(spool), str(aside)], check=True)
    try:
        stage.node.start("work")
        stage.node.ready()
        time.sleep(5)
    finally:
        subprocess.run(["mount", "--move", str(aside), str(spool)], check=True)
        aside.rmdir()
    stage.sender.send(images[2:])
    stage.at_end(number, seconds=240)
    if stage.state(number)[0] == "failed":  # said, and judged again when a person says so
        stage.node.command("requeue", "--failed")
        stage.wait(lambda: stage.state(number)[0] == "delivered", "it to be judged again")
    assert uid(number)
