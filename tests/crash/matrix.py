"""The whole matrix: a kill at every point, then kills at random under load, and a ledger over all of it."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from tests.crash.killing import FORWARD, POINTS
from tests.crash.ledger import Ledger, account
from tests.crash.node import Node
from tests.crash.pacs import Pacs
from tests.crash.sending import Sender, in_background, series
from tests.peers.dcmtk import free_port

AFTER_A_DEATH = {"adopting": "linked 1", "adopted": "linked 1"}
"""Points that only come after another death: what kills first."""


@contextmanager
def world(folder: Path, database_url: str | None = None, *, inline: bool = True) -> Iterator[tuple[Node, Pacs, Sender]]:
    """Start a PACS that promises to keep what it gets, a node, and a sender.

    inline: the node stands in front of the PACS, holds images for at most ten seconds and forwards them.
    """
    port = free_port()
    with ExitStack() as stack:
        pacs = stack.enter_context(Pacs(0, folder / "pacs", commitment_peer=("127.0.0.1", port)))
        destination = {
            "name": "PACS", "ae_title": "MINIPACS", "host": "127.0.0.1", "port": pacs.port, "commitment": True,
            "timeout_seconds": 10, "originals": inline,
        }  # fmt: skip
        node = stack.enter_context(
            Node(
                folder / "node",
                destinations=[destination],
                policies=[{"name": "gate", "action": "hold", "hold_seconds": 10}] if inline else (),
                database_url=database_url,
                port=port,
            )
        )
        yield node, pacs, Sender(port)


def kill_at(point: str, number: int, node: Node, sender: Sender) -> None:
    """Send one series, and let its journey end where a point is."""
    images = series(number)
    if point in AFTER_A_DEATH:
        node.armed.arm(AFTER_A_DEATH[point], f"{point} 1")
        sender.once(list(images))
        node.wait_for_death()  # before the sender comes back: else there may be no orphan any more
        sender.send(images)
        return
    node.armed.arm(f"{point} 1")
    sender.send(images)
    node.wait_for_death()


def every_point(folder: Path, points: Sequence[str], database_url: str | None = None) -> tuple[Ledger, int]:
    """Kill once at each point; returns the ledger and how many deaths there were."""
    inline = any(POINTS[point].process == FORWARD or point == "intended" for point in points)
    with world(folder, database_url, inline=inline) as (node, pacs, sender):
        for number, point in enumerate(points, start=1):
            kill_at(point, number, node, sender)
            with suppress(AssertionError):  # no series is to be there for more than one death
                node.wait_for_end(number, 60)
        with suppress(AssertionError):  # the ledger says what is not at its end
            node.wait_for_end(len(points), 240)
        return (
            account(sender.promises, node.settings, node.database_url, pacs.objects()),
            sum(node.deaths.values()),
        )


def at_random(
    folder: Path, kills: int, database_url: str | None = None, *, seed: int = 1, seconds: float = 3600
) -> tuple[Ledger, int]:
    """Kill while series keep coming; returns the ledger and how many deaths there were.

    A series that was being judged in too many deaths in a row may be set aside: that is what a person would want of a
    series that kills. It is counted, and no fault.
    """
    chance = random.Random(seed)
    stop = threading.Event()
    numbers = iter(range(1, 1_000_000))
    lock = threading.Lock()
    begun: list[int] = []

    with world(folder, database_url) as (node, pacs, sender):

        def send() -> None:
            own = random.Random(chance.random())
            while not stop.is_set():
                with lock:
                    number = next(numbers)
                    begun.append(number)
                sender.send(series(number, own.choice((1, 3, 4))), restart=own.random() < 0.5)
                stop.wait(own.uniform(0, 4))

        threads = in_background(send, send)
        end = time.monotonic() + seconds
        while sum(node.deaths.values()) < kills and time.monotonic() < end:
            process = chance.choice(node.processes)
            points = [p.name for p in POINTS.values() if p.process == process and p.name not in AFTER_A_DEATH]
            if chance.random() < 0.5:
                # somewhere near a line that matters
                node.armed.arm(f"{chance.choice(points)} {chance.choice((1, 1, 2, 3))}")
                deadline = time.monotonic() + 8
                while node.armed.lines() and time.monotonic() < deadline:
                    time.sleep(0.05)
                node.armed.arm()
            else:
                time.sleep(chance.uniform(0, 3))
                node.kill(process)
            if chance.random() < 0.8:  # else the next death comes while it starts
                node.ready()
        stop.set()
        for thread in threads:
            thread.join(130)
        node.ready()
        with suppress(AssertionError):
            node.wait_for_end(len(begun), 600)
        set_aside = [f"{series(number, 1)[0].SeriesInstanceUID}" for number in begun]
        return (
            account(sender.promises, node.settings, node.database_url, pacs.objects(), set_aside=set_aside),
            sum(node.deaths.values()),
        )
