"""Evidence: whatever stands in the headers of the source, a document of the same patient comes out."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, reject
from hypothesis import settings as limits
from hypothesis import strategies as st
from pydicom import DataElement, Dataset, dcmread
from pydicom.config import IGNORE
from pydicom.data import get_charset_files, get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from qagate.report.attribute import text
from qagate.report.build import build
from qagate.report.evidence import OPTIONAL, REQUIRED, essentials, normalise
from qagate.settings import Report
from tests.unit.report import making

CHARACTER_SETS: tuple[tuple[Any, str], ...] = (
    (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう"),
    (["", "ISO 2022 IR 149"], "Hong^Gildong=洪^吉洞=홍^길동"),
    ("ISO_IR 100", "Äneas^Rüdiger"),
    ("ISO_IR 144", "Люкceмбypг^Иван"),
    ("GB18030", "Wang^XiaoDong=王^小东"),
    ("ISO_IR 192", "Wang^XiaoDong=王^小東"),
    ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ("", "Plain^Name"),
)

NO_PAGE = Report(secondary_capture=False)  # drawing takes most of the time and reads the same attributes


def from_disk(dataset: Dataset) -> Dataset:
    """The data set as it is after it was written and read again, values still raw."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.2")
    meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "1.2.3")
    dataset.file_meta = meta
    stream = io.BytesIO()
    dataset.save_as(stream, enforce_file_format=True)
    stream.seek(0)
    return dcmread(stream)


def test_who_gave_the_numbers_goes_with_them() -> None:
    hospital, order = Dataset(), Dataset()
    hospital.UniversalEntityID, hospital.UniversalEntityIDType = "1.2.3.4", "ISO"
    order.LocalNamespaceEntityID = "RIS-1"
    source = from_disk(
        making.header(
            1,
            IssuerOfPatientID="SOUTH",
            IssuerOfPatientIDQualifiersSequence=[hospital],
            IssuerOfAccessionNumberSequence=[order],
        )
    )
    for document in build(making.request(evidence=(essentials(source),))):
        written = from_disk(document.variants[0])
        assert written.IssuerOfPatientID == "SOUTH"
        assert written.IssuerOfPatientIDQualifiersSequence[0].UniversalEntityID == "1.2.3.4"
        assert written.IssuerOfAccessionNumberSequence[0].LocalNamespaceEntityID == "RIS-1"
    broken = making.header(1)
    broken.add_new("IssuerOfAccessionNumberSequence", "SQ", [Dataset()])
    assert normalise([broken], "1.2", "1.3").issuers == {}
    half, untyped = Dataset(), Dataset()
    half.LocalNamespaceEntityID, half.UniversalEntityIDType = "RIS-1", "ISO"
    untyped.UniversalEntityID = "1.2.3.4"
    source = making.header(1, IssuerOfAccessionNumberSequence=[half], IssuerOfPatientIDQualifiersSequence=[untyped])
    found = normalise([essentials(source)], "1.2", "1.3").issuers
    assert found == {"IssuerOfAccessionNumberSequence": {"LocalNamespaceEntityID": "RIS-1"}}


def test_a_number_with_a_backslash_stays_whole() -> None:
    source = from_disk(making.header(1, PatientID="4711\\B", AccessionNumber="A\\1", StudyDescription="a\\b"))
    attributes = normalise([essentials(source)], "1.2", "1.3").attributes
    assert [attributes[keyword] for keyword in ("PatientID", "AccessionNumber", "StudyDescription")] == [
        "4711\\B",
        "A\\1",
        "a",
    ]
    request = making.request(evidence=(source,), settings=NO_PAGE)
    for document in build(request):
        assert from_disk(document.variants[0]).get_item("PatientID").value.rstrip(b" ") == b"4711\\B"


