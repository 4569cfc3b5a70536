"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qagate.errors import SettingsError
from qagate.settings import Settings, load

if TYPE_CHECKING:
    from qagate.store.database import Database

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


def database_of_the_node(settings: Settings) -> Database:
    """Open the database that a node keeps. Raises SettingsError when it is a file that is not there.

    An empty one made in its place would say that nothing was received, and be what a backup saves.
    """
    from sqlalchemy import make_url

    from qagate.store.database import Database

    url = make_url(settings.database_url)
    file = url.database if url.get_backend_name() == "sqlite" else None
    if file and not _exists(Path(file)):
        raise SettingsError(
            f"no node has run with these settings yet; without storage.data_dir its folder lies where it is started, "
            f"got no database at {file}"
        )
    return Database.open(settings.database_url)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # not ours to look at: opening it says so
        return True
