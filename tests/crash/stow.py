"""A DICOMweb archive that keeps what it takes, and misbehaves as told."""

from __future__ import annotations

import json
import threading
import time
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from pydicom.dataset import Dataset

from qagate.demo.shelf import Shelf, StoredObject

DUPLICATE = 0x0111


class StowArchive:
    """Use as a context manager.

    `codes`: HTTP codes of the next answers, to which nothing is kept. `mood`: silent keeps connections without an
    answer; rude closes them; duplicates answers that it has everything (and keeps it).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.codes: list[int] = []
        self.mood: Literal["well", "silent", "rude", "duplicates"] = "well"
        self.asked = 0
        self._shelf = Shelf(folder)
        self._lock = threading.Lock()
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Its DICOMweb root."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def start(self) -> None:
        """Listen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        archive = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                archive._post(self)

            def log_message(self, *arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def __enter__(self) -> StowArchive:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()

    def objects(self) -> tuple[StoredObject, ...]:
        """Return what it holds."""
        return self._shelf.objects()

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        with self._lock:
            self.asked += 1
            code = self.codes.pop(0) if self.codes else 0
        if self.mood == "rude":
            request.close_connection = True
            return
        while self.mood == "silent" and self._server is not None:
            time.sleep(0.05)
        if code:
            request.send_error(code)
            return
        whole = b"Content-Type: " + request.headers["Content-Type"].encode() + b"\r\n\r\n" + body
        parts = [part.get_payload(decode=True) for part in BytesParser(policy=HTTP).parsebytes(whole).iter_parts()]  # type: ignore[attr-defined]
        answer = self._keep(parts)
        request.send_response(409 if self.mood == "duplicates" else 200)
        request.send_header("Content-Type", "application/dicom+json")
        request.send_header("Content-Length", str(len(answer)))
        request.end_headers()
        request.wfile.write(answer)

    def _keep(self, parts: list[bytes]) -> bytes:
        answer, items = Dataset(), []
        for part in parts:
            stored = self._shelf.keep(part)
            item = Dataset()
            item.ReferencedSOPClassUID = stored.sop_class_uid
            item.ReferencedSOPInstanceUID = stored.sop_instance_uid
            if self.mood == "duplicates":
                item.FailureReason = DUPLICATE
            items.append(item)
        setattr(answer, "FailedSOPSequence" if self.mood == "duplicates" else "ReferencedSOPSequence", items)
        return json.dumps(answer.to_json_dict()).encode()


def _body(request: BaseHTTPRequestHandler) -> bytes:
    """Read a body of known length, or in chunks: RFC 9112 7.1."""
    if "chunked" not in request.headers.get("Transfer-Encoding", ""):
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    body = b""
    while size := int(request.rfile.readline().split(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
