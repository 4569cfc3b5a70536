"""The receiver with dcmtk's senders and a real Orthanc as scanner."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread
from pydicom.uid import ExplicitVRLittleEndian

from qagate.deliver.commitment import CommitmentResult, parse_event, request
from qagate.receive import part10
from qagate.receive.spool import Spool
from qagate.settings import Destination, Peer
from tests.bench.bench_ingest import make_objects
from tests.peers import dcmtk
from tests.peers.orthanc import Modality, Orthanc
from tests.peers.orthanc import available as orthanc_available
from tests.unit.receive.scanner import found_in, receiving, tidied

pytestmark = [pytest.mark.peers, pytest.mark.skipif(not dcmtk.available(), reason="dcmtk is not installed")]

FILES = Path(pydicom.data.__file__).parent / "test_files"
REAL_SERIES = Path(__file__).parents[3] / "shared" / "data" / "dicom" / "series"
SENDERS = (Peer(ae_title="STORESCU"), Peer(ae_title="DCMSEND"), Peer(ae_title="ECHOSCU"), Peer(ae_title="ORTHANC"))


def data_set_of(path: Path) -> bytes:
    """Return the encoded data set in a file, as it is."""
    with path.open("rb") as stream:
        _, offset = part10.decode(stream)
    return path.read_bytes()[offset:]


def test_real_files_arrive_as_they_are(tmp_path: Path) -> None:
    names = (
        "CT_small.dcm",
        "MR_small.dcm",
        "JPEG2000.dcm",
        "MR_small_RLE.dcm",
        "JPEG-lossy.dcm",
        "rtdose.dcm",
        "rtplan.dcm",
        "reportsi.dcm",
        "image_dfl.dcm",
        "ExplVR_BigEnd.dcm",
    )
    with receiving(tmp_path, peers=SENDERS) as (receiver, told):
        sent = dcmtk.dcmsend([FILES / name for name in names], port=receiver.port)
        told.closed()
    assert sent.returncode == 0, sent.output
    # some of them are one object in several encodings, kept side by side
    arrived = {(instance.sop_instance_uid, instance.transfer_syntax_uid): instance for instance in told.instances}
    for name in names:
        original = dcmread(FILES / name)
        syntax = original.file_meta.TransferSyntaxUID
        # where the sender offers several uncompressed ones together, we take explicit VR and it converts
        candidates = [(original.SOPInstanceUID, syntax), (original.SOPInstanceUID, ExplicitVRLittleEndian)]
        instance = next(arrived[key] for key in candidates if key in arrived)
        assert instance.transfer_syntax_uid == syntax or not syntax.is_compressed, name
        assert instance.series_instance_uid == original.SeriesInstanceUID, name
        again = dcmread(instance.path)
        if "PixelData" in original:
            assert again.PixelData == original.PixelData, name
        checked = subprocess.run(["dcmftest", str(instance.path)], capture_output=True, text=True, check=False)
        assert checked.stdout.startswith("yes"), name


@pytest.mark.skipif(not REAL_SERIES.is_dir(), reason="the collection of real series is not here")
def test_every_real_series_is_taken(tmp_path: Path) -> None:
    with receiving(tmp_path, peers=SENDERS) as (receiver, told):
        sent = dcmtk.dcmsend([REAL_SERIES], port=receiver.port, options=["--no-uid-checks"])
        told.closed()
    assert sent.returncode == 0, sent.output[-2000:]
    assert sent.statuses
    assert len(told.instances) == len(sent.statuses)
    odd = [instance for instance in told.instances if instance.announced is not None]
    assert len(odd) < 0.01 * len(sent.statuses)  # a file that says its transfer syntax wrongly is announced wrongly
    warned = ["Warning: DataSetDoesNotMatchSOPClass"] * len(odd)
    assert sorted(sent.statuses) == ["Success"] * (len(sent.statuses) - len(odd)) + warned
    for instance in told.instances:
        header = dcmread(instance.path, stop_before_pixels=True)
        assert instance.modality == header.get("Modality", "")
        assert instance.series_instance_uid == header.get("SeriesInstanceUID", "")
        assert instance.sop_instance_uid == header.SOPInstanceUID
        assert hashlib.sha256(data_set_of(instance.path)).hexdigest() == instance.sha256
    adopted = {instance.path: instance.sha256 for instance in found_in(Spool(tmp_path, 0))}
    assert adopted == {instance.path: instance.sha256 for instance in told.instances}


def test_storescu_and_echoscu(tmp_path: Path) -> None:
    with receiving(tmp_path, peers=SENDERS) as (receiver, told):
        assert dcmtk.echoscu(port=receiver.port).returncode == 0
        sent = dcmtk.storescu([FILES / "CT_small.dcm", FILES / "MR_small.dcm"], port=receiver.port)
        assert sent.statuses == ["Success", "Success"]
        again = dcmtk.storescu([FILES / "CT_small.dcm"], port=receiver.port)
        assert again.statuses == ["Success"]
    assert [instance.arrival for instance in told.instances] == ["new", "new", "repeated"]


@pytest.mark.parametrize(
    ("calling", "called", "words"),
    [("STRANGER", "QAGATE", "Calling AE Title Not Recognized"), ("STORESCU", "PACS", "Called AE Title Not Recognized")],
)
def test_refusals_in_dcmtks_words(tmp_path: Path, calling: str, called: str, words: str) -> None:
    with receiving(tmp_path, peers=SENDERS) as (receiver, told):
        sent = dcmtk.storescu([FILES / "CT_small.dcm"], port=receiver.port, calling=calling, called=called)
    assert sent.returncode != 0
    assert words in sent.output
    assert told.events == []


def test_a_full_disk_in_dcmtks_words(tmp_path: Path) -> None:
    with receiving(tmp_path, peers=SENDERS, reserve_bytes=1 << 60) as (receiver, _):
        sent = dcmtk.dcmsend([FILES / "CT_small.dcm"], port=receiver.port)
    assert sent.statuses == ["Refused: OutOfResources"]


def test_a_killed_sender_leaves_whole_objects_only(tmp_path: Path) -> None:
    paths = make_objects(tmp_path / "objects", 100)
    spool = tmp_path / "spool"
    with receiving(spool, peers=SENDERS) as (receiver, told):
        command = ["storescu", "-aec", "QAGATE", "-R", "127.0.0.1", str(receiver.port), *map(str, paths)]
        sender = subprocess.Popen(command, env={**os.environ, "TCP_NODELAY": "1"})
        while len(told.instances) < 5:
            time.sleep(0.005)
        sender.send_signal(signal.SIGKILL)
        sender.wait(10)
        (closed,) = told.closed()
    assert closed.aborted
    assert 5 <= len(told.instances) <= 100
    assert sorted(path for path in spool.rglob("*") if path.is_file()) == sorted(i.path for i in told.instances)
    for instance in told.instances:
        assert hashlib.sha256(data_set_of(instance.path)).hexdigest() == instance.sha256


_KILLED_RECEIVER = """
import sys, threading
from pathlib import Path
from qagate.receive.server import Receiver
from qagate.receive.spool import Spool
from qagate.settings import Node
node = Node(host="127.0.0.1", port=int(sys.argv[1]), accept_unknown_peers=True)
with Receiver(node, Spool(Path(sys.argv[2]), 0), lambda instance: None, lambda event: None):
    print("ready", flush=True)
    threading.Event().wait()
