"""The plug-in in a real Orthanc: each stable series reaches the peer once, also what came while one was away."""

from __future__ import annotations

import threading
import time
import urllib.error
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, MRImageStorage
from pynetdicom.transport import ThreadedAssociationServer

from tests.peers import dcmtk
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.orthanc import available as orthanc_available

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "orthanc" / "qagate.py"
LIBRARIES = list(Path("/usr").glob("*/orthanc/plugins/libOrthancPython.so"))

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.skipif(
        not (orthanc_available() and dcmtk.available() and LIBRARIES), reason="needs Orthanc with Python"
    ),
]


class Gate:
    """What stands for qagate: it counts what it is sent, and says one verdict."""

    def __init__(self) -> None:
        self.port = dcmtk.free_port()
        self.taken: Counter[str] = Counter()
        self._server: ThreadedAssociationServer | None = None

    def open(self) -> None:
        ae = AE("QAGATE")
        for context in (CTImageStorage, MRImageStorage):
            ae.add_supported_context(context)
        handlers = [(evt.EVT_C_STORE, self._take)]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)  # type: ignore[assignment,arg-type]

    def close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _take(self, event: evt.Event) -> int:
        self.taken[str(event.request.AffectedSOPInstanceUID)] += 1
        return 0x0000


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    gate.open()
    yield gate
    gate.close()


@pytest.fixture
def says() -> Iterator[ThreadingHTTPServer]:
    """A page that knows one verdict and who may ask."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            allowed = self.headers.get("Authorization") == "Bearer t0ken"
            self.send_response(200 if allowed else 401)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(b'{"word": "Look", "score": 41.6, "reason": "Motion", "state": "delivered"}')

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def with_plugin(folder: Path, gate: Gate, url: str) -> Orthanc:
    return Orthanc(
        folder,
        modalities={"qagate": Modality("QAGATE", gate.port)},
        stable_seconds=1,
        overrides={
            "Plugins": [str(LIBRARIES[0])],
            "PythonScript": str(SCRIPT),
            "Qagate": {"Url": url, "Token": "t0ken"},
            "DicomScuTimeout": 3,
        },
    )


def images(folder: Path, *, series: str, count: int, first: int = 1, modality: str = "CT") -> list[Path]:
    dataset = pydicom.dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    paths = []
    for number in range(first, first + count):
        dataset.SeriesInstanceUID, dataset.Modality = series, modality
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{series}.{number}"
        paths.append(folder / f"{series}.{number}.dcm")
        dataset.save_as(paths[-1])
    return paths


def wait(condition: Any, what: str, orthanc: Orthanc, seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited for {what}; Orthanc says:\n{orthanc.log()[-3000:]}"
        time.sleep(0.1)


def test_series_reach_the_peer_once_whatever_was_away(tmp_path: Path, gate: Gate, says: ThreadingHTTPServer) -> None:
    orthanc = with_plugin(tmp_path / "orthanc", gate, f"http://127.0.0.1:{says.server_port}")
    (tmp_path / "files").mkdir()

    def send(series: str, **how: Any) -> None:
        paths = images(tmp_path / "files", series=series, **how)
        assert dcmtk.dcmsend(paths, port=orthanc.port, called="ORTHANC").returncode == 0

    with orthanc:
        send("1.2.1", count=2)
        wait(lambda: len(gate.taken) == 2, "the first series", orthanc)
        send("1.2.2", count=1, modality="SR")  # not ours to judge

        gate.close()  # the peer is away: the series waits
        send("1.2.3", count=1)
        wait(lambda: "was not taken" in orthanc.log(), "a refused connection", orthanc)
        orthanc.kill()  # and the power fails

        gate.open()
        orthanc.start()
        wait(lambda: gate.taken["1.2.3.1"] == 1, "what waited over the power cut", orthanc)

        send("1.2.4", count=1)
        orthanc.kill()  # before it was stable: Orthanc never says that it is
        orthanc.start()
        wait(lambda: gate.taken["1.2.4.1"] == 1, "what was not stable before the power cut", orthanc)

        send("1.2.1", count=1, first=3)  # a late image: the set is another one
        wait(lambda: gate.taken["1.2.1.3"] == 1, "the late image", orthanc)
        orthanc.stop()
        orthanc.start()
        send("1.2.5", count=1)
        wait(lambda: gate.taken["1.2.5.1"] == 1, "the last series", orthanc)
    assert gate.taken == {"1.2.1.1": 2, "1.2.1.2": 2, "1.2.1.3": 1, "1.2.3.1": 1, "1.2.4.1": 1, "1.2.5.1": 1}


def test_orthanc_shows_the_verdict(tmp_path: Path, gate: Gate, says: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{says.server_port}"
    (tmp_path / "files").mkdir()
    with with_plugin(tmp_path / "orthanc", gate, url) as orthanc:
        paths = images(tmp_path / "files", series="1.2.1", count=1)
        assert dcmtk.dcmsend(paths, port=orthanc.port, called="ORTHANC").returncode == 0
        (series,) = orthanc.wait_for(1, level="Series", SeriesInstanceUID="1.2.1")
        said = orthanc.get(f"/qagate/series/{series}")
        assert said == {"words": "Look 42 · Motion", "url": f"{url}/series/1.2.1"}
        with pytest.raises((RuntimeError, urllib.error.HTTPError), match="404"):
            orthanc.get("/qagate/series/00000000-00000000-00000000-00000000-00000000")


def test_the_verdict_stands_on_the_page_of_its_own_series(
    tmp_path: Path, gate: Gate, says: ThreadingHTTPServer, chromium: Any
) -> None:
    url = f"http://127.0.0.1:{says.server_port}"
    (tmp_path / "files").mkdir()
    with with_plugin(tmp_path / "orthanc", gate, url) as orthanc:
        for series in ("1.2.1", "1.2.2"):
            paths = images(tmp_path / "files", series=series, count=1)
            assert dcmtk.dcmsend(paths, port=orthanc.port, called="ORTHANC").returncode == 0
        ((late,), (other,)) = (orthanc.wait_for(1, level="Series", SeriesInstanceUID=uid) for uid in ("1.2.1", "1.2.2"))
        page = chromium.new_page()
        page.set_default_timeout(60_000)
        held: list[Any] = []
        page.route(f"**/qagate/series/{late}", lambda route: held.append(route))  # its answer waits until let go below
        explorer = f"{orthanc.url}/app/explorer.html"
        study = orthanc.get(f"/series/{late}")["ParentStudy"]
        shown = page.locator("#qagate-verdict")
        with page.expect_request(f"**/qagate/series/{late}"):
            page.goto(f"{explorer}#series?uuid={late}")
        page.goto(f"{explorer}#study?uuid={study}")  # on to the next one, before the answer about the first
        page.locator("#study:visible").wait_for()
        page.goto(f"{explorer}#series?uuid={other}")
        shown.wait_for()
        with page.expect_response(f"**/qagate/series/{late}"):
            held[0].fulfill(json={"words": "of another series", "url": None})
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert shown.all_inner_texts() == ["qagate: Look 42 · Motion why?"]
        assert shown.locator("a").get_attribute("href") == f"{url}/series/1.2.2"
        page.unroute(f"**/qagate/series/{late}")
        page.goto(f"{explorer}#study?uuid={study}")
        page.locator("#study:visible").wait_for()
        page.goto(f"{explorer}#series?uuid={late}")
        page.locator(f"#qagate-verdict a[href='{url}/series/1.2.1']").wait_for()
        page.close()
