"""Progress: what a long command says while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


def teller() -> Callable[[str], None]:
    """Return what tells how far a command is, on standard error behind the seconds since now."""
    started = time.monotonic()

    def tell(text: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {text}", file=sys.stderr, flush=True)

    return tell
