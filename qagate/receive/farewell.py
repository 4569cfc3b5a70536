"""Farewells: telling no to connections that were one too many."""

from __future__ import annotations

import contextlib
import socket
import time

_READ_BYTES = 1 << 18

_SILENT_SECONDS = 1.0
"""Who has not asked by then is told all the same."""

_LINGER_SECONDS = 10.0
_FOR_EVER_SECONDS = 86_400.0
_MOST = 64

# A-ASSOCIATE-RJ: transient, by the provider (presentation), local limit exceeded; PS3.8 Table 9-21
_TURNED_AWAY = b"\x03\0\0\0\0\4\0\2\3\2"


class _Refused:
    """A connection that was one too many, until its peer has been told. until: when it is told without having asked."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self.told = False
        self._until = until
        self._connection = connection

    def answer(self, words: bytes, *, now: float) -> bool:
        """Answer if the peer has asked, or its time is over; say whether the connection is closed now.

        Who was told stays for a while: it may ask only now, and closing would lose it the answer with a reset.
        """
        asked, gone = False, now >= self._until + _LINGER_SECONDS
        try:
            for _ in range(4):
                if not self._connection.recv(_READ_BYTES):
                    gone = True
                    break
                asked = True
        except BlockingIOError:
            pass
        except OSError:
            gone = True
        if (asked or gone or now >= self._until) and not self.told:
            self.told = True
            with contextlib.suppress(OSError):
                self._connection.send(words)
                self._connection.shutdown(socket.SHUT_WR)
        if gone:
            self._connection.close()
        return gone


class Farewells:
    """The connections that are being told no once they have asked; answering or closing at once might be lost on them.

    tls: they expect a handshake, and cannot be told anything.
    """

    def __init__(self, *, tls: bool) -> None:
        self._words = b"" if tls else _TURNED_AWAY
        self._leaving: list[_Refused] = []

    def add(self, connection: socket.socket) -> None:
        """Take over a connection."""
        connection.setblocking(False)
        self._leaving.append(_Refused(connection, time.monotonic() + _SILENT_SECONDS))
        if len(self._leaving) > _MOST:
            first = next((one for one in self._leaving if one.told), self._leaving[0])
            first.answer(self._words, now=time.monotonic() + _FOR_EVER_SECONDS)
            self._leaving.remove(first)

    def say(self, *, everybody: bool = False) -> None:
        """Tell those whose turn it is; everybody: we stop listening, and all are told and let go."""
        now = time.monotonic() + (_FOR_EVER_SECONDS if everybody else 0)
        self._leaving = [one for one in self._leaving if not one.answer(self._words, now=now)]
