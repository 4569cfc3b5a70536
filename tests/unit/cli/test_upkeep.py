from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from typer.testing import CliRunner

from qagate.cli.commands import app
from qagate.domain.series import StoredInstance
from qagate.settings import load
from qagate.store import audit, reception, revisions, stranded, workers, worklist
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.store.routing import Route, Routing
from qagate.store.tables import ForwardRow, RevisionRow
from qagate.work import preflight
from qagate.work.ways import ways

T0 = datetime(2026, 11, 22, tzinfo=UTC)
PACS = '[[destinations]]\nname = "PACS"\nae_title = "PACS"\nhost = "h"\nport = 104\noriginals = true\n'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A node whose one series was set aside."""
    path = tmp_path / "qagate.toml"
    path.write_text('[storage]\ndata_dir = "data"\n')
    database = Database.open(load(path, {}).database_url)
    instance = StoredInstance(tmp_path / "1.dcm", "1", "2", "3", "1.2.3", "1.2", "CT", 1, "a" * 64, "S", T0)
    with database.begin() as session:
        reception.register(session, [instance])
    with database.begin() as session:
        revision = revisions.close_series(session, "1.2.3", completed_by="quiet", at=T0)
        assert revision is not None
        revisions.fail(session, revision.id, reason="it was not its day", at=T0)
    database.close()
    return path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_status_accounts_for_a_series_that_was_set_aside(config: Path) -> None:
    assert "1 received = 0 good + 0 to look at + 0 without score + 0 excluded + 1 failed" in run("status", "-c", config)


@pytest.mark.parametrize(("minutes", "queues", "said"), [(None, "", True), (0, "score", False), (0, "deliver", True),
                                                         (9, "", True)])  # fmt: skip
def test_status_says_when_no_worker_judges(config: Path, minutes: int | None, queues: str, said: bool) -> None:
    """It said so only of series that are complete, and it is the worker that says when they are."""
    database = Database.open(load(config, {}).database_url)
    if minutes is not None:
        with database.begin() as session:
            at = datetime.now(UTC) - timedelta(minutes=minutes)
            workers.beat(session, "w", device="cpu", at=at, queues=queues)
    database.close()
    assert ("no worker judges; start `qagate work`" in run("status", "-c", config)) is said


@pytest.mark.parametrize("destinations", ["", PACS.replace('"PACS"', '"NEW"', 1), PACS.replace("true", "false")])
def test_what_waits_for_a_destination_that_was_renamed_is_told_by_check_and_status(
    config: Path, destinations: str
) -> None:
    """Without any destination of images check said nothing of it, and of documents it never did."""
    database = Database.open(load(config, {}).database_url)
    with database.begin() as session:
        instance = StoredInstance(Path("2.dcm"), "2", "2", "3", "1.2.4", "1.2", "CT", 1, "b" * 64, "S", T0)
        reception.register(session, [instance], Routing((Route("PACS", "PACS"),), holds=False))
        (revision,) = session.scalars(select(RevisionRow))
        one = WrittenDocument("SR", "1", "9", "9", ("sr.dcm",))
        revisions.record_documents(session, revision.id, [one], destinations=[("OLD", ("SR",))], at=T0)
    database.close()
    config.write_text('[storage]\ndata_dir = "data"\n' + destinations)
    settings = load(config, {})
    found = [item for item in ways(settings) if item.state == "bad"]
    words = [f"{item.what}: {item.detail}" for item in found]
    cure = "name it again, or give it up: `qagate give-up"
    assert [w for w in words if w.startswith("PACS: 1 images") and f"{cure} PACS`" in w]
    assert [w for w in words if w.startswith("OLD: 1 documents") and f"{cure} OLD`" in w]
    said = run("status", "-c", config)
    assert "OLD" in said
    assert f"the settings do not name OLD; {cure} OLD`" in said


def test_what_a_renamed_archive_took_and_never_promised_is_told_by_check(config: Path) -> None:
    """Nobody asks it any more, and the images leave the disk in time."""
    database = Database.open(load(config, {}).database_url)
    with database.begin() as session:
        instance = StoredInstance(Path("2.dcm"), "2", "2", "3", "1.2.4", "1.2", "CT", 1, "b" * 64, "S", T0)
        reception.register(session, [instance], Routing((Route("OLD", "OLD"), Route("MUTE", "MUTE")), holds=False))
        session.execute(update(ForwardRow).values(state="sent", sent_at=T0))
        of_old = update(ForwardRow).where(ForwardRow.destination == "OLD")
        session.execute(of_old.values(commitment_asked_at=T0, transaction_uid="1.2"))
    database.close()
    said = [f"{item.state} {item.what}: {item.detail}" for item in ways(load(config, {}))]
    words = (
        "took 1 images that it has not promised to keep, and nobody asks it any more: the settings do not name it; "
        "name it again, or be sure that they are there"
    )
    assert said == [f"warning OLD: {words}"]


def test_check_says_when_the_spool_takes_nothing_though_there_is_room(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = load(config, {})
    settings.spool_dir.mkdir()
    assert not [item for item in preflight._disk(settings) if "cannot be written" in item.detail]
    monkeypatch.setattr(preflight, "why_unwritable", lambda root: "No space left on device")
    said = [item.detail for item in preflight._disk(settings) if "cannot be written" in item.detail]
    assert said == [
        f"{settings.spool_dir} cannot be written (No space left on device); see its inodes, quota and mount"
    ]


def test_a_series_that_was_set_aside_can_be_judged_again(config: Path) -> None:
    assert run("requeue", "--failed", "-c", config) == "1 series are judged again\n"
    assert run("requeue", "--failed", "-c", config) == "0 series are judged again\n"
    database = Database.open(load(config, {}).database_url)
    with database.read() as session:
        assert worklist.account(session).pending == 1
    database.close()


def test_series_are_not_judged_again_for_a_destination(config: Path) -> None:
    """It was left out, and what was parked for it stayed there."""
    done = CliRunner().invoke(app, ["requeue", "PACS", "--failed", "--config", str(config)])
    assert (done.exit_code, "got both: PACS" in done.output) == (2, True)


def test_a_destination_nobody_knows_is_refused(config: Path) -> None:
    result = CliRunner().invoke(app, ["requeue", "NOWHERE", "-c", str(config)])
    assert result.exit_code == 2


def test_status_says_where_deliveries_stand_in_the_words_of_the_pages(config: Path) -> None:
    database = Database.open(load(config, {}).database_url)
    instance = StoredInstance(config.parent / "2.dcm", "2", "2", "3", "1.2.3", "1.2", "CT", 1, "b" * 64, "S", T0)
    with database.begin() as session:
        reception.register(session, [instance], Routing((Route("OLD", "OLD"),), holds=False))
    assert "1 images waiting\n" in run("status", "-c", config)  # "planned" in the database
    database.close()


def test_what_is_parked_is_given_up_when_somebody_says_who_and_why(config: Path) -> None:
    database = Database.open(load(config, {}).database_url)
    instance = StoredInstance(config.parent / "2.dcm", "2", "2", "3", "1.2.3", "1.2", "CT", 1, "b" * 64, "S", T0)
    with database.begin() as session:
        reception.register(session, [instance], Routing((Route("OLD", "OLD"),), holds=False))
        stranded.park(session, "OLD", at=T0)

    def asked(*arguments: str, typed: str = "") -> tuple[int, str]:
        done = CliRunner().invoke(app, ["give-up", *arguments, "-c", str(config)], input=typed)
        return done.exit_code, done.output

    assert asked("PACS", "--by", "ann", "--reason", "sold", "--yes")[0] == 2
    assert asked("OLD", "--by", " ", "--reason", "sold", "--yes")[0] == 2
    assert asked("OLD", typed="ann\nsold\nn\n")[0] == 1  # no, after all
    code, said = asked("OLD", typed="ann\nsold\ny\n")
    assert code == 0, said
    assert said.endswith("0 documents and 1 images of 1 series are given up\n")
    with database.read() as session:
        (act,) = audit.listing(session, audit.Search(what="deliveries_given_up"))
        assert (act.who, act.detail) == ("ann", "0 documents and 1 image of 1 series to OLD: sold")
    database.close()


@pytest.mark.parametrize(
    "command",
    [
        ("status",),
        ("requeue",),
        ("give-up", "PACS", "--by", "ann", "--reason", "sold"),
        ("release", "--all"),
        ("reject", "1.2.3", "--yes", "--code", "artifact"),
        ("backfill", "list"),
        ("backfill", "results", "x"),
        ("labels", "export", "out.csv"),
        ("user", "list"),
        ("token", "revoke", "1"),
    ],
    ids=" ".join,
)
def test_another_folder_than_the_nodes_is_said_and_no_empty_node_made_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    """It made an empty database, said that nothing was ever received, and a backup then saved that."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "qagate.toml").write_text("[web]\nport = 8081\n")
    monkeypatch.chdir(elsewhere)
    done = CliRunner().invoke(app, [*command, "-c", str(tmp_path / "qagate.toml")])
    assert done.exit_code == 2, done.output
    assert f"got no database at {elsewhere}" in done.output
    assert list(elsewhere.iterdir()) == []


def test_a_policy_that_can_never_match_is_said(tmp_path: Path) -> None:
    path = tmp_path / "qagate.toml"
    path.write_text("[[policies]]\nname = 'gate'\nmatch = {region = ['abdomn']}\n[storage]\ndata_dir = 'data'\n")
    done = CliRunner().invoke(app, ["check", "-c", str(path)])
    assert "▲ policies       gate: match.region knows no 'abdomn'" in done.output


def test_what_may_succeed_later_is_no_fault_of_the_settings(tmp_path: Path) -> None:
    """A disk that was away for a moment ended the whole node: its supervisor took the exit code for bad settings."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "spool").write_text("no folder")
    (tmp_path / "qagate.toml").write_text('[storage]\ndata_dir = "data"\n')
    done = CliRunner().invoke(app, ["receive", "--config", str(tmp_path / "qagate.toml")])
    assert (done.exit_code, "spool folder" in done.output) == (1, True)