"""


def test_a_killed_receiver_keeps_everything_it_acknowledged(tmp_path: Path) -> None:
    paths = make_objects(tmp_path / "objects", 100)
    port = dcmtk.free_port()
    command = [sys.executable, "-c", _KILLED_RECEIVER, str(port), str(tmp_path / "spool")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as receiver:
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == b"ready\n"
        with subprocess.Popen(
            ["storescu", "-v", "-aec", "QAGATE", "-R", "127.0.0.1", str(port), *map(str, paths)],
            env={**os.environ, "TCP_NODELAY": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as sender:
            assert sender.stdout is not None
            lines = []
            for line in sender.stdout:
                lines.append(line)
                if sum("Store Response (Success)" in each for each in lines) == 10:
                    receiver.kill()
    output = "".join(lines)
    acknowledged = output.count("Store Response (Success)")
    assert acknowledged >= 10
    spool = Spool(tmp_path / "spool", 0)
    adopted = found_in(spool)
    # everything that was acknowledged, and at most the one whose acknowledgement was under way
    assert acknowledged <= len(adopted) <= acknowledged + 1
    for instance in adopted:
        assert hashlib.sha256(data_set_of(instance.path)).hexdigest() == instance.sha256
    tidied(spool, -1)
    left = [path for path in spool.root.rglob("*") if path.is_file()]
    assert len(left) == len(adopted)


@pytest.mark.skipif(not orthanc_available(), reason="Orthanc is not installed")
def test_orthanc_sends_and_asks_us_nothing_it_should_not_get(tmp_path: Path) -> None:
    with receiving(tmp_path / "spool", peers=SENDERS) as (receiver, told):
        modalities = {"qagate": Modality("QAGATE", receiver.port)}
        with Orthanc(tmp_path / "orthanc", modalities=modalities) as pacs:
            for name in ("CT_small.dcm", "JPEG2000.dcm"):
                pacs.post("/instances", (FILES / name).read_bytes())
            instances = pacs.wait_for(2)
            pacs.post("/modalities/qagate/echo")
            pacs.store_to("qagate", instances)
            assert {i.transfer_syntax_uid for i in told.instances} == {
                "1.2.840.10008.1.2.1",
                "1.2.840.10008.1.2.4.91",
            }

            # and it tells us whether it keeps what we ask it for
            ct = dcmread(FILES / "CT_small.dcm")
            archive = Destination(name="pacs", ae_title="ORTHANC", host="127.0.0.1", port=pacs.port)
            asked = [(str(ct.SOPClassUID), str(ct.SOPInstanceUID)), (str(ct.SOPClassUID), "1.2.3")]
            at_once = request(archive, asked, calling_ae_title="QAGATE", transaction_uid="2.25.77")
            end = time.monotonic() + 20
            while not told.commitments and time.monotonic() < end:
                time.sleep(0.05)
            ((information, peer),) = told.commitments
    assert at_once is None
    assert peer == "ORTHANC"
    assert parse_event(information) == CommitmentResult("2.25.77", (str(ct.SOPInstanceUID),), {"1.2.3": 0x0112})
