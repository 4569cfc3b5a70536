"""The pages of docs/ that are made from the code: settings, commands, routes, conformance. `make docs` writes them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import typer

from qagate.cli.conformance import conformance_page
from qagate.cli.template import settings_template

NOTE = "<!-- Made by `make docs` from the code; a test fails when it is not. -->\n\n"


def settings_page() -> str:
    """Return docs/settings.md."""
    intro = (
        "# Settings\n\n"
        + NOTE
        + "`qagate init` writes this file. It is found with `--config`, in `QAGATE_CONFIG`, or as "
        "`./qagate.toml`.\nPrecedence: environment over file over defaults. `qagate check` tells whether it works.\n\n"
    )
    return intro + "```toml\n" + settings_template() + "```\n"


def commands_page() -> str:
    """Return docs/commands.md."""
    from qagate.cli.commands import app

    group: Any = typer.main.get_command(app)
    lines = [
        "# Commands\n\n"
        + NOTE
        + "`qagate COMMAND --help` says the same. Exit codes: 0 done; 1 something is not as it should be;",
        "2 what was asked cannot be done as asked, and one line says why and what to do;",
        "3 stopped before the end, and the same command goes on from there (`qagate backfill run`).\n",
    ]
    for name, command in _commands(group):
        lines.append(f"## qagate {name}\n\n{(command.help or '').strip()}\n")
        lines += _parameters(command)
    return "\n".join(lines)


def _commands(group: Any) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from ((f"{name} {inner}", one) for inner, one in _commands(command))
        else:
            yield name, command


def _parameters(command: Any) -> list[str]:
    rows = []
    for parameter in command.params:
        names = ", ".join(f"`{n}`" for n in (*parameter.opts, *parameter.secondary_opts))
        text = getattr(parameter, "help", None) or ""
        if names and names != "`--help`":
            rows.append(f"| {names if parameter.param_type_name == 'option' else f'`{parameter.name}`'} | {text} |")
    return ["| | |", "|---|---|", *rows, ""] if rows else []


def routes_page() -> str:
    """Return docs/routes.md."""
    from fastapi.routing import APIRoute

    from qagate.web.app import ROUTERS

    rows = []
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute):
                what = (route.endpoint.__doc__ or "").strip().splitlines()[0]
                rows.append(f"| `{' '.join(sorted(route.methods or ()))}` | `{route.path}` | {what} |")
    head = "# Routes\n\n" + NOTE + "The JSON side is described in full by `/openapi.json`.\n\n"
    return head + "| | path | |\n|---|---|---|\n" + "\n".join(rows) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "commands.md": commands_page,
    "routes.md": routes_page,
    "conformance.md": lambda: conformance_page(NOTE),
}


def main(folder: str) -> None:
    """Write all pages into a folder."""
    for name, page in PAGES.items():
        Path(folder, name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1])
