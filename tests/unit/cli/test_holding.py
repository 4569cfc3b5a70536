"""Rejecting and releasing from the command line, where a rejection takes two people."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from qagate.cli import holding as commands
from qagate.cli.commands import app
from qagate.settings import load
from qagate.store import decisions, worklist
from qagate.store.database import Database
from tests.web.seeds import Seed, seed

FLAGGED, UNJUDGED = Seed("n1", "review", 40.0, reasons=("Noisy",)), Seed("n2", "")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node on which a rejection takes two people, with a flagged series and one that has no verdict yet."""
    path = tmp_path / "qagate.toml"
    path.write_text('[storage]\ndata_dir = "data"\n[review]\ntwo_person_rejection = true\n')
    settings = load(path, {})
    database = Database.open(settings.database_url)
    for one in (FLAGGED, UNJUDGED):
        seed(database, settings, one)
    database.close()
    return path


def stands(config: Path, uid: str) -> tuple[str, str]:
    """Return what holds of the images of a series, and where it stands with people."""
    database = Database.open(load(config, {}).database_url)
    with database.read() as session:
        row = worklist.series(session, uid)
        state = decisions.of(session, uid, two_person=True).state
    database.close()
    return row.holding if row is not None else "", state


def reject(config: Path, uid: str, *more: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["reject", uid, "--yes", "-c", str(config), *more])
    return done.exit_code, done.output


def test_a_rejection_from_the_command_line_takes_two_people_too(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took one, whatever the settings said."""
    code = ("--code", "motion_blur")
    monkeypatch.setattr(commands, "_who", lambda: "ann")
    for _ in range(2):
        assert "another person must reject it too" in reject(config, FLAGGED.uid, *code)[1]
        assert stands(config, FLAGGED.uid) == ("", "proposed")
    monkeypatch.setattr(commands, "_who", lambda: "bert")
    assert reject(config, FLAGGED.uid, *code) == (0, f"{FLAGGED.uid} rejected\n")
    assert stands(config, FLAGGED.uid) == ("rejected", "rejected")


def test_what_is_done_from_the_command_line_is_in_the_record(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Images were let go beside the record, and a series that was released could not be rejected again."""

    def decided() -> list[tuple[str, str, str, str]]:
        database = Database.open(load(config, {}).database_url)
        with database.read() as session:
            said = decisions.listed(session, FLAGGED.uid)
        database.close()
        return [(one.person, str(one.kind), one.reason, one.note) for one in said]

    for person in ("ann", "bert"):
        monkeypatch.setattr(commands, "_who", lambda person=person: person)
        reject(config, FLAGGED.uid, "--code", "artifact", "--reason", "ring")
    done = CliRunner().invoke(app, ["release", FLAGGED.uid, "-c", str(config), "--reason", "asked for"])
    assert (done.exit_code, done.output) == (0, "1 series released\n")
    assert stands(config, FLAGGED.uid) == ("released", "open")
    assert decided() == [
        ("ann", "reject", "artifact", "ring"),
        ("bert", "reject", "artifact", "ring"),
        ("bert", "release", "", "asked for"),
    ]
    again = CliRunner().invoke(app, ["release", FLAGGED.uid, "-c", str(config)])
    assert (again.exit_code, "neither held nor rejected" in again.output) == (2, True)
    assert len(decided()) == 3
    assert "another person" in reject(config, FLAGGED.uid, "--code", "artifact")[1]


def test_what_has_no_verdict_yet_can_be_kept_back_and_let_go(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uid, code = UNJUDGED.uid, ("--code", "motion_blur")
    for person, says in (("ann", "another person"), ("ann", "another person"), ("bert", f"{uid} rejected")):
        monkeypatch.setattr(commands, "_who", lambda person=person: person)
        assert says in reject(config, uid, *code)[1]
    assert stands(config, uid)[0] == "rejected"
    assert CliRunner().invoke(app, ["release", uid, "-c", str(config)]).output == "1 series released\n"
    assert "another person" in reject(config, uid, *code)[1]
    assert stands(config, uid) == ("released", "proposed")


def test_who_acts_is_whose_account_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names whom it likes, and one person was two."""
    before = commands._who()
    monkeypatch.setenv("LOGNAME", "somebody else")
    assert commands._who() == before != "somebody else"


@pytest.mark.parametrize(
    ("uid", "more", "says"),
    [
        (FLAGGED.uid, (), "--code must be one of artifact"),
        ("1.2.3", ("--code", "motion_blur"), "there is no series with this UID, got 1.2.3"),
    ],
)
def test_what_two_people_cannot_decide_about_is_refused(
    config: Path, uid: str, more: tuple[str, ...], says: str
) -> None:
    exit_code, output = reject(config, uid, *more)
    assert (exit_code, says in output) == (2, True), output
    assert stands(config, FLAGGED.uid)[0] == ""
