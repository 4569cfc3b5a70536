"""STOW-RS in and out: the archive of reports speaks HTTP, and so does the sender."""

from __future__ import annotations

import io
import socket
import time
import urllib.error
import urllib.request

from pydicom.dataset import Dataset
from pydicom.filewriter import write_dataset

from qagate.receive import part10
from tests.crash.ledger import account
from tests.crash.scenario import BOTH, scenario
from tests.crash.sending import Promise, sha256
from tests.crash.stage import Setup, Stage, uid
from tests.crash.stow import StowArchive
from tests.peers.dcmtk import free_port

PORT = free_port()
STOW_OUT = Setup(
    "stow-out",
    more_destinations=(
        {
            "name": "WEB",
            "kind": "stow",
            "url": f"http://127.0.0.1:{PORT}/dicom-web",
            "timeout_seconds": 4,
        },
    ),
    own=True,
)
STOW_IN = Setup("stow-in", web=True)
STOW_INLINE = Setup("stow-inline", web=True, inline=True)
STOW_SMALL = Setup("stow-small-spool", web=True, disks={"data/spool": "16m"})


def _with_archive(stage: Stage) -> StowArchive:
    archive = StowArchive(stage.folder / "archive")
    archive.port = PORT
    return archive


def _reports(stage: Stage, archive: StowArchive, *numbers: int) -> None:
    """All series are at their end, and the archive has each report once."""
    stage.at_end(*numbers)
    ledger = account(
        stage.sender.promises, stage.node.settings, stage.node.database_url, archive.objects(), destination="WEB"
    )
    assert ledger.faults == [], str(ledger)


@scenario("stow-out-503", "the web archive answers 503 for some tries", STOW_OUT)
def _(stage: Stage) -> None:
    with _with_archive(stage) as archive:
        archive.codes = [503, 503, 500]
        _reports(stage, archive, stage.send(), stage.send())


@scenario("stow-out-down", "the web archive is down, then up", STOW_OUT)
def _(stage: Stage) -> None:
    number = stage.send()
    stage.wait(lambda: stage.tried(number, "WEB"), "a try in vain")
    with _with_archive(stage) as archive:
        _reports(stage, archive, number)


@scenario("stow-out-silent", "the web archive takes requests and never answers", STOW_OUT)
def _(stage: Stage) -> None:
    with _with_archive(stage) as archive:
        archive.mood = "silent"
        number = stage.send()
        stage.wait(lambda: stage.tried(number, "WEB") and stage.went(number, "PACS"), "a try in vain")
        archive.mood = "well"
        _reports(stage, archive, number)


@scenario("stow-out-rude", "the web archive closes connections without an answer", STOW_OUT)
def _(stage: Stage) -> None:
    with _with_archive(stage) as archive:
        archive.mood = "rude"
        number = stage.send()
        stage.wait(lambda: stage.tried(number, "WEB"), "a try in vain")
        archive.mood = "well"
        _reports(stage, archive, number)


@scenario("stow-out-409", "the web archive says that it has everything already", STOW_OUT)
def _(stage: Stage) -> None:
    with _with_archive(stage) as archive:
        archive.mood = "duplicates"
        _reports(stage, archive, stage.send())


# in


def _part(image: Dataset) -> bytes:
    buffer = io.BytesIO()
    meta = part10.FileMeta(
        sop_class_uid=str(image.SOPClassUID),
        sop_instance_uid=str(image.SOPInstanceUID),
        transfer_syntax_uid=str(image.file_meta.TransferSyntaxUID),
        calling_ae_title="WEB",
        called_ae_title="QAGATE",
        sha256="",
    )
    from pydicom.filebase import DicomBytesIO

    body = DicomBytesIO()
    body.is_little_endian, body.is_implicit_VR = True, False
    write_dataset(body, image)
    buffer.write(part10.encode(meta) + body.getvalue())
    return buffer.getvalue()


def _request(images: list[Dataset]) -> bytes:
    parts = (b"--sep\r\nContent-Type: application/dicom\r\n\r\n" + _part(image) + b"\r\n" for image in images)
    return b"".join(parts) + b"--sep--\r\n"


def _post(stage: Stage, images: list[Dataset]) -> int:
    """Send images in one request; returns the HTTP code, 0 for none. What is answered as stored is a promise."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{stage.node.web_port}/dicom-web/studies",
        _request(images),
        {"Content-Type": 'multipart/related; type="application/dicom"; boundary=sep'},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            code = int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    if code == 200:
        stage.sender.promises += [Promise(str(i.SeriesInstanceUID), str(i.SOPInstanceUID), sha256(i)) for i in images]
    return code


@scenario("stow-in", "a series comes by HTTP", STOW_IN)
def _(stage: Stage) -> None:
    number = stage.new()
    assert _post(stage, stage.made(number)) == 200
    stage.at_end(number)


@scenario("stow-in-half", "a request by HTTP breaks off half-way: what was whole is kept, and said incomplete", STOW_IN)
def _(stage: Stage) -> None:
    number = stage.new()
    body = _request(stage.made(number, 4))
    half = body[: len(body) * 5 // 8]
    with socket.create_connection(("127.0.0.1", stage.node.web_port), 5) as connection:
        connection.sendall(
            b"POST /dicom-web/studies HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
            + str(len(body)).encode()
            + b'\r\nContent-Type: multipart/related; type="application/dicom"; boundary=sep\r\n\r\n'
            + half
        )
        time.sleep(1)
    stage.at_end(number)
    assert "incomplete_series" in stage.findings(number)[0]
    assert _post(stage, stage.made(number, 4)) == 200
    stage.at_end(number, revision=2)


@scenario("stow-in-killed", "the web process is killed right after it has answered", STOW_IN, databases=BOTH)
def _(stage: Stage) -> None:
    number = stage.new()
    for image in stage.made(number, 4):
        while _post(stage, [image]) != 200:
            time.sleep(0.2)
        stage.node.kill("web")
    stage.node.ready()
    stage.wait(lambda: stage.known(number) == 4, "all images to be known")
    stage.at_end(number)


@scenario("stow-in-full", "the spool is full for what comes by HTTP: refused, and taken when there is room", STOW_SMALL)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.fill("data/spool", leave=4096)
    assert _post(stage, stage.made(number)) == 409
    stage.empty("data/spool")
    assert _post(stage, stage.made(number)) == 200
    stage.at_end(number)


@scenario(
    "stow-inline", "inline, what comes by HTTP reaches the PACS as well, though the web process dies", STOW_INLINE
)
def _(stage: Stage) -> None:
    number = stage.new()
    assert _post(stage, stage.made(number)) == 200
    stage.node.kill("web")
    stage.wait(lambda: stage.images_at(stage.pacs, number) == 3, "its images to be at the PACS")
    stage.node.ready()
    stage.at_end(number)
    assert uid(number)


@scenario(
    "stow-adopts-for-the-receiver",
    "the receiver dies before its rows, the web process adopts: still forwarded",
    STOW_INLINE,
    fast=True,
    databases=BOTH,
)
def _(stage: Stage) -> None:
    number = stage.new()
    stage.node.kill("web", stay_down=True)
    stage.node.armed.arm("answered 3")
    stage.sender.send(stage.made(number), restart=False)
    stage.node.kill("receive", stay_down=True)
    stage.node.start("web")
    stage.wait(lambda: stage.known(number) == 3, "the web process to adopt them")
    stage.node.armed.arm()
    stage.node.start("receive")
    stage.node.ready()
    stage.wait(lambda: stage.images_at(stage.pacs, number) == 3, "its images to be at the PACS")
    stage.at_end(number)
