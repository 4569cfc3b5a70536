"""A slow line to a destination."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_PIECE_BYTES = 1 << 16


@contextmanager
def slow_line(port: int, *, bytes_per_second: float, stops_after: int = 1 << 62) -> Iterator[int]:
    """Carry one connection to a port of this machine, slowly on the way there; yields the port of the near end.

    stops_after: bytes after which nothing more is carried, and nothing is closed either.
    """
    over = threading.Event()
    with socket.socket() as near, socket.create_connection(("127.0.0.1", port)) as far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _PIECE_BYTES)
        near.bind(("127.0.0.1", 0))
        near.listen()

        def carry() -> None:
            with suppress(OSError):
                sender, _ = near.accept()
                with sender:
                    back = threading.Thread(target=_pump, args=(far, sender, float("inf"), 1 << 62, over))
                    back.start()
                    _pump(sender, far, bytes_per_second, stops_after, over)
                    over.wait(30)
                far.shutdown(socket.SHUT_RDWR)
                back.join()

        thread = threading.Thread(target=carry)
        thread.start()
        try:
            yield near.getsockname()[1]
        finally:
            over.set()
            near.close()
            thread.join()


def _pump(source: socket.socket, target: socket.socket, rate: float, most: int, over: threading.Event) -> None:
    with suppress(OSError):
        while most > 0 and (piece := source.recv(_PIECE_BYTES)):
            most -= len(piece)
            time.sleep(len(piece) / rate)
            target.sendall(piece)
        if most > 0:
            over.set()
