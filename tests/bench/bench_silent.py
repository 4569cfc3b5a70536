"""How long a good peer waits while others say nothing: C-ECHO and C-STORE beside silent TCP and TLS clients.

    python -m tests.bench.bench_silent [--silent 40] [--rounds 20]

Each round is a new association with C-ECHO and one C-STORE. Of the silent clients all but two have only connected; one
has agreed on TLS and says nothing, one has stopped in the middle of agreeing. Returns 1 when a round took two seconds
or more.
"""

from __future__ import annotations

import argparse
import contextlib
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pynetdicom.association import Association
from pynetdicom.sop_class import CTImageStorage, Verification  # type: ignore[attr-defined]

from tests.unit.certificates import Authority
from tests.unit.receive.scanner import associate, make_object, receiving, silent_clients
from tests.unit.receive.test_tls import associate_with_tls, client, first_flight, node_tls

LIMIT_SECONDS = 2.0


def _round(open_one: Callable[[], Association]) -> float:
    begun = time.monotonic()
    association = open_one()
    assert association.is_established
    assert association.send_c_echo().Status == 0x0000
    assert association.send_c_store(make_object(PixelData=bytes(524_288), BitsAllocated=16)).Status == 0x0000
    association.release()
    return time.monotonic() - begun


def _measure(rounds: int, silent: int, *, tls: bool) -> list[float]:
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as clients:
        authority = Authority(Path(folder))
        context = client(authority, authority.issue("scanner"))
        more = {"tls": node_tls(authority)} if tls else {}
        with receiving(Path(folder) / "spool", **more) as (receiver, _):
            if silent:
                for each in silent_clients(receiver.port, silent):
                    clients.enter_context(each)
                half = clients.enter_context(socket.create_connection(("127.0.0.1", receiver.port), 10))
                half.sendall(first_flight(context))
                if tls:
                    plain = socket.create_connection(("127.0.0.1", receiver.port), 10)
                    clients.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))

            def open_one() -> Association:
                if tls:
                    return associate_with_tls(receiver.port, context)
                return associate(receiver.port, Verification, CTImageStorage)

            return [_round(open_one) for _ in range(rounds)]


def main() -> int:
    """Measure with and without silent clients, on a plain port and on one with TLS."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--silent", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    worst = 0.0
    print("port    silent  rounds  median ms  longest ms")
    for tls in (False, True):
        for silent in (0, asked.silent):
            took = _measure(asked.rounds, silent, tls=tls)
            worst = max(worst, *took)
            words = "TLS" if tls else "plain"
            print(f"{words:6} {silent:7} {len(took):7} {statistics.median(took) * 1e3:10.0f} {max(took) * 1e3:11.0f}")
    return int(worst >= LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
