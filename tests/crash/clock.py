"""A wall clock that a test sets, for the processes of one node: a small library that is preloaded into them."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

_LOOK_SECONDS = 0.05


def available() -> bool:
    """Say whether there is a C compiler to make the library with."""
    return shutil.which("cc") is not None


@cache
def library() -> Path:
    """Make the library, once; returns its file."""
    made = Path(tempfile.mkdtemp(prefix="clock-")) / "clock.so"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"], check=True)
    return made


def say(file: Path, seconds: float) -> None:
    """Let the clocks that follow a file differ from the machine's by so many whole seconds."""
    part = file.with_suffix(".part")
    part.write_text(f"{seconds:.0f}\n")
    os.replace(part, file)
    time.sleep(4 * _LOOK_SECONDS)  # they have seen it


def follow(file: Path) -> None:
    """In a process with the library: let its clock be what the file says, from now on."""
    shift = getattr(ctypes.CDLL(None), "shift_clock", None)
    if shift is None:
        return

    def watch() -> None:
        said = ""
        while True:
            try:
                now = file.read_text()
            except FileNotFoundError:
                now = ""
            if now.strip() and now != said:
                shift(ctypes.c_long(int(now)))
                said = now
            time.sleep(_LOOK_SECONDS)

    threading.Thread(target=watch, daemon=True).start()