def test_what_switches_to_chinese_is_no_part_of_a_name() -> None:
    source = making.header(1, SpecificCharacterSet=["", "ISO 2022 IR 58"])
    read = from_disk(source)
    raw: Any = read.get_item("PatientName")
    # the example of PS3.5 K.2: pydicom writes none of the escape sequences that the standard asks for
    written = b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="
    read._dict[raw.tag] = raw._replace(value=written, length=len(written))
    assert normalise([essentials(read)], "1.2", "1.3").attributes["PatientName"] == "Zhang^XiaoDong=张^小东"


@pytest.mark.parametrize(("character_set", "name"), CHARACTER_SETS)
def test_what_is_kept_of_a_header_says_all_that_the_whole_says(character_set: Any, name: str) -> None:
    order = Dataset()
    order.RequestedProcedureID, order.RequestedProcedureDescription = "P 7", "Ärm"
    header = making.header(
        1,
        SpecificCharacterSet=character_set,
        PatientName=name,
        RequestAttributesSequence=[order],
        TimezoneOffsetFromUTC="+0900",
        LossyImageCompression="01",
        NumberOfFrames=4,
        PatientIdentityRemoved="YES",
        DeidentificationMethod="by hand",
        InstitutionName="A hospital",
        EthnicGroup="word",
        ProtocolName="Abd",
    )
    for source in (header, from_disk(header)):
        whole = normalise([source], "1.2", "1.3")
        assert normalise([essentials(source)], "1.2", "1.3") == whole
        assert whole.requests
        assert whole.lossy
        assert whole.timezone
        assert whole.instances[0].frames == 4
        assert set(OPTIONAL) & set(whole.attributes) >= {"InstitutionName", "EthnicGroup"}


def test_pixels_and_other_large_things_are_not_kept() -> None:
    header = making.header(1, PixelData=b"\0" * 64)
    header.PerFrameFunctionalGroupsSequence = [Dataset()]
    kept = essentials(header)
    assert "PixelData" not in kept
    assert "PerFrameFunctionalGroupsSequence" not in kept


@pytest.mark.parametrize(("character_set", "name"), CHARACTER_SETS)
def test_names_survive_every_character_set(character_set: Any, name: str, tmp_path: Path) -> None:
    headers = tuple(
        from_disk(making.header(k + 1, SpecificCharacterSet=character_set, PatientName=name)) for k in range(12)
    )
    for document in build(making.request(evidence=headers)):
        for path in document.write(tmp_path):
            read = dcmread(path)
            assert read.SpecificCharacterSet == "ISO_IR 192"
            assert str(read.PatientName) == name


@pytest.mark.parametrize("path", get_charset_files("*.dcm"), ids=lambda path: Path(path).stem)
def test_names_in_pydicoms_own_files_survive(path: str, tmp_path: Path) -> None:
    source = dcmread(path)
    request = making.request(making.unscored(), evidence=(source,), pictures={}, settings=NO_PAGE)
    for document in build(request):
        for written in document.write(tmp_path):
            assert str(dcmread(written).PatientName) == str(source.get("PatientName", ""))


def test_an_object_without_anything_is_survived(tmp_path: Path) -> None:
    documents = build(making.request(evidence=(Dataset(),), pictures={}))
    assert [document.kind for document in documents] == ["SR", "SC"]  # a note has nothing to point at
    for document in documents:
        assert document.variants[0].StudyInstanceUID == making.STUDY  # from the assessment
        document.write(tmp_path)
        for keyword in REQUIRED:
            assert keyword in document.variants[0]


def test_no_evidence_at_all_is_survived() -> None:
    assert build(making.request(evidence=(), pictures={}))


def test_a_study_uid_is_made_when_nobody_knows_one() -> None:
    origin = normalise((making.header(1, StudyInstanceUID=None, SeriesInstanceUID=None),), "", "")
    again = normalise((making.header(1, StudyInstanceUID=None, SeriesInstanceUID=None),), "", "")
    assert origin.study_instance_uid.startswith("2.25.")
    assert origin.series_instance_uid not in ("", origin.study_instance_uid)
    assert (origin.study_instance_uid, origin.series_instance_uid) == (
        again.study_instance_uid,
        again.series_instance_uid,
    )


