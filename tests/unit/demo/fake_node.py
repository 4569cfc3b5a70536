"""A node that judges nothing: it takes what comes, waits until it is quiet, and sends an empty SR."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from qagate.demo.node import DocumentStatus, SeriesStatus
from qagate.demo.pacs import MiniPacs
from qagate.demo.sample import Sample
from qagate.demo.scanner import send
from qagate.demo.write import uid
from qagate.settings import Settings

SR = "1.2.840.10008.5.1.4.1.1.88.34"


class FakeNode:
    """Answers as a node would. never_delivers: says that it delivered, but does not."""

    def __init__(self, settings: Settings, *, never_delivers: bool = False) -> None:
        self.settings, self.never_delivers = settings, never_delivers
        self.spool = MiniPacs(settings.node.port, settings.storage.data_dir, ae_title="QAGATE")
        self.rows: dict[str, SeriesStatus] = {}
        self.judged: dict[str, int] = {}
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.work)
        self.stopped = False

    def start(self) -> None:
        self.spool.start()
        self.thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join()
        self.spool.stop()
        self.stopped = True

    def series(self) -> list[SeriesStatus]:
        return [row.copy() for row in list(self.rows.values())]

    def work(self) -> None:
        while not self.stopping.wait(0.05):
            series: dict[str, list[float]] = {}
            modality = {}
            for stored in self.spool.objects():
                series.setdefault(stored.series_instance_uid, []).append(stored.at)
                modality[stored.series_instance_uid] = stored.modality
            for series_uid, times in series.items():
                self.judge(series_uid, modality[series_uid], times)

    def judge(self, series_uid: str, modality: str, times: list[float]) -> None:
        row = self.rows.setdefault(
            series_uid, {"series_instance_uid": series_uid, "state": "receiving", "revision": 0, "documents": []}
        )
        if self.judged.get(series_uid) == len(times):
            return
        if time.monotonic() - max(times) < self.settings.completion.quiet_seconds:
            return
        self.judged[series_uid] = len(times)
        if modality not in ("CT", "MR"):
            self.rows[series_uid] = row | {"state": "excluded", "reasons": [f"modality {modality}: rule not-ct-or-mr"]}
            return
        revision = row.get("revision", 0) + 1
        document: DocumentStatus = {
            "kind": "SR",
            "sop_instance_uid": uid("sr", series_uid, revision),
            "delivered": True,
        }
        if not self.never_delivers:
            self.deliver(series_uid, document["sop_instance_uid"])
        self.rows[series_uid] = row | {
            "state": "delivered", "revision": revision, "verdict": "accept" if len(times) > 3 else "review",
            "score": 86.2, "reasons": [] if len(times) > 3 else ["3 slices only"],
            "documents": [*row.get("documents", []), document],
        }  # fmt: skip

    def deliver(self, series_uid: str, sop_instance_uid: str) -> None:
        report = Dataset()
        report.SOPClassUID, report.SOPInstanceUID, report.Modality = SR, sop_instance_uid, "SR"
        report.StudyInstanceUID, report.SeriesInstanceUID = uid("study"), uid("sr series", series_uid)
        report.file_meta = FileMetaDataset()
        report.file_meta.MediaStorageSOPClassUID = SR
        report.file_meta.MediaStorageSOPInstanceUID = sop_instance_uid
        report.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        path = Path(self.settings.storage.data_dir) / f"{sop_instance_uid}.sr"
        report.save_as(path, enforce_file_format=True)
        peer = self.settings.destinations[0]
        assert peer.host is not None
        assert peer.port is not None
        send(Sample("sr", "SR", (path,)), peer.host, peer.port, "QAGATE", peer.ae_title or "")
