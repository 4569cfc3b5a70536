"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qagate.settings import Settings, load

DEFAULT_FILE = Path("qagate.toml")

Config = Annotated[
    Path | None,
    typer.Option("--config", "-c", envvar="QAGATE_CONFIG", help="Settings file; ./qagate.toml when it is there."),
]


def settings_from(config: Path | None) -> Settings:
    """Load the settings named on the command line, else ./qagate.toml if there is one, else the defaults."""
    return load(config if config is not None else (DEFAULT_FILE if DEFAULT_FILE.exists() else None))


def config_arguments(config: Path | None) -> list[str]:
    """Return the arguments with which a child process finds the same settings."""
    path = config if config is not None else (DEFAULT_FILE if DEFAULT_FILE.exists() else None)
    return ["--config", str(path.absolute())] if path is not None else []
