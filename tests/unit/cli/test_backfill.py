"""The command of a backfill: its exit codes are what a service manager acts upon."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from qagate.cli.commands import app
from tests.peers.dcmtk import free_port

TOKEN = "s3cret-token"
RUN = ("backfill", "run", "ct", "--from", "P", "--since", "2026-01-01", "--until", "2026-01-02")


def config(folder: Path, more: str = "") -> Path:
    path = folder / "qagate.toml"
    path.write_text(
        "[[destinations]]\nname = 'P'\nkind = 'stow'\nurl = 'http://127.0.0.1:1'\nretrieve = 'wado-rs'\n"
        f"token = '{TOKEN}'\n[storage]\ndata_dir = 'data'\n{more}"
    )
    return path


@pytest.mark.parametrize("by", ["c-get", "ftp"])
def test_a_way_that_the_archive_has_not_is_refused_in_one_line_without_its_token(tmp_path: Path, by: str) -> None:
    done = CliRunner().invoke(app, [*RUN, "--by", by, "--config", str(config(tmp_path))])
    assert (done.exit_code, done.output.count("\n")) == (2, 1), done.output
    assert f"--by {by}" in done.output
    assert TOKEN not in done.output


def test_a_window_with_a_zone_of_its_own_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, [*RUN, "--between", "20:00Z-06:00Z", "--config", str(config(tmp_path))])
    assert (done.exit_code, "must look like 20:00-06:00" in done.output) == (2, True)


def test_a_database_that_comes_later_is_waited_for(tmp_path: Path) -> None:
    """It ended with 2, as for a wrong query, after which its unit does not start it again."""
    path = config(tmp_path, f"database_url = 'postgresql://q@127.0.0.1:{free_port()}/q'\n")
    with subprocess.Popen(
        [sys.executable, "-m", "qagate", *RUN, "--config", str(path)], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        try:
            assert "waiting for it" in process.stderr.readline()
        finally:
            process.send_signal(signal.SIGTERM)
        assert "the same command goes on from here" in process.stderr.read()
        assert process.wait(20) == 3
