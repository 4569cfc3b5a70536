"""When is a series complete? The scanner's list, the archive's number, and what neither of them says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from qagate.deliver.peer import Requestor
from qagate.receive.steps import MPPS
from tests.crash.scenario import BOTH, scenario
from tests.crash.stage import Setup, Stage, uid
from tests.unit.receive.test_steps import creation, ending

LISTS = Setup("lists", settings={"completion": {"missing_seconds": 20}})
EARLY = Setup("early", settings={"completion": {"early": True, "quiet_seconds": 120, "open_quiet_seconds": 120}})
COUNTS = Setup(
    "archive-counts",
    destination={"counts": True},
    settings={"completion": {"missing_seconds": 5, "archive_seconds": 60}},
)
SILENT = Setup(
    "archive-silent",
    destination={"counts": True},
    patience_seconds=4,
    settings={"completion": {"missing_seconds": 5, "archive_seconds": 6}},
)


@contextmanager
def _scanner(stage: Stage) -> Iterator[Association]:
    entity = Requestor("SCANNER")
    entity.acse_timeout = entity.dimse_timeout = 30
    entity.add_requested_context(MPPS)
    association = entity.associate("127.0.0.1", stage.node.port, ae_title="QAGATE")
    assert association.is_established
    yield association
    association.release()


def _begin(stage: Stage, step: str) -> int:
    with _scanner(stage) as association:
        status, _ = association.send_n_create(creation(), MPPS, step)
    return int(status.Status)


def _end(stage: Stage, step: str, word: str, listed: dict[str, list[str]]) -> int:
    with _scanner(stage) as association:
        status, _ = association.send_n_set(ending(word, *listed.items()), MPPS, step)
    return int(status.Status)


def _uids(images: list[Dataset]) -> list[str]:
    return [str(image.SOPInstanceUID) for image in images]


def _step(number: int) -> str:
    return f"{uid(number)}.77"


@scenario(
    "list-waits-for-the-last",
    "the scanner lists four images: three are not taken for all",
    LISTS,
    fast=True,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    assert _begin(stage, _step(number)) == 0
    assert _end(stage, _step(number), "COMPLETED", {uid(number): _uids(images)}) == 0
    stage.sender.send(images[:3])
    time.sleep(2.5)  # the quiet time is long over
    assert stage.state(number)[0] in ("", "receiving")  # "": the database has not heard of it yet
    stage.sender.send(images[3:])
    stage.at_end(number)
    assert stage.state(number)[1] == 1
    assert stage.completed_by(number) == "mpps"


@scenario("list-of-what-never-comes", "one image of the list never comes: judged without it, and said", LISTS)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    _begin(stage, _step(number))
    _end(stage, _step(number), "COMPLETED", {uid(number): _uids(images)})
    stage.sender.send(images[:3])
    stage.at_end(number)
    assert "incomplete_series" in stage.findings(number)[-1]


@scenario("list-of-nothing", "the scanner lists a series of which nothing comes: nothing waits for it", LISTS)
def _(stage: Stage) -> None:
    number, nothing = stage.new(), stage.new()
    images = stage.made(number)
    _begin(stage, _step(number))
    listed = {uid(number): _uids(images), uid(nothing): _uids(stage.made(nothing))}
    _end(stage, _step(number), "COMPLETED", listed)
    stage.sender.send(images)
    stage.at_end(number)
    assert stage.completed_by(number) == "mpps"


@scenario("step-discontinued", "the scanner discontinues its step after two images", LISTS)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    _begin(stage, _step(number))
    stage.sender.send(images[:2])
    _end(stage, _step(number), "DISCONTINUED", {uid(number): _uids(images[:2])})
    stage.at_end(number)


@scenario("step-never-ends", "the scanner begins a step and never ends it", LISTS)
def _(stage: Stage) -> None:
    number = stage.new()
    _begin(stage, _step(number))
    stage.sender.send(stage.made(number))
    stage.at_end(number)


@scenario(
    "list-first-and-crash", "the list comes first, the receiver dies, then come the images", LISTS, databases=BOTH
)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 4)
    _begin(stage, _step(number))
    _end(stage, _step(number), "COMPLETED", {uid(number): _uids(images)})
    stage.node.kill("receive")
    time.sleep(0.2)
    stage.node.ready()
    stage.sender.send(images)
    stage.at_end(number)
    assert stage.completed_by(number) == "mpps"


@scenario("gapless", "slices without a gap on a closed association are judged at once", EARLY)
def _(stage: Stage) -> None:
    number = stage.send(6)
    stage.at_end(number, seconds=60)
    assert stage.completed_by(number) == "contiguous"


@scenario("archive-has-more", "the archive has more images than came: waited for, then said", COUNTS)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 5)
    _put(stage, images)
    stage.sender.send(images[:3])
    stage.at_end(number)
    assert "incomplete_series" in stage.findings(number)[-1]


@scenario("archive-has-as-many", "the archive has as many: complete by its word", COUNTS)
def _(stage: Stage) -> None:
    number = stage.new()
    images = stage.made(number, 3)
    _put(stage, images)
    stage.sender.send(images)
    stage.at_end(number)
    assert stage.completed_by(number) == "archive"


@scenario("archive-silent", "the archive never answers the question: judged all the same", SILENT)
def _(stage: Stage) -> None:
    stage.pacs.silent.set()
    try:
        number = stage.send()
        stage.wait(lambda: stage.state(number)[0] not in ("", "receiving"), "it to be complete")
    finally:
        stage.pacs.well()
    stage.at_end(number)


def _put(stage: Stage, images: list[Dataset]) -> None:
    """Put images into the archive past the node, as a scanner that sends to both does."""
    entity: Any = Requestor("SCANNER")
    entity.add_requested_context(images[0].SOPClassUID, images[0].file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", stage.pacs.port, ae_title="MINIPACS")
    for image in images:
        assert association.send_c_store(image).Status == 0
    association.release()
