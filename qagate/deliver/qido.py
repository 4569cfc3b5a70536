"""QIDO-RS and WADO-RS as user agent. Source: PS3.18 10.4 and 10.6."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from email.message import Message
from typing import Any

import requests

from qagate.deliver.query import Keep, number
from qagate.deliver.web import from_http, name_of, session_of, unreachable
from qagate.errors import DeliveryError
from qagate.settings import Destination

_PAGE = 1000
_SERIES, _INSTANCE, _NUMBER = "0020000E", "00080018", "00201209"
_MODALITIES_IN_STUDY = "00080061"
_OF_STUDY = {"StudyInstanceUID": "0020000D", "StudyDate": "00080020", "StudyTime": "00080030"}
_OF_SERIES = {
    "SeriesInstanceUID": _SERIES,
    "Modality": "00080060",
    "SeriesDescription": "0008103E",
    "NumberOfSeriesRelatedInstances": _NUMBER,
}


def study_series(
    destination: Destination, day: str, modalities: frozenset[str] = frozenset()
) -> Iterator[dict[str, str]]:
    """Yield the series of the studies of one day (YYYYMMDD): keyword → value, "" where it is not said.

    modalities: studies that say to have none of these are left out.
    """
    with session_of(destination) as session:
        for study in _search(session, destination, "studies", {"StudyDate": day}):
            if modalities and modalities.isdisjoint(_texts(study, _MODALITIES_IN_STUDY) or modalities):
                continue
            about = {keyword: _text(study, tag) for keyword, tag in _OF_STUDY.items()}
            fields = {"includefield": ",".join(_OF_SERIES.values())}
            for series in _search(session, destination, f"studies/{about['StudyInstanceUID']}/series", fields):
                yield about | {keyword: _text(series, tag) for keyword, tag in _OF_SERIES.items()}


def count(destination: Destination, study: str, series: str) -> int:
    """Return how many instances a series has: Number of Series Related Instances, or counted when that is not said."""
    with session_of(destination) as session:
        query = {"SeriesInstanceUID": series, "includefield": _NUMBER}
        found = [
            match
            for match in _search(session, destination, f"studies/{study}/series", query)
            if _text(match, _SERIES) == series
        ]
        if not found:
            return 0
        said = number(_text(found[0], _NUMBER))
        return len(_instances(session, destination, study, series)) if said is None else said


def instances(destination: Destination, study: str, series: str) -> frozenset[str]:
    """Return the SOP Instance UIDs of a series."""
    with session_of(destination) as session:
        return _instances(session, destination, study, series)


def _instances(session: requests.Session, destination: Destination, study: str, series: str) -> frozenset[str]:
    found = _search(session, destination, f"studies/{study}/series/{series}/instances", {})
    return frozenset(filter(None, (_text(match, _INSTANCE) for match in found)))


def _search(
    session: requests.Session, destination: Destination, path: str, query: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Yield all matches, page after page; some servers take no notice of `offset`."""
    seen: set[str] = set()
    offset = 0
    while True:
        page = _page(session, destination, path, {**query, "limit": str(_PAGE), "offset": str(offset)})
        new = {key: match for match in page if (key := json.dumps(match, sort_keys=True)) not in seen}
        yield from new.values()
        seen |= new.keys()
        offset += len(page)
        if not new or len(page) < _PAGE:
            return


def _page(
    session: requests.Session, destination: Destination, path: str, query: dict[str, str]
) -> list[dict[str, Any]]:
    try:
        answer = session.get(
            f"{str(destination.url).rstrip('/')}/{path}",
            params=query,
            headers={"Accept": "application/dicom+json"},
            timeout=destination.timeout_seconds,
        )
        if answer.status_code == 204:
            return []
        if answer.status_code == 404 and path != "studies":
            return []  # it has no such study or series
        if answer.status_code >= 400:
            raise from_http(destination, answer.status_code, "a search")
        found = answer.json()
    except requests.JSONDecodeError as error:
        raise DeliveryError(f"{name_of(destination)} must answer in DICOM JSON, got {type(error).__name__}") from None
    except requests.RequestException as error:
        raise unreachable(destination, error) from None
    if not isinstance(found, list):
        raise DeliveryError(f"{name_of(destination)} must answer a search with a list, got {type(found).__name__}")
    return [match for match in found if isinstance(match, dict)]


def _text(match: dict[str, Any], tag: str) -> str:
    return next(iter(_texts(match, tag)), "")


def _texts(match: dict[str, Any], tag: str) -> list[str]:
    element = match.get(tag)
    values = element.get("Value") if isinstance(element, dict) else None
    return [str(value) for value in values if value is not None] if isinstance(values, list) else []


def retrieve(destination: Destination, study: str, series: str, sop_instance_uids: Sequence[str], *, keep: Keep) -> int:
    """Fetch instances one by one, each as it is stored; return how many were kept."""
    kept = 0
    with session_of(destination) as session:
        for uid in sop_instance_uids:
            for part in _fetch(session, destination, f"studies/{study}/series/{series}/instances/{uid}"):
                keep(part)
                kept += 1
    return kept


def _fetch(session: requests.Session, destination: Destination, path: str) -> list[bytes]:
    try:
        answer = session.get(
            f"{str(destination.url).rstrip('/')}/{path}",
            headers={"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'},
            timeout=destination.timeout_seconds,
        )
    except requests.RequestException as error:
        raise unreachable(destination, error) from None
    if answer.status_code == 404:
        return []
    if answer.status_code >= 400:
        raise from_http(destination, answer.status_code, "a request for an image")
    return _parts(answer.headers.get("Content-Type", ""), answer.content)


def _parts(content_type: str, body: bytes) -> list[bytes]:
    """Return the bodies of a multipart answer; the whole of a plain one. Source: RFC 2046 5.1."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if boundary is None:
        return [body]
    parts = []
    for part in (b"\r\n" + body).split(b"\r\n--" + boundary.encode("latin-1"))[1:]:
        if part.startswith(b"--"):
            break
        _, found, content = part.partition(b"\r\n\r\n")
        if found:
            parts.append(content)
    return parts