@pytest.mark.parametrize(
    ("keyword", "found", "expected"),
    [
        ("StudyDate", "20250601", "20250601"),
        ("StudyDate", "2025-06-01", "20250601"),  # not DICOM, but not ambiguous
        ("StudyDate", "2025.06.01", "20250601"),  # ACR-NEMA
        ("StudyDate", "20250631", ""),  # June has 30 days
        ("StudyDate", "01062025", ""),  # year 0106, month 20
        ("StudyDate", "soon", ""),
        ("StudyTime", "101500", "101500"),
        ("StudyTime", "10:15:00", "101500"),
        ("StudyTime", "1015", "1015"),
        ("StudyTime", "101500.123456", "101500.123456"),
        ("StudyTime", "1015.5", ""),  # a fraction needs seconds
        ("StudyTime", "251500", ""),
        ("PatientSex", "F", "F"),
        ("PatientSex", "U", ""),
        ("PatientSex", "female", ""),
        ("PatientAge", "055Y", "055Y"),
        ("PatientAge", "55", ""),
        ("TimezoneOffsetFromUTC", "+0900", "+0900"),
        ("TimezoneOffsetFromUTC", "9", ""),
        ("TimezoneOffsetFromUTC", "+2500", ""),
        ("PatientID", " 12\x003 ", "123"),
        ("PatientID", "9" * 70, "9" * 70),  # a shortened identifier is another patient's
        ("AccessionNumber", "A" * 20, "A" * 20),
        ("StudyDescription", "d" * 70, "d" * 64),
        ("StudyDescription", "a\nb\x1b[2J\tc", "ab[2Jc"),
        ("StudyDescription", "left\\right", "left"),
        ("NoSuchKeyword", "x", ""),
    ],
)
def test_values_are_kept_mended_or_left_empty(keyword: str, found: str, expected: str) -> None:
    dataset = Dataset()
    tag = tag_for_keyword(keyword)
    if tag is not None:
        dataset.add(DataElement(tag, pydicom.datadict.dictionary_VR(tag), found, validation_mode=IGNORE))
    assert text(dataset, keyword) == expected


def test_patient_attributes_come_from_one_header() -> None:
    nameless = making.header(1, PatientID=None, PatientName="Somebody^Else", AccessionNumber="OTHER")
    origin = normalise((nameless, making.header(2)), "", "")
    assert origin.attributes["PatientID"] == "QG-0001"
    assert origin.attributes["PatientName"] == "山田^太郎"
    assert origin.attributes["AccessionNumber"] == "ACC-77"


def test_instances_are_listed_once_and_only_those_of_the_study() -> None:
    headers = (
        making.header(1),
        making.header(1),
        making.header(2, StudyInstanceUID="1.2.3"),
        making.header(3, SOPInstanceUID=None),
        making.header(4, SOPClassUID=None),
        making.header(5),
        making.header(6, NumberOfFrames=30),
    )
    headers[5].add(DataElement("NumberOfFrames", "LO", "ten"))
    instances = normalise(headers, "", "").instances
    assert [(i.sop_instance_uid, i.frames) for i in instances] == [
        (making.sop(1), 1),
        (making.sop(5), 1),
        (making.sop(6), 30),
    ]


