"""Speaker: what the demo says in the terminal, line by line."""

from __future__ import annotations

from typing import TextIO

_CLEAR = "\r\x1b[K"


class Speaker:
    """Prints lines at once, or nothing at all. colour: whether `out` is a terminal."""

    def __init__(self, out: TextIO, *, quiet: bool) -> None:
        self.out, self.quiet = out, quiet
        self.colour = not quiet and out.isatty()

    def __call__(self, line: str) -> None:
        """Print one line."""
        if not self.quiet:
            print(f"{_CLEAR}{line}" if self.colour else line, file=self.out, flush=True)

    def passing(self, text: str) -> None:
        """Show a text that the next line takes the place of; only on a terminal."""
        if self.colour:
            print(f"{_CLEAR}{text}", end="", file=self.out, flush=True)
