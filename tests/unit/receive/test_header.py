from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pydicom.data
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pynetdicom.dsutils import encode

from qagate.receive import part10
from qagate.receive.header import Header, read_header
from tests.unit.receive.scanner import make_object

IMPLICIT, EXPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.1.99",
)
WHOLE = Header("1.2.840.10008.5.1.4.1.1.2", "1.2.3.1", "CT", "1.2", "1.2.3")


def encoded(data_set: Dataset, *, implicit: bool = False, little: bool = True) -> bytes:
    data = encode(data_set, implicit, little)
    assert data is not None
    return data


@pytest.mark.parametrize(
    ("syntax", "implicit", "little"), [(IMPLICIT, True, True), (EXPLICIT, False, True), (BIG, False, False)]
)
def test_every_encoding(syntax: str, implicit: bool, little: bool) -> None:
    assert read_header(encoded(make_object(), implicit=implicit, little=little), syntax) == WHOLE


# PS3.5 A.5, A.7, A.12
@pytest.mark.parametrize("syntax", [DEFLATED, "1.2.840.10008.1.2.4.95", "1.2.840.10008.1.2.4.205"])
def test_deflated(syntax: str) -> None:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert read_header(deflate.compress(encoded(make_object())) + deflate.flush(), syntax) == WHOLE


def test_a_data_set_with_deflated_frames_is_not_deflated_itself() -> None:
    assert read_header(encoded(make_object()), "1.2.840.10008.1.2.8.1") == WHOLE  # PS3.5 A.4.13


def test_deflated_that_is_not() -> None:
    assert read_header(encoded(make_object()), DEFLATED) == Header()


def test_deflate_bomb_is_not_unpacked() -> None:
    deflate = zlib.compressobj(9, wbits=-zlib.MAX_WBITS)
    bomb = b"".join(deflate.compress(bytes(1 << 20)) for _ in range(64)) + deflate.flush()  # 64 MiB in 64 KiB
    assert read_header(bomb, DEFLATED) == Header()


def test_sender_that_encodes_otherwise_than_negotiated() -> None:
    assert read_header(encoded(make_object()), IMPLICIT) == WHOLE


def test_private_transfer_syntax_is_read_as_explicit() -> None:
    assert read_header(encoded(make_object()), "1.2.826.0.1.99") == WHOLE


def test_real_files_agree_with_pydicom() -> None:
    compared = 0
    for path in sorted((Path(pydicom.data.__file__).parent / "test_files").glob("*.dcm")):
        try:
            with path.open("rb") as stream:
                meta, offset = part10.decode(stream)
                stream.seek(offset)
                header = read_header(stream.read(), meta.transfer_syntax_uid)
            expected = dcmread(path, stop_before_pixels=True)
        except (part10.NotDicom, InvalidDicomError, AttributeError, NotImplementedError):
            continue
        if path.name.startswith("badVR") or "no_meta" in path.name:
            continue
        assert header == Header(
            *(
                str(expected.get(keyword, "") or "")
                for keyword in ("SOPClassUID", "SOPInstanceUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID")
            )
        ), path.name
        compared += 1
    assert compared > 50


def test_sequences_of_undefined_length_are_skipped() -> None:
    inner = make_object("9.9", "9.9.9")
    inner.file_meta = None
    data_set = make_object()
    data_set.ReferencedStudySequence = [inner]
    data_set["ReferencedStudySequence"].is_undefined_length = True
    inner.is_undefined_length_sequence_item = True
    data_set.SourceImageSequence = [Dataset(), Dataset()]
    data_set["SourceImageSequence"].is_undefined_length = True
    assert read_header(encoded(data_set), EXPLICIT) == WHOLE
    assert read_header(encoded(data_set, implicit=True), IMPLICIT) == WHOLE


def test_unknown_of_undefined_length_holds_implicit_vr() -> None:
    # (0009,1001) UN of undefined length, one item with (0008,0060) in implicit VR: PS3.5 6.2.2
    item = struct.pack("<HHI", 8, 0x60, 2) + b"US"
    block = struct.pack("<HH2sHI", 9, 0x1001, b"UN", 0, 0xFFFFFFFF)
    block += struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF) + item + struct.pack("<HHI", 0xFFFE, 0xE00D, 0)
    block += struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    whole = encoded(make_object())
    at = whole.index(struct.pack("<HH", 0x10, 0x10))  # in front of PatientName
    assert read_header(whole[:at] + block + whole[at:], EXPLICIT) == WHOLE


def test_values_too_long_for_a_uid_count_as_absent() -> None:
    uid = b"1" * 4000
    element = struct.pack("<HH2sH", 8, 0x18, b"UI", len(uid)) + uid
    assert read_header(element, EXPLICIT).sop_instance_uid == ""


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1.2\0", "1.2"),
        (b"1.2 \0", "1.2"),
        (b"1.2\\3.4", "1.2"),  # the first of several
        (b"1.\0012\x7f", "1.2"),  # nothing that a database refuses
        (b"../../x\0", "../../x"),
        (b"", ""),
    ],
)
def test_text_is_cleaned(value: bytes, expected: str) -> None:
    value += b"\0" * (len(value) % 2)
    element = struct.pack("<HH2sH", 8, 0x18, b"UI", len(value)) + value
    assert read_header(element, EXPLICIT).sop_instance_uid == expected


def test_truncated_anywhere_never_fails() -> None:
    whole = encoded(make_object())
    for length in range(len(whole)):
        header = read_header(whole[:length], EXPLICIT)
        for keyword in Header.__slots__:
            value = getattr(header, keyword)
            assert getattr(WHOLE, keyword).startswith(value)
    assert read_header(whole, EXPLICIT) == WHOLE


@given(st.binary(max_size=300), st.sampled_from([IMPLICIT, EXPLICIT, BIG, DEFLATED, "1.2.3", ""]))
@settings(max_examples=300, deadline=None)
def test_any_bytes_never_fail(data: bytes, syntax: str) -> None:
    read_header(data, syntax)


@given(st.binary(max_size=40), st.integers(0, 200))
@settings(max_examples=200, deadline=None)
def test_damaged_header_never_fails(noise: bytes, at: int) -> None:
    whole = bytearray(encoded(make_object()))
    whole[at : at + len(noise)] = noise
    read_header(bytes(whole), EXPLICIT)


def test_endless_nesting_is_given_up() -> None:
    nested = struct.pack("<HH2sHI", 8, 0x1115, b"SQ", 0, 0xFFFFFFFF) * 10_000
    assert read_header(nested, EXPLICIT) == Header()