def test_what_is_no_image_is_not_called_one() -> None:
    report = making.header(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.34", Rows=None)
    private = making.header(2, SOPClassUID="1.2.3.4.5", Rows=64)
    origin = normalise((report, private, making.header(3)), "", "")
    assert [instance.is_image for instance in origin.instances] == [False, True, True]


def test_deidentification_is_carried_on() -> None:
    header = making.header(1, PatientIdentityRemoved="YES", DeidentificationMethod="Basic profile")
    for document in build(making.request(evidence=(header,))):
        assert document.variants[0].PatientIdentityRemoved == "YES"
        assert document.variants[0].DeidentificationMethod == "Basic profile"


KEYWORDS = [
    *REQUIRED,
    "PatientAge",
    "TimezoneOffsetFromUTC",
    "SpecificCharacterSet",
    "StudyDescription",
    "SeriesDescription",
    "Modality",
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "NumberOfFrames",
    "Rows",
    "LossyImageCompression",
    "IssuerOfPatientID",
    "AcquisitionDate",
    "AcquisitionTime",
]


def raw_header(values: dict[str, bytes], order: bytes | None) -> Dataset:
    """A data set with these bytes as values, as a broken file would have them."""
    stream = io.BytesIO()
    elements = {tag_for_keyword(keyword): value for keyword, value in values.items()}
    for tag in sorted(t for t in elements if t is not None):
        value = elements[tag][:200]
        value += b"\0" * (len(value) % 2)
        vr = pydicom.datadict.dictionary_VR(tag).encode()
        stream.write((tag >> 16).to_bytes(2, "little") + (tag & 0xFFFF).to_bytes(2, "little") + vr)
        stream.write(len(value).to_bytes(2, "little") + value)
    if order is not None:
        value = order + b"\0" * (len(order) % 2)
        item = bytes.fromhex("40000110") + b"SH" + len(value).to_bytes(2, "little") + value
        body = bytes.fromhex("feff00e0") + len(item).to_bytes(4, "little") + item
        stream.write(bytes.fromhex("40007502") + b"SQ\0\0" + len(body).to_bytes(4, "little") + body)
    stream.seek(0)
    return dcmread(stream, force=True)


LIKELY = st.sampled_from(
    (
        *(b"", b"\0", b" ", b"1.2.3", b"20250601", b"2025", b"M", b"\\", b"a\\b", b"ISO 2022 IR 87", b"GB18030"),
        *(b"\\ISO 2022 IR 149", b"ISO_IR 999", b"\x1b$B;3ED\x1b(B^", b"\xff\xfe", b"1e400", b"-1", b"NaN", b"=^="),
    )
)


@limits(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(KEYWORDS), st.one_of(LIKELY, st.binary(max_size=80))),
    st.one_of(st.none(), st.binary(max_size=20)),
)
def test_any_bytes_in_any_attribute_are_survived(values: dict[str, bytes], order: bytes | None) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydicom says much about such values; the point is that nothing raises
        try:
            header = raw_header(values, order)
        except (LookupError, ValueError):
            reject()  # pydicom cannot read such a file at all, so it never becomes evidence
        documents = build(making.request(making.unscored(), evidence=(header,), pictures={}, settings=NO_PAGE))
        for document in documents:
            for variant in document.variants:
                stream = io.BytesIO()
                variant.save_as(stream, enforce_file_format=True)
                stream.seek(0)
                read = dcmread(stream)
                assert str(read.PatientName) == str(variant.PatientName)
                read.walk(lambda _, element: element.value)


@limits(max_examples=40, deadline=None)
@given(st.sets(st.sampled_from(KEYWORDS)), st.sets(st.sampled_from(KEYWORDS)))
def test_any_attribute_may_be_absent_or_empty(absent: set[str], empty: set[str]) -> None:
    header = making.header(1, **dict.fromkeys(absent))
    for keyword in empty - absent:
        setattr(header, keyword, None)
    assert build(making.request(making.unscored(), evidence=(header,), pictures={}, settings=NO_PAGE))


def test_a_real_file_keeps_its_patient() -> None:
    source = dcmread(str(get_testdata_file("CT_small.dcm")), stop_before_pixels=True)
    for document in build(making.request(evidence=(source,))):
        assert document.variants[0].PatientID == source.PatientID
        assert document.variants[0].StudyInstanceUID == source.StudyInstanceUID
