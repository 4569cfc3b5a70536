"""Audit messages: what happened, to whose data, by whom, as XML. Source: PS3.15 A.5.1 (schema) and A.5.3 (messages)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Literal
from xml.etree import ElementTree

Code = tuple[str, str, str]
"""Code, coding scheme, meaning."""

# PS3.16 CID 400, audit events
APPLICATION_ACTIVITY: Code = ("110100", "DCM", "Application Activity")
AUDIT_LOG_USED: Code = ("110101", "DCM", "Audit Log Used")
INSTANCES_ACCESSED: Code = ("110103", "DCM", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED: Code = ("110104", "DCM", "DICOM Instances Transferred")
SECURITY_ALERT: Code = ("110113", "DCM", "Security Alert")
USER_AUTHENTICATION: Code = ("110114", "DCM", "User Authentication")
# PS3.16 CID 401 and 403, their types
APPLICATION_START: Code = ("110120", "DCM", "Application Start")
APPLICATION_STOP: Code = ("110121", "DCM", "Application Stop")
LOGIN: Code = ("110122", "DCM", "Login")
LOGOUT: Code = ("110123", "DCM", "Logout")
NODE_AUTHENTICATION: Code = ("110126", "DCM", "Node Authentication")
USE_OF_RESTRICTED_FUNCTION: Code = ("110132", "DCM", "Use of Restricted Function")
SECURITY_ROLES_CHANGED: Code = ("110136", "DCM", "Security Roles Changed")
USER_SECURITY_ATTRIBUTES_CHANGED: Code = ("110137", "DCM", "User Security Attributes Changed")
# PS3.16 CID 402, roles
APPLICATION: Code = ("110150", "DCM", "Application")
DESTINATION_ROLE: Code = ("110152", "DCM", "Destination Role ID")
SOURCE_ROLE: Code = ("110153", "DCM", "Source Role ID")
# what identifies an object, PS3.15 A.5.2
STUDY_INSTANCE_UID: Code = ("110180", "DCM", "Study Instance UID")
PATIENT_NUMBER: Code = ("2", "RFC-3881", "Patient Number")
URI: Code = ("12", "RFC-3881", "URI")

Outcome = Literal["0", "4", "8", "12"]
SUCCESS: Outcome = "0"
MINOR_FAILURE: Outcome = "4"
SERIOUS_FAILURE: Outcome = "8"

_APPLICATION_SERVER = "4"
_LONGEST = 1024  # characters of one value: what somebody made long must still fit a datagram


@dataclass(frozen=True, slots=True)
class Participant:
    """One who took part. user_id: AE title, process or person. address: host name or IP address, empty if unknown."""

    user_id: str
    requestor: bool
    role: Code | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What it was about. type_code and role: as in PS3.15 A.5.1.2.2. instances: SOP Class UID → how many."""

    kind: Code
    object_id: str
    type_code: Literal["1", "2", "3", "4"]
    role: str
    name: str = ""
    instances: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One audit message. action: C, R, U, D or E. at: timezone-aware."""

    event: Code
    action: Literal["C", "R", "U", "D", "E"]
    at: datetime
    participants: Sequence[Participant]
    types: Sequence[Code] = ()
    outcome: Outcome = SUCCESS
    description: str = ""
    subjects: Sequence[Subject] = ()


def study(study_instance_uid: str, instances: Sequence[tuple[str, int]] = ()) -> Subject:
    """Return a study as the object of a message."""
    return Subject(STUDY_INSTANCE_UID, study_instance_uid, "2", "3", study_instance_uid, tuple(instances))


def patient(patient_id: str) -> Subject:
    """Return a patient as the object of a message; never by name."""
    return Subject(PATIENT_NUMBER, patient_id or "unknown", "1", "1", patient_id or "unknown")


def xml(message: Message, *, source_id: str, enterprise_site_id: str = "") -> bytes:
    """Return the message in UTF-8, with the order of elements that the schema prescribes. Source: PS3.15 A.5.1.1."""
    root = ElementTree.Element("AuditMessage")
    event = ElementTree.SubElement(
        root,
        "EventIdentification",
        EventActionCode=message.action,
        EventDateTime=message.at.isoformat(timespec="milliseconds"),
        EventOutcomeIndicator=message.outcome,
    )
    _coded(event, "EventID", message.event)
    for kind in message.types:
        _coded(event, "EventTypeCode", kind)
    if message.description:
        ElementTree.SubElement(event, "EventOutcomeDescription").text = _clean(message.description)
    for participant in message.participants:
        _participant(root, participant)
    source = ElementTree.SubElement(root, "AuditSourceIdentification", AuditSourceID=_clean(source_id))
    if enterprise_site_id:
        source.set("AuditEnterpriseSiteID", _clean(enterprise_site_id))
    ElementTree.SubElement(source, "AuditSourceTypeCode", {"csd-code": _APPLICATION_SERVER})
    for subject in message.subjects:
        _subject(root, subject)
    text: bytes = ElementTree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return text


def _participant(root: ElementTree.Element, participant: Participant) -> None:
    element = ElementTree.SubElement(
        root,
        "ActiveParticipant",
        UserID=_clean(participant.user_id),
        UserIsRequestor=str(participant.requestor).lower(),
    )
    if participant.address:
        element.set("NetworkAccessPointID", _clean(participant.address))
        element.set("NetworkAccessPointTypeCode", "2" if _is_ip(participant.address) else "1")
    if participant.role is not None:
        _coded(element, "RoleIDCode", participant.role)


def _subject(root: ElementTree.Element, subject: Subject) -> None:
    element = ElementTree.SubElement(
        root,
        "ParticipantObjectIdentification",
        ParticipantObjectID=_clean(subject.object_id),
        ParticipantObjectTypeCode=subject.type_code,
        ParticipantObjectTypeCodeRole=subject.role,
    )
    _coded(element, "ParticipantObjectIDTypeCode", subject.kind)
    ElementTree.SubElement(element, "ParticipantObjectName").text = _clean(subject.name)
    if subject.instances:
        description = ElementTree.SubElement(element, "ParticipantObjectDescription")
        for uid, number in subject.instances:
            ElementTree.SubElement(description, "SOPClass", UID=_clean(uid), NumberOfInstances=str(number))


def _coded(parent: ElementTree.Element, name: str, code: Code) -> None:
    value, scheme, meaning = code
    ElementTree.SubElement(parent, name, {"csd-code": value, "codeSystemName": scheme, "originalText": meaning})


def _clean(text: str) -> str:
    """Return a text without the control characters that XML cannot hold, and not longer than a message can carry."""
    return "".join(c for c in text[:_LONGEST] if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff"))


def _is_ip(address: str) -> bool:
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
