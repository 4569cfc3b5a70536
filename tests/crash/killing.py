"""kill -9 at a named line of the product, without a hook in the product.

`python -m tests.crash.killing POINT:N -- receive --config qagate.toml` runs a command of qagate and kills its process
when the N-th call of POINT is reached. Inside the tests, `install` wraps all points at once and a file says which of
them are armed: one line "POINT N [TEXT]" each. A line is taken out before it kills, so that it kills once; with N = 0
it stays and kills every time. TEXT narrows to calls whose arguments mention it.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkstemp
from typing import Any, Literal

RECEIVE, WORK, FORWARD = "receive", "work", "forward"


@dataclass(frozen=True, slots=True)
class Point:
    """One place to die. `target` is module:attribute; `only` says which calls of it count."""

    name: str
    process: str
    when: Literal["before", "after", "half"]
    target: str
    sentence: str
    only: Callable[[tuple[Any, ...]], bool]


def _any(arguments: tuple[Any, ...]) -> bool:
    return True


def _not_empty(arguments: tuple[Any, ...]) -> bool:
    return bool(arguments[1])


_RECEIVING = (
    ("torn", "half", "receive.spool:write_all", "half of the bytes are in the temporary file"),
    ("bytes", "after", "receive.spool:write_all", "all bytes are written, none synchronised"),
    ("synced", "after", "receive.spool:Spool._write", "the temporary file is synchronised"),
    ("linked", "after", "os:link", "the file has its name, its folder is not synchronised"),
    ("placed", "after", "receive.spool:Spool._place", "the object is durable, nobody knows"),
    ("kept", "after", "receive.storage:Storage._keep", "it is queued for the database, not answered"),
    ("answered", "after", "receive.provider:MessageProvider._serve", "the answer is on its way, no row yet"),
    ("batch", "before-some", "work.receiving:Registrar._write", "a batch of rows is about to be written"),
    ("row", "after", "store.reception:register", "a row is written, the transaction is open"),
    ("intended", "after", "store.routing:intend", "an image's way on is written, the transaction is open"),
    ("rows", "after-some", "work.receiving:Registrar._write", "a batch of rows is committed"),
    ("opened", "after", "store.reception:open_association", "an association is being recorded"),
    ("closed", "after", "store.reception:close_association", "an association's end is being recorded"),
    ("adopting", "before-some", "work.receiving:Registrar._register", "an orphan of the spool is about to be adopted"),
    ("adopted", "after-some", "work.receiving:Registrar._register", "an orphan of the spool has been adopted"),
    ("promise", "before", "work.opening:record", "a storage commitment is about to be recorded"),
    ("promised", "after", "work.opening:record", "a storage commitment is recorded, not answered"),
)  # fmt: skip
_WORKING = (
    ("completing", "after", "store.revisions:close_series", "a revision is written, the transaction is open"),
    ("complete", "before", "work.sweeps:Sweeps._enqueue", "a revision is committed, no workflow is written"),
    ("enqueued", "after", "work.sweeps:Sweeps._enqueue", "the workflow is written"),
    ("judge", "before", "work.pipeline:Pipeline.journey", "the workflow runs, nothing is done"),
    ("read", "after", "work.ahead:read_series", "the volumes are in memory"),
    ("assessed", "after", "work.ahead:assess", "the verdict is in memory"),
    ("pictures", "after", "work.pipeline:save", "the pictures are on disk"),
    ("recording", "after", "store.assessments:record", "the verdict is written, the transaction is open"),
    ("recorded", "after", "work.pipeline:Pipeline._record", "the verdict is committed, no document is built"),
    ("built", "after", "work.pipeline:build", "the documents are in memory"),
    ("document", "after", "work.pipeline:Pipeline._written", "a document is on disk, no row says so"),
    ("written", "before", "store.revisions:record_documents", "all documents are on disk, no row says so"),
    ("planning", "after", "store.revisions:record_documents", "the deliveries are written, the transaction is open"),
    ("reported", "after", "work.pipeline:Pipeline._report", "the deliveries are committed"),
    ("judged", "after", "work.pipeline:Pipeline.journey", "all is done, the engine does not know"),
    ("carry", "before", "work.delivering:Courier.carry", "a delivery runs, nothing is sent"),
    ("sending", "before", "work.delivering:deliver", "the documents are about to be sent"),
    ("one-sent", "after", "deliver.peer:Peer.send", "the destination took one document, the others wait"),
    ("sent", "after", "work.delivering:deliver", "the destination took all, no row says so"),
    ("marking", "after", "store.outbox:delivered", "a delivery is marked, the transaction is open"),
    ("marked", "after", "work.delivering:Courier._taken", "the deliveries are marked"),
    ("carried", "after", "work.delivering:Courier.carry", "all is done, the engine does not know"),
    ("asking", "after", "store.outbox:await_commitment", "a commitment is about to be asked for"),
    ("asked", "after", "work.committing:request", "a commitment has been asked for"),
)  # fmt: skip
_FORWARDING = (
    ("deciding", "before", "work.holding:on_arrival", "a new series is seen, nothing is decided"),
    ("holding", "after", "store.holding:hold", "a hold is written, the transaction is open"),
    ("held", "after", "work.holding:Holds._begin", "a hold is committed"),
    ("letting-go", "after", "store.holding:let_go", "a release is written, the transaction is open"),
    ("let-go", "after", "work.holding:Holds._let_go", "a release is committed"),
    ("claimed", "before", "work.forwarding:forward", "images are claimed, none is sent"),
    ("one-forwarded", "after", "deliver.peer:Peer.send", "the destination took one image, the others wait"),
    ("forwarded", "before-some", "work.forwarding:Lane._mark", "the destination took images, no row says so"),
    ("forward-marking", "after", "store.forwarding:sent", "images are marked, the transaction is open"),
    ("forward-marked", "after-some", "work.forwarding:Lane._mark", "images are marked"),
    ("forward-asking", "after", "store.forwarding:await_commitment", "a commitment is about to be asked for"),
    ("forward-asked", "after", "work.committing:request", "a commitment has been asked for"),
)  # fmt: skip

POINTS = {
    name: Point(
        name,
        process,
        when.removesuffix("-some"),  # type: ignore[arg-type]
        target if target.startswith("os:") else f"qagate.{target}",
        sentence,
        _not_empty if when.endswith("-some") else _any,
    )
    for process, table in ((RECEIVE, _RECEIVING), (WORK, _WORKING), (FORWARD, _FORWARDING))
    for name, when, target, sentence in table
}
"""Where a process can be killed, in the order in which an object comes past."""


@dataclass(slots=True)
class Armed:
    """The file that says which points kill now."""

    path: Path

    def arm(self, *lines: str) -> None:
        """Set what kills from now on; "POINT N [TEXT]" each."""
        descriptor, name = mkstemp(dir=self.path.parent)
        with os.fdopen(descriptor, "w") as file:
            file.write("".join(f"{line}\n" for line in lines))
        os.replace(name, self.path)

    def lines(self) -> list[str]:
        """Return what is armed and has not killed yet."""
        try:
            return self.path.read_text().splitlines()
        except FileNotFoundError:
            return []

    def reached(self, point: str, arguments: tuple[Any, ...], calls: Counter[str]) -> bool:
        """Say whether this call of a point kills; counts it, and takes a line that kills once out of the file."""
        for line in self.lines():
            name, number, *text = line.split()
            if name != point or (text and text[0] not in repr(arguments)):
                continue
            calls[line] += 1
            if number == "0":
                return True
            if calls[line] == int(number):
                self.arm(*(other for other in self.lines() if other != line))
                return True
        return False


def install(armed: Armed, process: str) -> None:
    """Wrap every point of one kind of process."""
    calls: Counter[str] = Counter()
    for point in POINTS.values():
        if point.process == process:
            owner, name = _place(point.target)
            setattr(owner, name, _wrapped(getattr(owner, name), point, armed, calls))


def _place(target: str) -> tuple[Any, str]:
    module, _, path = target.partition(":")
    owner: Any = importlib.import_module(module)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    return owner, name


def _wrapped(function: Callable[..., Any], point: Point, armed: Armed, calls: Counter[str]) -> Callable[..., Any]:
    def dies(arguments: tuple[Any, ...]) -> bool:
        return point.only(arguments) and armed.reached(point.name, arguments, calls)

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        if point.when == "half" and dies(arguments):
            _tear(*arguments)
        if point.when == "before" and dies(arguments):
            die(point)
        result = function(*arguments, **named)
        if point.when == "after" and dies(arguments):
            die(point)
        return result

    return wrapper


def _tear(descriptor: int, parts: Sequence[bytes | memoryview]) -> None:
    whole = b"".join(bytes(part) for part in parts)
    os.write(descriptor, whole[: len(whole) // 2])
    die(POINTS["torn"])


def die(point: Point) -> None:
    """End this process as a power cut would."""
    os.write(2, f"killed at {point.name}: {point.sentence}\n".encode())
    os.kill(os.getpid(), signal.SIGKILL)


def run(process: str, arguments: Sequence[str], armed: Armed) -> None:
    """Run a command of qagate in this process, with its points installed."""
    from qagate.cli import main

    install(armed, process)
    sys.argv = ["qagate", process, *arguments]
    main()


def _main() -> None:
    where, separator, process, *arguments = sys.argv[1:]
    point, _, number = where.partition(":")
    if separator != "--" or point not in POINTS or POINTS[point].process != process:
        sys.exit(f"usage: python -m tests.crash.killing POINT:N -- receive|work ...; points: {' '.join(POINTS)}")
    descriptor, name = mkstemp(prefix="armed-")
    os.close(descriptor)
    armed = Armed(Path(name))
    armed.arm(f"{point} {number or 1}")
    run(process, arguments, armed)


if __name__ == "__main__":
    _main()
