"""A real Orthanc as PACS, in a folder of its own, on free ports."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

EXECUTABLE = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin:/usr/local/sbin")
DICOMWEB_PLUGINS = (
    Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so"),
    Path("/usr/lib/orthanc/plugins/libOrthancDicomWeb.so"),
)


def available() -> bool:
    """Say whether Orthanc is installed."""
    return EXECUTABLE is not None


@dataclass(frozen=True)
class Modality:
    """A peer that Orthanc knows: it may ask for storage commitment and gets the answer at this address."""

    ae_title: str
    port: int
    host: str = "127.0.0.1"


class Orthanc:
    """Start and stop one Orthanc; use as a context manager.

    `folder` must be empty or new. `modalities` maps Orthanc's symbolic names to peers, `lua` is the text of a script
    (stable series events come `stable_seconds` after the last image), `overrides` are configuration keys set last.
    """

    def __init__(
        self,
        folder: Path,
        *,
        ae_title: str = "ORTHANC",
        modalities: Mapping[str, Modality] | None = None,
        lua: str = "",
        stable_seconds: int = 2,
        overrides: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.ae_title = ae_title
        self.port, self.http_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "script.lua").write_text(lua, encoding="utf-8")
        configuration: dict[str, Any] = {
            "Name": ae_title,
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "DicomAet": ae_title,
            "DicomPort": self.port,
            "DicomCheckCalledAet": True,
            "DicomCheckModalityHost": False,
            "DicomAlwaysAllowEcho": True,
            "DicomAlwaysAllowStore": True,
            "DicomAlwaysAllowFind": True,
            "UnknownSopClassAccepted": False,
            "StableAge": stable_seconds,
            "DefaultEncoding": "Utf8",  # Latin1 loses names in other scripts
            "ConcurrentJobs": 4,
            "DicomScuTimeout": 20,
            "SaveJobs": False,
            "OverwriteInstances": False,
            "DicomModalities": {
                name: {
                    "AET": peer.ae_title,
                    "Host": peer.host,
                    "Port": peer.port,
                    "AllowStorageCommitment": True,
                    "AllowNEventReport": True,
                }
                for name, peer in (modalities or {}).items()
            },
            "Plugins": [str(path) for path in DICOMWEB_PLUGINS if path.exists()][:1],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "LuaScripts": [str(folder / "script.lua")] if lua else [],
        }
        configuration.update(overrides or {})
        (folder / "orthanc.json").write_text(json.dumps(configuration, indent=1), encoding="utf-8")

    @property
    def url(self) -> str:
        """Root of the REST API, without a slash at the end."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def dicomweb_url(self) -> str:
        """Root of DICOMweb, as a STOW destination wants it."""
        return f"{self.url}/dicom-web"

    def __enter__(self) -> Orthanc:
        """Start it and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop it and wait for its end."""
        self.stop()

    def start(self, seconds: float = 30) -> None:
        """Start it; may be called again after stop(), with the same storage and ports."""
        assert EXECUTABLE is not None, "Orthanc is not installed"
        with (self.folder / "orthanc.log").open("ab") as log:
            self._process = subprocess.Popen(
                [EXECUTABLE, str(self.folder / "orthanc.json")], stdout=log, stderr=subprocess.STDOUT, cwd=self.folder
            )
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self._process.poll() is not None:
                break
            try:
                self.get("/system")
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        log_tail = self.log()[-2000:]
        self.stop()
        raise RuntimeError(f"Orthanc did not answer within {seconds} s; its log ends with:\n{log_tail}")

    def stop(self, seconds: float = 30) -> None:
        """Stop it and wait for its process; it takes more than two seconds, and starting again earlier would fail."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(seconds)
        self._process = None

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def pause(self) -> None:
        """Stop it from running without closing its sockets: it accepts connections and never answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it run on after pause()."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def log(self) -> str:
        """Return what it has printed so far."""
        path = self.folder / "orthanc.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    # REST

    def get(self, path: str) -> Any:
        """GET a JSON resource such as /instances."""
        return json.loads(self._request("GET", path) or b"null")

    def get_bytes(self, path: str) -> bytes:
        """GET a resource as it is."""
        return self._request("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        """POST JSON (or bytes as they are) and return the JSON answer."""
        data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {}).encode()
        answer = self._request("POST", path, data)
        try:
            return json.loads(answer)
        except json.JSONDecodeError:
            return answer.decode(errors="replace")

    def delete(self, path: str) -> None:
        """DELETE a resource."""
        self._request("DELETE", path)

    def _request(self, method: str, path: str, data: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, data=data, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"Orthanc answered {error.code} to {method} {path}: {error.read()[:500]!r}") from None

    # What it holds

    def find(self, level: str = "Instance", **query: str) -> list[str]:
        """Return the identifiers of what matches, e.g. find("Series", SeriesInstanceUID="1.2.3")."""
        answer = self.post("/tools/find", {"Level": level, "Query": query})
        return [str(identifier) for identifier in answer]

    def tags(self, instance: str) -> dict[str, Any]:
        """Return the simplified tags of an instance."""
        answer = self.get(f"/instances/{instance}/simplified-tags")
        return dict(answer)

    def file(self, instance: str) -> bytes:
        """Return the DICOM file of an instance."""
        return self.get_bytes(f"/instances/{instance}/file")

    def wait_for(self, count: int, *, seconds: float = 60, level: str = "Instance", **query: str) -> list[str]:
        """Wait until at least `count` resources match, and return them; fails with what was there."""
        end = time.monotonic() + seconds
        found: Sequence[str] = ()
        while time.monotonic() < end:
            found = self.find(level, **query)
            if len(found) >= count:
                return list(found)
            time.sleep(0.1)
        raise AssertionError(f"Orthanc should hold {count} of {level} {query} within {seconds} s, got {len(found)}")

    def store_to(self, modality: str, resources: Sequence[str], *, commitment: bool = False) -> Any:
        """Let Orthanc send resources to one of its modalities and wait for the end of the job."""
        body = {"Resources": list(resources), "Synchronous": True, "StorageCommitment": commitment}
        return self.post(f"/modalities/{modality}/store", body)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
