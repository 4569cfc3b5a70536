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
        deadline = time.monotonic() + TIMEOUT_SECONDS
        head = json.dumps({"syntax": syntax, "plugins": plugins, "options": options}).encode()
        assert self._process.stdin is not None
        _write(self._process.stdin, _START.pack(len(head), len(code)) + head + code)
        size, length = _START.unpack(self._take(_START.size, deadline))
        answer = json.loads(bytes(self._take(size, deadline)))
        body = self._take(length, deadline)
        if "error" in answer:
            raise UnreadablePixels(answer["error"])
        return np.frombuffer(body, answer["dtype"]).reshape(answer["shape"])

    def _take(self, length: int, deadline: float) -> bytearray:
        assert self._process.stdout is not None
        out = bytearray(length)
        view, done = memoryview(out), 0
        while done < length:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
                raise TimeoutError(f"no answer within {TIMEOUT_SECONDS:g} s")
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
