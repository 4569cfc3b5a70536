"""Commands that copy the node's memory away and put it back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qagate.cli import plain_errors
from qagate.cli.options import Config, settings_from


@plain_errors
def backup(
    target: Annotated[Path, typer.Argument(help="A new or empty folder; it will hold patient data.")],
    config: Config = None,
) -> None:
    """Copy database, spool, outbox, pictures and the list of settings; the node may go on running."""
    from qagate.clock import SystemClock
    from qagate.work.backup import backup as make

    made = make(settings_from(config), target, SystemClock())
    typer.echo(f"{target}: {made.files} files, {made.bytes / 1e6:.1f} MB, as of {made.made_at:%Y-%m-%d %H:%M:%S} UTC")


@plain_errors
def restore(
    source: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    config: Config = None,
) -> None:
    """Put a backup back into an empty data folder and an empty database; every digest is checked first."""
    from qagate.work.backup import restore as put_back

    settings = settings_from(config)
    made = put_back(settings, source)
    typer.echo(
        f"{settings.storage.data_dir}: {made.files} files as of {made.made_at:%Y-%m-%d %H:%M:%S} UTC are back; "
        "start the node, and it goes on where it was"
    )
