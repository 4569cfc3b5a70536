from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless
from pynetdicom.dsutils import split_dataset

from qagate.deliver import originals
from qagate.deliver.originals import Original, forward
from qagate.deliver.receipt import Receipt
from qagate.domain.obstacle import Obstacle
from qagate.errors import AssociationRejected, DeliveryError, DeliveryRefused, Unreachable, Unsendable
from qagate.receive.part10 import FileMeta, encode
from qagate.settings import Destination
from tests.unit.deliver.archive import archiving

MR, CT = "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT, IMPLICIT = str(ExplicitVRLittleEndian), str(ImplicitVRLittleEndian)


def original(path: Path) -> Original:
    dataset = pydicom.dcmread(path)
    _, offset = split_dataset(path)
    return Original(
        path, str(dataset.SOPClassUID), str(dataset.SOPInstanceUID), str(dataset.file_meta.TransferSyntaxUID),
        hashlib.sha256(path.read_bytes()[offset:]).hexdigest(),
    )  # fmt: skip


def file(name: str, folder: Path | None = None, uid: str = "") -> Path:
    path = Path(str(get_testdata_file(name, download=False)))
    if folder is None:
        return path
    dataset = pydicom.dcmread(path)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
    dataset.save_as(folder / f"{uid}.dcm")
    return folder / f"{uid}.dcm"


def send(destination: Destination, *paths: Path) -> list[Receipt | DeliveryError]:
    return [answer for _, answer in forward([original(p) for p in paths], destination, calling_ae_title="QAGATE")]


def raw(archive_events: list[bytes]):
    def store(data_set, event):
        archive_events.append(event.request.DataSet.getvalue())
        return 0x0000

    return store


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("MR_small.dcm", EXPLICIT),
        ("MR_small_RLE.dcm", str(RLELossless)),
        ("MR_small_bigendian.dcm", str(ExplicitVRBigEndian)),
    ],
)
def test_bytes_go_as_they_came(name, syntax):
    got: list[bytes] = []
    with archiving(MR, syntaxes=(syntax, EXPLICIT)) as (destination, archive):
        archive.answer = raw(got)
        (receipt,) = send(destination, file(name))
    assert receipt == Receipt(original(file(name)).sop_instance_uid, "stored", 0)
    assert archive.syntaxes == [syntax]
    assert hashlib.sha256(got[0]).hexdigest() == original(file(name)).sha256


def test_only_the_other_little_endian_may_stand_for_one_and_that_is_said():
    with archiving(MR, syntaxes=(IMPLICIT,)) as (destination, archive):
        (receipt,) = send(destination, file("MR_small.dcm"))
    assert isinstance(receipt, Receipt)
    assert "Implicit VR Little Endian instead of Explicit VR Little Endian" in receipt.detail
    sent = pydicom.dcmread(file("MR_small.dcm"))
    assert archive.received[0].PixelData == sent.PixelData
    assert [e.tag for e in archive.received[0]] == [e.tag for e in sent]


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "MR_small_bigendian.dcm"])
def test_nothing_is_decompressed_or_turned_round(name, tmp_path):
    with archiving(MR) as (destination, archive):
        refused, receipt = send(destination, file(name), file("MR_small.dcm", tmp_path, "1.2.9"))
    assert isinstance(refused, DeliveryRefused)
    assert "is not changed for it" in str(refused)
    assert isinstance(receipt, Receipt)
    assert archive.uids == ["1.2.9"]


def test_a_destination_that_takes_none_of_it_is_told_apart_from_one_that_is_away():
    with archiving(CT) as (destination, _):
        (refused,) = send(destination, file("MR_small.dcm"))
        assert isinstance(refused, DeliveryRefused)
        away = destination.model_copy(update={"port": 9})
    with pytest.raises(Unreachable):
        send(away, file("MR_small.dcm"))


def test_one_refusal_is_not_the_others(tmp_path):
    paths = [file("MR_small.dcm", tmp_path, f"1.2.{n}") for n in (1, 2, 3)]
    statuses = {"1.2.1": 0xA700, "1.2.2": 0xC000, "1.2.3": 0x0111}
    with archiving(MR) as (destination, archive):
        archive.answer = lambda data_set, event: statuses[data_set.SOPInstanceUID]
        later, never, known = send(destination, *paths)
    assert (type(later), type(never)) == (DeliveryError, DeliveryRefused)
    assert isinstance(known, Receipt)
    assert known.status == "warning"
    assert archive.associations == 1


