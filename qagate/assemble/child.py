"""Decoders in processes of their own.

A broken stream can end the process that decodes it (GDCM aborts on some), or keep it busy for ever. Here that costs one
frame. Two processes also use two cores, which threads do not: most decoders keep Python's lock.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import select
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from qagate.assemble.jpeg_extended import decode_extended
from qagate.assemble.values import MALFORMED
from qagate.errors import UnreadablePixels

Array = npt.NDArray[Any]
TIMEOUT_SECONDS = 120.0
"""Longer than the slowest decoder takes for the largest frame (JPEG 2000, 8192 x 8192: half a minute)."""
WORKED_SECONDS = 60.0
"""Processor time after which a decoder is given up: on a crowded machine one may wait for most of its time."""
LONGEST_SECONDS = 1200.0
"""After this a decoder is given up even if it did nothing all the time."""
ADDRESS_SPACE_BYTES = 6 << 30
OWN = "qagate"
"""Stands among the names of plugins for `jpeg_extended`."""
_START = struct.Struct("<LQ")


def decode(code: bytes, syntax: str, plugins: tuple[str, ...], options: dict[str, Any]) -> Array:
    """Decode one frame here, with the first plugin that can. Raises UnreadablePixels."""
    problem: BaseException | None = None
    for plugin in plugins:
        try:
            if plugin == OWN:
                return decode_extended(code)
            decoder = get_decoder(UID(syntax))
            whole = encapsulate([code], has_bot=False)
            array: Array = decoder.as_array(whole, index=0, decoding_plugin=plugin, **options)[0]
            return array
        except MALFORMED as error:
            problem = error
        except BaseException as error:
            # A panic of the RLE decoder (Rust) is no Exception, and its class cannot be imported.
            if type(error).__name__ != "PanicException":
                raise
            problem = error
    what = f"{type(problem).__name__}: {' '.join(str(problem).split())[:160]}"
    raise UnreadablePixels(f"the pixel data cannot be decoded, got {what}")


class Decoders:
    """Up to `size` child processes, started when first needed. Any thread may call `decode`."""

    def __init__(self, size: int = 2) -> None:
        self._idle: queue.LifoQueue[_Child | None] = queue.LifoQueue()
        for _ in range(size):
            self._idle.put(None)
        self._size = size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def decode(self, code: bytes, syntax: str, plugins: tuple[str, ...], options: dict[str, Any]) -> Array:
        """Decode one frame in a child. Raises UnreadablePixels, also when the child died of it or took too long."""
        child = self._idle.get()
        try:
            if child is None:
                child = _Child()
            return child.decode(code, syntax, plugins, options)
        except (OSError, EOFError) as error:
            if child is not None:
                child.end()
                child = None
            raise UnreadablePixels(f"the decoder gave up on this frame, got {type(error).__name__}: {error}") from None
        finally:
            self._idle.put(child)

    def close(self) -> None:
        """End the children; they start again when needed."""
        children = [self._idle.get() for _ in range(self._size)]
        for child in children:
            if child is not None:
                child.end()
            self._idle.put(None)


class _Child:
    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "qagate.assemble.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            bufsize=0,
        )

    def decode(self, code: bytes, syntax: str, plugins: tuple[str, ...], options: dict[str, Any]) -> Array:
        """Send, wait, receive. Raises UnreadablePixels; OSError or EOFError when the child is gone or silent."""
        deadline = _Deadline(self._process.pid)
        head = json.dumps({"syntax": syntax, "plugins": plugins, "options": options}).encode()
        assert self._process.stdin is not None
        _write(self._process.stdin, _START.pack(len(head), len(code)) + head + code)
        size, length = _START.unpack(self._take(_START.size, deadline))
        answer = json.loads(bytes(self._take(size, deadline)))
        body = self._take(length, deadline)
        if "error" in answer:
            raise UnreadablePixels(answer["error"])
        return np.frombuffer(body, answer["dtype"]).reshape(answer["shape"])

    def _take(self, length: int, deadline: _Deadline) -> bytearray:
        assert self._process.stdout is not None
        out = bytearray(length)
        view, done = memoryview(out), 0
        while done < length:
            if not select.select([self._process.stdout], [], [], deadline.left())[0]:
                if deadline.passed():
                    raise TimeoutError(f"no answer within {TIMEOUT_SECONDS:g} s")
                continue
            count = self._process.stdout.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                raise EOFError("the decoder process ended")
            done += count
        return out

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


class _Deadline:
    """When to give a process up: after `TIMEOUT_SECONDS`, unless it has hardly been given a processor since."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._begun = time.monotonic()
        self._worked = _processor_seconds(pid)

    def left(self) -> float:
        """Return the seconds to wait before asking again."""
        return max(1.0, self._begun + TIMEOUT_SECONDS - time.monotonic())

    def passed(self) -> bool:
        waited = time.monotonic() - self._begun
        if waited < TIMEOUT_SECONDS:
            return False
        return waited > LONGEST_SECONDS or _processor_seconds(self._pid) - self._worked > WORKED_SECONDS


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process, 0 where that cannot be known (proc(5): fields 14 and 15 of stat)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _write(pipe: Any, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[pipe.write(view) :]


def _serve(source: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the parent closes the pipe."""
    while len(start := source.read(_START.size)) == _START.size:
        size, length = _START.unpack(start)
        asked, code = json.loads(source.read(size)), source.read(length)
        body = b""
        try:
            array = decode(code, asked["syntax"], tuple(asked["plugins"]), asked["options"])
            body = np.ascontiguousarray(array).tobytes()
            answer = {"dtype": array.dtype.str, "shape": array.shape}
        except UnreadablePixels as error:
            answer = {"error": str(error)}
        head = json.dumps(answer).encode()
        answers.write(_START.pack(len(head), len(body)) + head + body)
        answers.flush()


def _main() -> None:
    import logging

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    _main()
