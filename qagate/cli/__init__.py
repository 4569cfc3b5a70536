"""The `qagate` command. Each command imports its rooms when it runs, so that `--help` and `receive` start fast."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec

import typer

from qagate.errors import QagateError

P = ParamSpec("P")

BAD_INPUT = 2
"""Exit code when what was asked cannot be done as it was asked; the line before says why and what to do."""

NOT_NOW = 1
"""Exit code when the same may succeed later: a disk or a database is away. Who started it may start it again."""


def plain_errors(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors raised on purpose into one line on standard error and an exit code: never a traceback."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except QagateError as error:
            typer.echo(f"qagate: {error}", err=True)
            raise typer.Exit(NOT_NOW if error.retryable else BAD_INPUT) from None
        except BrokenPipeError:  # `qagate score ... | head`
            sys.stderr.close()
            raise typer.Exit(0) from None

    return run


def main() -> None:
    """Run the command line."""
    from qagate.cli.commands import app

    app()