def test_a_file_that_is_not_what_was_received_is_not_sent(tmp_path):
    path = file("MR_small.dcm", tmp_path, "1.2.1")
    whole = original(path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    gone = Original(tmp_path / "gone.dcm", MR, "1.2.2", EXPLICIT, "0" * 64)
    with archiving(MR) as (destination, archive):
        answers = [answer for _, answer in forward([whole, gone], destination, calling_ae_title="QAGATE")]
    assert [type(answer) for answer in answers] == [Unsendable, Unsendable]
    assert [Obstacle.of(answer) for answer in answers] == [Obstacle.UNSENDABLE] * 2
    assert "other bytes" in str(answers[0])
    assert archive.uids == []


@pytest.mark.parametrize(
    "broken",
    [
        b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\x01\x02\x03\x04\x10\0\0\0",  # no item where one must begin
        b"\xe0\x7f\x10\0OW\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\x10\0\0\0",  # pydicom leaves all of it out
    ],
    ids=["sequence", "frames"],
)
def test_an_object_that_cannot_be_encoded_anew_is_refused_and_keeps_nothing_back(tmp_path, broken):
    """The first ended the batch, again and again, and what was behind it never went; of the second nothing was sent."""
    data = b"\x08\0\x16\0UI\x1a\0" + MR.encode() + b"\0" + broken
    assert len(MR) == 25
    meta = FileMeta(MR, "1.2.3", EXPLICIT, "S", "Q", hashlib.sha256(data).hexdigest())
    path = tmp_path / "broken.dcm"
    path.write_bytes(encode(meta) + data)
    poison = Original(path, MR, "1.2.3", EXPLICIT, meta.sha256)
    with archiving(MR, syntaxes=(IMPLICIT,)) as (destination, archive):
        answers = forward([poison, original(file("MR_small.dcm"))], destination, calling_ae_title="QAGATE")
        first, second = (answer for _, answer in answers)
    assert isinstance(first, DeliveryRefused)
    assert isinstance(second, Receipt)
    assert len(archive.received) == 1


def test_a_fault_with_one_image_is_its_own(monkeypatch, tmp_path):
    def fault(one):
        if one.sop_instance_uid == "1.2.1":
            raise RecursionError

    monkeypatch.setattr(originals, "_check", fault)
    paths = [file("MR_small.dcm", tmp_path, f"1.2.{n}") for n in (1, 2)]
    with archiving(MR) as (destination, _):
        first, second = send(destination, *paths)
    assert type(first) is DeliveryError  # tried again later
    assert isinstance(second, Receipt)


def test_an_archive_that_breaks_off_at_one_image_is_told_from_one_that_is_away(tmp_path):
    paths = [file("MR_small.dcm", tmp_path, f"1.2.{n}") for n in (1, 2, 3)]

    def abort_at_second(data_set, event):
        if data_set.SOPInstanceUID == "1.2.2":
            event.assoc.abort()
        return 0x0000

    taken = []

    def forward_all(destination):
        for one, _ in forward([original(p) for p in paths], destination, calling_ae_title="QAGATE"):
            taken.append(one.sop_instance_uid)

    with archiving(MR) as (destination, archive):
        archive.answer = abort_at_second
        with pytest.raises(AssociationRejected) as caught:
            forward_all(destination)
    assert taken == ["1.2.1"]
    assert caught.value.broke_off
    with pytest.raises(Unreachable) as caught:  # nobody listens there any more
        send(destination, *paths)
    assert not caught.value.broke_off


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (OSError(errno.EMFILE, "Too many open files"), DeliveryError),
        (OSError(errno.EIO, "Input/output error"), DeliveryError),
        (OSError(errno.ESTALE, "Stale file handle"), DeliveryError),
        (FileNotFoundError(errno.ENOENT, "No such file"), Unsendable),
    ],
    ids=["descriptors", "disk", "share", "gone"],
)
def test_an_image_that_cannot_be_read_at_this_moment_is_tried_again(monkeypatch, fault, kind):
    """It was parked as refused for good, and needed a person when the disk was there again."""

    def broken(_):
        raise fault

    monkeypatch.setattr(originals, "split_dataset", broken)
    image = original(file("MR_small.dcm"))
    with archiving(MR) as (destination, _):
        ((_, answer),) = forward([image], destination, calling_ae_title="QAGATE")
    assert type(answer) is kind


def test_an_image_whose_whole_folder_is_away_is_tried_again(tmp_path):
    image = Original(tmp_path / "not mounted" / "1.dcm", MR, "1.2.2", EXPLICIT, "0" * 64)
    with archiving(MR) as (destination, _):
        ((_, answer),) = forward([image], destination, calling_ae_title="QAGATE")
    assert type(answer) is DeliveryError
