"""The table of commands."""

from __future__ import annotations

import typer

from qagate import __version__
from qagate.cli import backfill, backup, files, holding, labels, node, people, upkeep

app = typer.Typer(
    name="qagate",
    help="Says whether a CT or MR series is good enough to read, while the patient is still on the table.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"qagate {__version__}")
        raise typer.Exit


@app.callback()
def top(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and stop."
    ),
) -> None:
    """Hold the options that come before the command."""


app.command(rich_help_panel="Run")(node.serve)
app.command(rich_help_panel="Run")(node.receive)
app.command(rich_help_panel="Run")(node.forward)
app.command(rich_help_panel="Run")(node.work)
app.command(rich_help_panel="Run")(node.web)
app.command(rich_help_panel="Try")(node.demo)
app.command(rich_help_panel="Try")(files.score)
app.command(rich_help_panel="Try")(files.explain)
app.command(rich_help_panel="Run")(files.process)
app.command(rich_help_panel="Look after")(upkeep.init)
app.command(rich_help_panel="Look after")(upkeep.check)
app.command(rich_help_panel="Look after")(upkeep.status)
app.command(rich_help_panel="Look after")(upkeep.requeue)
app.command("give-up", rich_help_panel="Look after")(upkeep.give_up)
app.command(rich_help_panel="Look after")(backup.backup)
app.command(rich_help_panel="Look after")(backup.restore)
app.command(rich_help_panel="Look after")(holding.release)
app.command(rich_help_panel="Look after")(holding.reject)
app.add_typer(backfill.backfill, name="backfill", rich_help_panel="Run")
app.add_typer(people.user, name="user", rich_help_panel="Look after")
app.add_typer(people.token, name="token", rich_help_panel="Look after")
app.add_typer(labels.labels, name="labels", rich_help_panel="Model")
app.command(
    rich_help_panel="Model",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)(files.train)
