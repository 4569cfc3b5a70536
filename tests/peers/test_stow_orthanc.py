"""A real DICOMweb sender: Orthanc's STOW-RS client, against our pages' process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
import uvicorn
from pydicom.data import get_testdata_file
from sqlalchemy import select

from qagate.settings import Settings
from qagate.store.database import Database
from qagate.store.tables import SeriesRow
from qagate.web.app import create_app
from qagate.work.storing import Storing
from tests.peers.orthanc import DICOMWEB_PLUGINS, Orthanc
from tests.peers.orthanc import available as orthanc_available
from tests.web.seeds import settings_in

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not (orthanc_available() and any(path.exists() for path in DICOMWEB_PLUGINS)), reason="needs Orthanc DICOMweb"
    ),
]


@pytest.fixture
def node(tmp_path: Path) -> Iterator[tuple[str, Settings, Database]]:
    """Pages that take objects, on a port of their own: (address, settings, database)."""
    settings = settings_in(tmp_path, receiver="127.0.0.1:1")
    database = Database.open(settings.database_url)
    storing = Storing.open(settings, database)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings, database, storing=storing), log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}/dicom-web/", settings, database
    server.should_exit = True
    thread.join()
    listening.close()
    storing.close()
    database.close()


def test_orthanc_stores_what_it_holds(tmp_path: Path, node: tuple[str, Settings, Database]) -> None:
    address, settings, database = node
    overrides = {"DicomWeb": {"Enable": True, "Root": "/dicom-web/", "Servers": {"qagate": [address]}}}
    with Orthanc(tmp_path / "orthanc", overrides=overrides) as orthanc:
        held = []
        for name in ("CT_small.dcm", "MR_small_jp2klossless.dcm", "MR_small_RLE.dcm"):
            data = Path(str(get_testdata_file(name, download=False))).read_bytes()
            held.append(orthanc.post("/instances", data)["ID"])
        orthanc.post("/dicom-web/servers/qagate/stow", {"Resources": held, "Synchronous": True})
        sent = {pydicom.dcmread(pydicom.filebase.DicomBytesIO(orthanc.file(one))).SOPInstanceUID for one in held}
    files = {str(pydicom.dcmread(path).SOPInstanceUID) for path in settings.spool_dir.rglob("*.dcm")}
    assert files == {str(uid) for uid in sent}
    with database.read() as session:
        assert session.scalars(select(SeriesRow)).first() is not None
