"""Processes die, are suspended, or are restarted in order, at a bad moment."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import select

from qagate.demo.served import as_toml
from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.tables import DocumentRow, InstanceRow
from tests.crash.ledger import digest
from tests.crash.scenario import BOTH, POSTGRESQL, scenario
from tests.crash.scenarios.destinations import BESIDE, NOT_AHEAD
from tests.crash.sending import Sender, in_background, series
from tests.crash.stage import Setup, Stage, uid

TWO = Setup("two-workers", workers=2)
FOUR_RECEIVERS = Setup("poison", own=True)


@scenario(
    "half-a-series-and-a-crash", "the receiver dies after two of four images: said", BESIDE, fast=True, databases=BOTH
)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.node.armed.arm("placed 2")  # the first two images are safe, and no row says so
    stage.sender.once(series(number, 4))
    stage.node.wait_for_death()
    stage.at_end(number)
    assert all("incomplete_series" in codes for codes in stage.findings(number))


@scenario(
    "receiver-dies-and-sender-resumes",
    "the receiver dies in a series, and the sender sends the rest",
    BESIDE,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.node.armed.arm("answered 3")
    stage.sender.send(series(number, 6), restart=False)
    stage.node.wait_for_death()
    stage.at_end(number)
    stage.wait(lambda: stage.known(number) == 6, "all images to be known")


@scenario("power-cut", "all processes die at once, in the middle of everything", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    for _ in range(3):
        done = stage.send()
        coming = stage.new()
        (thread,) = in_background(lambda number=coming: stage.sender.send(series(number, 8)))
        time.sleep(0.3)
        for process in stage.node.processes:
            stage.node.kill(process)
        thread.join(120)
        stage.node.ready()
    stage.at_end(done, coming)


@scenario("restart-while-receiving", "the receiver is restarted in order while images come", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.new()
    (thread,) = in_background(lambda: stage.sender.send(series(number, 30)))
    for _ in range(2):
        time.sleep(0.4)
        stage.node.restart("receive")
        stage.node.ready()
    thread.join(120)
    stage.at_end(number)
    stage.wait(lambda: stage.known(number) == 30, "all images to be known")


@scenario(
    "restart-while-judging", "the worker is restarted in order while a series is judged", NOT_AHEAD, databases=BOTH
)
def _(stage: Stage) -> None:
    number = stage.send(30)
    stage.wait(lambda: stage.state(number)[0] == "queued", "it to be judged")
    stage.node.restart("work")
    stage.at_end(number)


@scenario("restart-while-sending", "the worker is restarted in order while a report is sent", BESIDE, databases=BOTH)
def _(stage: Stage) -> None:
    stage.pacs.delay_seconds = 2
    number = stage.send()
    stage.wait(lambda: stage.pacs.asked.total() and stage.deliveries(number), "a report to be on its way")
    stage.node.restart("work")
    time.sleep(1)
    stage.pacs.well()
    stage.at_end(number)


@scenario("receiver-suspended", "the receiver is suspended for seconds in a series", BESIDE)
def _(stage: Stage) -> None:
    number = stage.new()
    (thread,) = in_background(lambda: stage.sender.send(series(number, 20)))
    time.sleep(0.2)
    stage.node.pause("receive")
    time.sleep(5)
    stage.node.resume("receive")
    thread.join(120)
    stage.at_end(number)
    stage.wait(lambda: stage.known(number) == 20, "all images to be known")


@scenario(
    "poison",
    "a series that kills its worker is set aside after three tries; others go on; a person may retry",
    FOUR_RECEIVERS,
    fast=True,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    bad = stage.new()
    stage.node.armed.arm(f"read 0 {uid(bad)}/")
    stage.sender.send(stage.made(bad))
    good = stage.send()
    stage.set_aside.add(uid(bad))
    stage.at_end(bad, good, seconds=240)
    assert stage.node.deaths["work"] >= 3
    assert (stage.state(bad)[0], stage.state(good)[0]) == ("failed", "delivered")
    said = stage.node.command("status")
    assert "1 failed" in said
    assert "0 unaccounted" in said
    stage.node.armed.arm()  # it was cured
    stage.node.command("requeue", "--failed")
    stage.wait(lambda: stage.state(bad)[0] == "delivered", "it to be judged again")


@scenario(
    "worker-dies-for-good",
    "a worker dies in a series and never comes back; the other one continues",
    TWO,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    numbers = [stage.send() for _ in range(4)]
    stage.wait(lambda: any(stage.state(n)[0] == "queued" for n in numbers), "a series to be judged")
    stage.node.kill("work", stay_down=True)
    try:
        stage.at_end(*numbers, seconds=240)
    finally:
        stage.node.start("work")
        stage.node.ready()


@scenario(
    "worker-dies-at-birth",
    "a worker dies in the first thing it does, before it has lived for a second",
    TWO,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    stage.node.kill("work", stay_down=True)
    stage.node.kill("work-2", stay_down=True)
    numbers = [stage.send(), stage.send()]
    time.sleep(3)  # both are complete before anybody judges them
    deaths = stage.node.deaths["work"]
    stage.node.armed.arm("judge 1")
    stage.node.start("work")
    stage.node.wait(lambda: stage.node.deaths["work"] > deaths or not stage.node.armed.lines(), 60, "its death")
    stage.node.kill("work", stay_down=True)
    stage.node.start("work-2")
    stage.at_end(*numbers, seconds=240)
    stage.node.start("work")
    stage.node.ready()


@scenario(
    "worker-suspended",
    "a worker is suspended for so long that the other one continues, and then goes on",
    TWO,
    databases=POSTGRESQL,
)
def _(stage: Stage) -> None:
    numbers = [stage.send(6) for _ in range(4)]
    stage.wait(lambda: any(stage.state(n)[0] == "queued" for n in numbers), "a series to be judged")
    stage.node.pause("work")
    time.sleep(22)
    stage.node.resume("work")
    numbers += [stage.send()]
    stage.at_end(*numbers, seconds=240)
    assert all(stage.reports_at(stage.pacs, number) == stage.state(number)[1] for number in numbers)  # one a revision


@scenario("workers-in-turn", "workers are killed in turn while series come", TWO, databases=BOTH)
def _(stage: Stage) -> None:
    stop, numbers = threading.Event(), []

    def send() -> None:
        sender = Sender(stage.node.port, promises=stage.sender.promises)
        while not stop.is_set():
            number = stage.new()
            numbers.append(number)
            sender.send(series(number))
            stop.wait(1.5)

    (thread,) = in_background(send)
    for turn in range(6):
        time.sleep(3)
        stage.node.kill(stage.node.workers[turn % 2])
    stop.set()
    thread.join(60)
    stage.node.ready()
    stage.at_end(*numbers, seconds=300)


@scenario("backup-under-load", "a backup is taken while series come, and restored: nothing in it is torn", BESIDE)
def _(stage: Stage) -> None:
    numbers: list[int] = []
    (thread,) = in_background(lambda: numbers.extend(stage.send() for _ in range(6)))
    time.sleep(1)
    target = stage.folder / f"backup-{stage.new()}"
    stage.node.command("backup", str(target))
    thread.join(120)
    stage.at_end(*numbers)
    tree = stage.node.settings.model_dump()
    tree["storage"]["data_dir"] = stage.folder / f"{target.name}-restored"
    restored = Settings.model_validate(tree)
    config = target.with_suffix(".toml")
    config.write_text(as_toml(restored), encoding="utf-8")
    words = [sys.executable, "-m", "qagate", "restore", str(target), "--config", str(config)]
    subprocess.run(words, check=True, capture_output=True)
    with closing(Database.open(restored.database_url)) as database, database.read() as session:
        objects = session.execute(select(InstanceRow.path, InstanceRow.sha256)).all()
        documents = session.scalars(select(DocumentRow.variants)).all()
    assert objects
    for path, sha256 in objects:
        assert Path(path).is_relative_to(restored.storage.data_dir)
        assert digest(Path(path)) == sha256
    assert all(Path(variant).exists() for variants in documents for variant in variants)
