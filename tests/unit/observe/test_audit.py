"""Audit messages are as PS3.15 A.5.1.1 prescribes: names, order and codes of what stands in them."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
from pydicom.sr._concepts_dict import concepts

from qagate.observe import audit
from qagate.observe.audit import Message, Participant, Subject
from qagate.observe.syslog import frame

AT = datetime(2026, 11, 22, 9, 40, 0, 123456, tzinfo=UTC)
MEANINGS = {code: entry[0] for codes in concepts["DCM"].values() for code, entry in codes.items()}

TRANSFER = Message(
    audit.INSTANCES_TRANSFERRED,
    "C",
    AT,
    [
        Participant("CT1", True, audit.SOURCE_ROLE, "10.0.0.21"),
        Participant("QAGATE", False, audit.DESTINATION_ROLE, "gate"),
    ],
    subjects=[audit.study("1.2", [("1.2.840.10008.5.1.4.1.1.2", 120)]), audit.patient("P1")],
)


def parsed(message: Message) -> ElementTree.Element:
    return ElementTree.fromstring(audit.xml(message, source_id="QAGATE1", enterprise_site_id="Hospital"))


def test_every_dicom_code_means_what_the_standard_says():
    codes = [value for value in vars(audit).values() if isinstance(value, tuple) and len(value) == 3]
    checked = [(code, meaning) for code, scheme, meaning in codes if scheme == "DCM"]
    assert len(checked) >= 18
    for code, meaning in checked:
        assert MEANINGS[code] == meaning


def test_a_transfer():
    root = parsed(TRANSFER)
    assert [child.tag for child in root] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]
    event, source, destination, us, study, patient = root
    assert event.attrib == {
        "EventActionCode": "C",
        "EventDateTime": "2026-11-22T09:40:00.123+00:00",
        "EventOutcomeIndicator": "0",
    }
    assert event.find("EventID").attrib == {
        "csd-code": "110104",
        "codeSystemName": "DCM",
        "originalText": "DICOM Instances Transferred",
    }
    assert source.attrib == {
        "UserID": "CT1",
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "10.0.0.21",
        "NetworkAccessPointTypeCode": "2",
    }
    assert source.find("RoleIDCode").get("csd-code") == "110153"
    assert destination.get("NetworkAccessPointTypeCode") == "1"  # a name
    assert us.attrib == {"AuditSourceID": "QAGATE1", "AuditEnterpriseSiteID": "Hospital"}
    assert us.find("AuditSourceTypeCode").attrib == {"csd-code": "4"}
    assert (study.get("ParticipantObjectTypeCode"), study.get("ParticipantObjectTypeCodeRole")) == ("2", "3")
    assert [child.tag for child in study] == [
        "ParticipantObjectIDTypeCode",
        "ParticipantObjectName",
        "ParticipantObjectDescription",
    ]
    assert study.find("ParticipantObjectDescription/SOPClass").attrib == {
        "UID": "1.2.840.10008.5.1.4.1.1.2",
        "NumberOfInstances": "120",
    }
    assert (patient.get("ParticipantObjectTypeCode"), patient.get("ParticipantObjectID")) == ("1", "P1")


def test_types_and_outcome_stand_in_their_order():
    root = parsed(
        Message(audit.SECURITY_ALERT, "E", AT, [Participant("x", True)], [audit.NODE_AUTHENTICATION], "4", "no such AE")
    )
    assert [child.tag for child in root[0]] == ["EventID", "EventTypeCode", "EventOutcomeDescription"]


@pytest.mark.parametrize("words", ['<x a="1">&', "\0\x01\x1b[31m", "\ud800", "山田^太郎"], ids=ascii)
def test_whatever_a_peer_calls_itself_stays_text(words):
    message = Message(audit.SECURITY_ALERT, "E", AT, [Participant(words, True)], description=words,
                      subjects=[Subject(audit.URI, words, "2", "13", words)])  # fmt: skip
    root = parsed(message)
    assert len(root.findall("ActiveParticipant")) == 1
    assert set(root.find("ActiveParticipant").get("UserID")) <= set(words)


def test_the_frame_of_syslog():
    line = frame(b"<x/>", at=AT, host="gate 1", application="qagate")
    head, mark, body = line.partition(b"\xef\xbb\xbf")
    assert mark
    assert body == b"<x/>"
    fields = head.decode().split(" ")
    assert fields[0] == "<85>1"  # facility 10, severity 5: 10 * 8 + 5
    assert fields[1] == "2026-11-22T09:40:00.123+00:00"
    assert (fields[2], fields[3], fields[5], fields[6]) == ("gate1", "qagate", "DICOM+RFC3881", "-")
