from __future__ import annotations

import contextlib
from io import BytesIO
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.filereader import read_file_meta_info

from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from qagate.errors import NotDicom
from qagate.receive import part10
from qagate.receive.part10 import FileMeta

META = FileMeta("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", "1.2.840.10008.1.2.1", "SCANNER", "QAGATE", "ab" * 32)


def test_round_trip() -> None:
    meta, offset = part10.decode(BytesIO(part10.encode(META) + b"the data set"))
    assert meta == META
    assert (part10.encode(META) + b"the data set")[offset:] == b"the data set"


def test_pydicom_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.dcm"
    path.write_bytes(part10.encode(META))
    meta = read_file_meta_info(path)
    assert meta.FileMetaInformationGroupLength == path.stat().st_size - 132 - 12
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert meta.SourceApplicationEntityTitle == "SCANNER"
    assert meta.ReceivingApplicationEntityTitle == "QAGATE"
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.PrivateInformation == bytes.fromhex("ab" * 32)
    assert dcmread(path).file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"


def test_files_of_others_have_no_digest() -> None:
    with open(pydicom.data.get_testdata_file("CT_small.dcm"), "rb") as stream:
        meta, offset = part10.decode(stream)
        assert meta.sha256 == ""
        assert meta.transfer_syntax_uid == "1.2.840.10008.1.2.1"
        stream.seek(offset)
        assert stream.read(4) == b"\x08\0\x05\0"  # (0008,0005) opens the data set


@pytest.mark.parametrize("data", [b"", b"x" * 200, bytes(128) + b"DICM", bytes(128) + b"DICM" + b"\2\0\x10\0UI"])
def test_not_dicom(data: bytes) -> None:
    with pytest.raises(NotDicom):
        part10.decode(BytesIO(data))


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(NotDicom):
        part10.decode(BytesIO(bytes(128) + b"DICM" + data))


@given(st.text(st.characters(codec="latin-1"), max_size=64))
def test_any_uid_of_a_peer_can_be_written(uid: str) -> None:
    _, offset = part10.decode(BytesIO(part10.encode(FileMeta(uid, uid, "1.2.840.10008.1.2.1"))))
    assert offset == len(part10.encode(FileMeta(uid, uid, "1.2.840.10008.1.2.1")))
