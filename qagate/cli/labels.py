"""Commands about what people said of series: labels export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qagate.cli import plain_errors
from qagate.cli.options import Config, database_of_the_node, settings_from

labels = typer.Typer(help="What people said of series, for fine-tuning.", no_args_is_help=True)


@labels.callback()
def top() -> None:
    """Hold the commands below, also while there is only one."""


@labels.command()
@plain_errors
def export(
    folder: Annotated[Path, typer.Argument(help="Where labels.csv and the volumes go.")],
    config: Config = None,
) -> None:
    """Write what people said, with the volumes, as `qagate train finetune --index FOLDER/labels.csv` reads it."""
    from qagate.work import labels as work

    settings = settings_from(config)
    database = database_of_the_node(settings)
    number, problems = work.export(settings, database, folder)
    database.close()
    for problem in problems:
        typer.echo(f"qagate: {problem}", err=True)
    typer.echo(f"{number} labels in {folder / 'labels.csv'}")
