"""STOW-RS: what is answered as stored is in the spool and in the database; everything else is named."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pydicom
import pytest
from fastapi.testclient import TestClient
from pydicom.data import get_testdata_file
from sqlalchemy import select

from qagate.domain.person import Permission, Role
from qagate.receive.spool import Spool
from qagate.settings import Settings
from qagate.store import people as known_people
from qagate.store import tokens, worklist
from qagate.store.database import Database
from qagate.store.tables import AssociationRow, ForwardRow, InstanceRow
from qagate.web.app import create_app
from qagate.work.storing import Storing
from tests.unit.web import people
from tests.web.seeds import settings_in

TYPE = 'multipart/related; type="application/dicom"; boundary=sep'


class Site:
    def __init__(self, folder: Path, **sections: object) -> None:
        made = settings_in(folder, receiver="127.0.0.1:1")
        self.settings = Settings.model_validate(
            {
                **made.model_dump(),
                "storage": {"data_dir": folder / "data", "reserve_mb": 0, "max_object_mb": 1},
                **sections,
            }
        )
        self.settings.storage.data_dir.mkdir(parents=True, exist_ok=True)
        self.database = Database.open(self.settings.database_url)
        self.storing = Storing.open(self.settings, self.database)
        self.client = TestClient(create_app(self.settings, self.database, storing=self.storing))

    def send(self, *parts: bytes, study: str = "", tail: bytes = b"--sep--\r\n", content_type: str = TYPE):
        body = b"".join(b"--sep\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n" for part in parts) + tail
        address = f"/dicom-web/studies/{study}" if study else "/dicom-web/studies"
        return self.client.post(address, content=body, headers={"content-type": content_type})

    def close(self) -> None:
        self.storing.close()
        self.database.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


def ct(number: int = 1, study: str = "1.2.3", rows: int | None = None) -> bytes:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, f"{study}.1"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.{number}"
    if rows is not None:
        dataset.Rows = dataset.Columns = rows
        dataset.PixelData = bytes(rows * rows * 2)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def uids(answer, sequence: str) -> list[str]:
    return [item["00081155"]["Value"][0] for item in answer.json().get(sequence, {}).get("Value", [])]


def test_objects_are_safe_and_known_when_they_are_answered_as_stored(site: Site) -> None:
    answer = site.send(ct(1), ct(2))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert uids(answer, "00081199") == ["1.2.3.1.1", "1.2.3.1.2"]
    files = sorted(path.name for path in (site.settings.spool_dir / "1.2.3.1").iterdir())
    assert files == ["1.2.3.1.1.dcm", "1.2.3.1.2.dcm"]
    again = site.send(ct(2))  # the same object again is not another one
    assert again.status_code == 200
    site.storing.close()
    with site.database.read() as session:
        row = worklist.series(session, "1.2.3.1")
        assert row is not None
        assert row.instances == 2
        assert session.query(InstanceRow).count() == 2
        assert [a.aborted for a in session.query(AssociationRow)] == [False, False]


def test_the_spool_holds_the_data_set_as_it_was_sent(site: Site) -> None:
    sent = ct(1)
    site.send(sent)
    kept = (site.settings.spool_dir / "1.2.3.1" / "1.2.3.1.1.dcm").read_bytes()
    start = pydicom.dcmread(io.BytesIO(sent)).file_meta.FileMetaInformationGroupLength + 144
    assert kept.endswith(sent[start:])


def test_some_bad_parts_cost_only_themselves(site: Site) -> None:
    answer = site.send(ct(1), b"hello", ct(2, rows=1024), ct(3, study="9.9"), study="1.2.3")
    assert answer.status_code == 202
    assert uids(answer, "00081199") == ["1.2.3.1.1"]
    assert uids(answer, "00081198") == ["9.9.1.3"]  # of another study
    reasons = [item["00081197"]["Value"][0] for item in answer.json()["0008119A"]["Value"]]
    assert reasons == [0xC000, 0xA700]  # no DICOM; 2 MiB where 1 is allowed


@pytest.mark.parametrize(
    ("how", "code", "words"),
    [
        ({"content_type": "application/json"}, 415, "multipart/related"),
        ({"content_type": 'multipart/related; type="application/dicom+json"; boundary=sep'}, 415, "application/dicom"),
        ({"tail": b""}, 400, "broke off after 1 whole"),
        ({"content_type": TYPE.replace("sep", "other")}, 400, "multipart/related with the boundary"),
    ],
)
def test_what_is_no_request_is_refused_with_a_sentence(site: Site, how: dict, code: int, words: str) -> None:
    answer = site.send(ct(1), ct(2), **how)
    assert answer.status_code == code
    assert words in answer.json()["detail"]


def test_in_front_of_a_pacs_it_gets_what_came_by_http_too_and_what_a_dead_receiver_left(tmp_path: Path) -> None:
    pacs = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": 104, "originals": True}
    spool = Spool(tmp_path / "data" / "spool", 0)
    spool.store(
        b"", sop_class_uid="1.2", sop_instance_uid="1.2.3.4", transfer_syntax_uid="1.2.840.10008.1.2",
        calling_ae_title="SCANNER", called_ae_title="QAGATE", received_at=datetime.now(UTC),
    )  # fmt: skip
    site = Site(tmp_path, destinations=[pacs])
    assert site.send(ct(1)).status_code == 200
    site.storing.registrar.stop()
    with site.database.read() as session:
        rows = session.execute(
            select(InstanceRow.sop_instance_uid, ForwardRow.destination, ForwardRow.state)
            .join(ForwardRow, ForwardRow.instance_id == InstanceRow.id)
            .order_by(InstanceRow.sop_instance_uid)
        ).all()
    site.database.close()
    assert [tuple(row) for row in rows] == [("1.2.3.1.1", "PACS", "planned"), ("1.2.3.4", "PACS", "planned")]


def test_nothing_stored_is_a_conflict(site: Site) -> None:
    assert site.send(b"hello").status_code == 409


def test_a_request_that_broke_off_counts_as_aborted(site: Site) -> None:
    site.send(ct(1), tail=b"--sep\r\nContent-Type: application/dicom\r\n\r\nhalf")
    site.storing.close()
    with site.database.read() as session:
        assert [a.aborted for a in session.query(AssociationRow)] == [True]
        assert worklist.series(session, "1.2.3.1") is not None  # the whole object is kept


def test_what_was_whole_before_the_sender_went_away_is_kept(site: Site) -> None:
    head = b"--sep\r\nContent-Type: application/dicom\r\n\r\n"
    body = head + ct(1) + b"\r\n" + head + ct(2)[:1000]
    messages = iter(({"type": "http.request", "body": body, "more_body": True}, {"type": "http.disconnect"}))
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": "/dicom-web/studies", "raw_path": b"/dicom-web/studies", "root_path": "", "query_string": b"",
        "headers": [(b"host", b"testserver"), (b"content-type", TYPE.encode())],
        "client": ("testclient", 50000), "server": ("testserver", 80),
    }  # fmt: skip

    async def receive() -> dict[str, object]:
        return next(messages)

    async def send(message: dict[str, object]) -> None:
        """Nobody is there to hear it."""

    asyncio.run(site.client.app(scope, receive, send))
    site.storing.close()
    with site.database.read() as session:
        assert session.scalars(select(InstanceRow.sop_instance_uid)).all() == ["1.2.3.1.1"]
        (association,) = session.scalars(select(AssociationRow)).all()
        assert association.aborted


def test_a_node_that_takes_none_says_so(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, receiver="127.0.0.1:1")
    database = Database.open(settings.database_url)
    answer = TestClient(create_app(settings, database)).post("/dicom-web/studies", headers={"content-type": TYPE})
    assert answer.status_code == 404
    assert "web.stow" in answer.json()["detail"]
    database.close()


def test_only_a_token_that_may_send_sends(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, receiver="127.0.0.1:1", anonymous_role=None)
    database = Database.open(settings.database_url)
    storing = Storing.open(settings, database)
    people.add(database, "ada", Role.ADMIN)
    people.add(database, "rob", Role.REVIEWER)
    body = b"--sep\r\nContent-Type: application/dicom\r\n\r\n" + ct(1) + b"\r\n--sep--\r\n"
    with TestClient(create_app(settings, database, storing=storing)) as client:

        def code(**headers: str) -> int:
            return client.post(
                "/dicom-web/studies", content=body, headers={"content-type": TYPE, **headers}
            ).status_code

        def bearer(name: str, scope: Permission) -> str:
            with database.begin() as session:
                row = known_people.get(session, name)
                secret = tokens.add(session, row, f"{name}-{scope}", (scope,), by="console", at=people.T0, lasts=None)
            return f"Bearer {secret}"

        assert code() == 401
        assert code(authorization=bearer("ada", Permission.READ)) == 403
        assert code(authorization=bearer("rob", Permission.SEND)) == 403  # the role may not
        assert code(authorization=bearer("ada", Permission.SEND)) == 200
    storing.close()
    database.close()
