from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from qagate.deliver.destination import Receipt, accepted_sop_classes, deliver, echo
from qagate.errors import DeliveryError, DeliveryRefused, Unreachable
from qagate.settings import Destination
from tests.unit.deliver.archive import COMPREHENSIVE_3D_SR, COMPREHENSIVE_SR, make_document


class Web:
    """What a DICOMweb server was asked, and what it answers: (status, content type, body)."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, str, bytes]] = []
        self.delay_seconds = 0.0


@contextmanager
def serving(**more: Any) -> Iterator[tuple[Destination, Web]]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            web.requests.append((self.command, self.path, dict(self.headers), body))
            time.sleep(web.delay_seconds)
            status, kind, answer = web.answers.pop(0) if web.answers else (200, "application/dicom+json", stored())
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = _serve  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        url = f"http://127.0.0.1:{server.server_address[1]}/dicom-web/"
        yield Destination(**{"name": "web", "kind": "stow", "url": url, "timeout_seconds": 5, **more}), web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answer(sequence: str, **attributes: int) -> bytes:
    items = []
    for uid in ("1.1", "1.2", "1.33", "1.34"):
        item = Dataset()
        item.ReferencedSOPClassUID = COMPREHENSIVE_3D_SR
        item.ReferencedSOPInstanceUID = uid
        for keyword, value in attributes.items():
            setattr(item, keyword, value)
        items.append(item)
    data_set = Dataset()
    setattr(data_set, sequence, items)
    return json.dumps(data_set.to_json_dict()).encode()


def stored(**attributes: int) -> bytes:
    return answer("ReferencedSOPSequence", **attributes)


def failed(reason: int) -> bytes:
    return answer("FailedSOPSequence", FailureReason=reason)


def test_documents_are_posted(tmp_path: Path) -> None:
    documents = [(make_document(tmp_path, "1.1"),), (make_document(tmp_path, "1.2"),)]
    with serving(token="secret") as (destination, web):
        receipts = deliver(documents, destination, calling_ae_title="QAGATE")
    assert receipts == (Receipt("1.1", "stored", 0), Receipt("1.2", "stored", 0))
    method, path, headers, body = web.requests[0]
    assert (method, path) == ("POST", "/dicom-web/studies")
    assert headers["Authorization"] == "Bearer secret"
    assert headers["Content-Type"].startswith("multipart/related")
    assert b"DICM" in body
    assert len(web.requests) == 2


def test_only_the_richest_variant_is_posted(tmp_path: Path) -> None:
    variants = (make_document(tmp_path, "1.34"), make_document(tmp_path, "1.33", COMPREHENSIVE_SR))
    with serving() as (destination, web):
        assert deliver([variants], destination, calling_ae_title="Q") == (Receipt("1.34", "stored", 0),)
        assert len(web.requests) == 1
        web.answers = [(409, "application/dicom+json", failed(0x0122))]
        assert deliver([variants], destination, calling_ae_title="Q") == (Receipt("1.33", "stored", 0),)


@pytest.mark.parametrize(
    ("status", "body", "receipt"),
    [
        (200, stored(WarningReason=0xB000), Receipt("1.1", "warning", 0xB000, "coercion of data elements")),
        (202, stored(WarningReason=0xB007), Receipt("1.1", "warning", 0xB007, "data set does not match SOP class")),
        (409, failed(0x0111), Receipt("1.1", "warning", 0x0111, "duplicate SOP instance")),
        (202, failed(0x0111), Receipt("1.1", "warning", 0x0111, "duplicate SOP instance")),
    ],
)
def test_taken_with_a_remark(tmp_path: Path, status: int, body: bytes, receipt: Receipt) -> None:
    with serving() as (destination, web):
        web.answers = [(status, "application/dicom+json", body)]
        assert deliver([(make_document(tmp_path, "1.1"),)], destination, calling_ae_title="Q") == (receipt,)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (409, failed(0xA700), DeliveryError),
        (409, failed(0x0110), DeliveryError),
        (200, failed(0xA710), DeliveryError),
        (200, failed(0xA900), DeliveryRefused),
        (409, failed(0xC000), DeliveryRefused),
        (409, b"no JSON", DeliveryRefused),
        (400, b"", DeliveryRefused),
        (415, b"", DeliveryRefused),
        (401, b"", DeliveryError),
        (403, b"", DeliveryError),
        (404, b"", DeliveryError),
        (413, b"", DeliveryError),
        (429, b"", DeliveryError),
        (500, b"", DeliveryError),
        (503, b"", DeliveryError),
        (507, b"", DeliveryError),
        (200, b"no JSON", DeliveryError),
    ],
)
def test_not_taken(tmp_path: Path, status: int, body: bytes, kind: type[DeliveryError]) -> None:
    documents = [(make_document(tmp_path, "1.1"),), (make_document(tmp_path, "1.2"),)]
    with serving() as (destination, web):
        web.answers = [(status, "application/dicom+json", body)]
        with pytest.raises(DeliveryError, match="destination web") as caught:
            deliver(documents, destination, calling_ae_title="QAGATE")
        assert len(web.requests) == 2  # no retries of its own, and the second document is offered too
    assert type(caught.value) is kind
    assert caught.value.receipts == (Receipt("1.2", "stored", 0),)
    assert "secret" not in str(caught.value)


def test_unreachable(tmp_path: Path) -> None:
    gone = Destination(name="web", kind="stow", url="http://127.0.0.1:1/x", timeout_seconds=1)
    with pytest.raises(Unreachable, match="destination web"):
        deliver([(make_document(tmp_path, "1.1"),)], gone, calling_ae_title="QAGATE")
    with pytest.raises(Unreachable):
        echo(gone, "QAGATE")


def test_too_slow(tmp_path: Path) -> None:
    with serving(timeout_seconds=0.2) as (destination, web):
        web.delay_seconds = 0.5
        with pytest.raises(Unreachable):
            deliver([(make_document(tmp_path, "1.1"),)], destination, calling_ae_title="QAGATE")


def test_echo() -> None:
    with serving(token="t") as (destination, web):
        web.answers = [(200, "application/dicom+json", b"[]"), (204, "text/plain", b""), (401, "text/plain", b"")]
        assert echo(destination, "QAGATE") > 0
        assert echo(destination, "QAGATE") > 0
        with pytest.raises(DeliveryError, match="401"):
            echo(destination, "QAGATE")
    assert web.requests[0][1].startswith("/dicom-web/studies?")


def test_there_is_no_way_to_ask_for_sop_classes() -> None:
    with serving() as (destination, web):
        assert accepted_sop_classes(destination, "QAGATE", [COMPREHENSIVE_SR]) == {COMPREHENSIVE_SR: ()}
    assert web.requests == []


@pytest.mark.parametrize("body", [b"{}", answer("ReferencedSOPSequence").replace(b"1.1", b"9.9")])
def test_success_that_does_not_name_the_document_is_no_promise(tmp_path: Path, body: bytes) -> None:
    with serving() as (destination, web):
        web.answers = [(200, "application/dicom+json", body)]
        with pytest.raises(DeliveryError, match=r"must name 1\.1 among what it stored") as caught:
            deliver([(make_document(tmp_path, "1.1"),)], destination, calling_ae_title="QAGATE")
    assert caught.value.retryable
