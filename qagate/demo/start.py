"""Start the demo with the real node: what `qagate demo` calls."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import TextIO

from qagate.demo.run import run
from qagate.demo.served import ServedNode


def start(*, folder: Path | None, once: bool, as_json: bool, out: TextIO) -> int:
    """Run the demo and return its exit code; see `run`.

    Raises QagateError when the node cannot start or the folder holds no DICOM file.
    """
    # the demo prints what matters itself; pynetdicom's own lines would only stand between
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    for number in (signal.SIGTERM, signal.SIGHUP):  # ends in order, as Ctrl-C does; also when its window is closed
        signal.signal(number, signal.default_int_handler)
    return run(ServedNode, once=once, as_json=as_json, folder=folder, out=out)
