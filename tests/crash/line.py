"""A bad line: a TCP relay that cuts, stalls or crawls."""

from __future__ import annotations

import select
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType


class Line:
    """Relays one port to another; use as a context manager.

    `cut_after`: each connection is reset after so many bytes towards the server. `stall_after`: nothing is passed on
    any more after so many. `bytes_per_second`: towards the server; 0 is as fast as can be.
    """

    def __init__(self, to: int, *, port: int = 0) -> None:
        self._to = to
        self._server = socket.create_server(("127.0.0.1", port), backlog=64)
        self.port = int(self._server.getsockname()[1])
        self.cut_after: int | None = None
        self.stall_after: int | None = None
        self.bytes_per_second = 0
        self.cuts = 0
        self._closed = threading.Event()

    def __enter__(self) -> Line:
        """Listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cut everything."""
        self._closed.set()
        self._server.close()

    def _accept(self) -> None:
        while not self._closed.is_set():
            try:
                near, _ = self._server.accept()
                far = socket.create_connection(("127.0.0.1", self._to), timeout=5)
            except OSError:
                continue
            far.settimeout(None)
            threading.Thread(target=self._there, args=(near, far), daemon=True).start()
            threading.Thread(target=self._back, args=(far, near), daemon=True).start()

    def _there(self, near: socket.socket, far: socket.socket) -> None:
        passed = 0
        with suppress(OSError):
            while piece := near.recv(self.bytes_per_second or 4096):
                passed += len(piece)
                if self.cut_after is not None and passed > self.cut_after:
                    self.cuts += 1
                    _reset(near)
                    _reset(far)
                    return
                if self.stall_after is not None and passed > self.stall_after:
                    while self.stall_after is not None and not self._closed.wait(0.05):
                        pass
                    _reset(near)
                    _reset(far)
                    return
                far.sendall(piece)
                if self.bytes_per_second:
                    time.sleep(1)
            far.shutdown(socket.SHUT_WR)

    def _back(self, far: socket.socket, near: socket.socket) -> None:
        with suppress(OSError, ValueError):
            while True:
                # who waits in recv keeps a socket open that another thread closes: the reset would never be sent
                if not select.select([far], [], [], 0.05)[0]:
                    continue
                if not (piece := far.recv(4096)):
                    break
                near.sendall(piece)
            near.shutdown(socket.SHUT_WR)


def _reset(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
