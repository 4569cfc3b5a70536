"""STOW-RS: objects by HTTP, with the promises of C-STORE. Off unless settings say so. Source: PS3.18 10.5."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message
from typing import Annotated, Any

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from qagate.domain.person import Permission, Person
from qagate.errors import InputError
from qagate.receive.stow import Taken
from qagate.web.access import needs
from qagate.web.problem import told
from qagate.work.storing import Storing

LARGEST_REQUEST = 1 << 40
"""Bytes of a request: in effect none; each object has a limit of its own."""

router = APIRouter(prefix="/dicom-web", tags=["stow"], max_body_size=LARGEST_REQUEST)

PIECE_BYTES = 1 << 20
"""The body is handed on in pieces of about this size."""

StudyUid = Annotated[str, PathParameter(pattern=r"^[0-9.]{1,64}$", description="Study Instance UID")]
Sender = Annotated[Person, Depends(needs(Permission.SEND))]

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "all objects are stored", "content": {"application/dicom+json": {}}},
    202: {
        "description": "some objects are stored; the answer says which not",
        "content": {"application/dicom+json": {}},
    },
    409: {"description": "no object is stored; the answer says why", "content": {"application/dicom+json": {}}},
    **told(400, 401, 403, 404, 415, 422),
}
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": 'parts of type application/dicom: multipart/related; type="application/dicom"; boundary=...',
        "content": {"multipart/related": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post("/studies", responses=ANSWERS, openapi_extra=BODY, response_class=JSONResponse)
async def store(request: Request, person: Sender) -> JSONResponse:
    """Store objects of any studies; each is answered as stored once it would survive a power cut."""
    return await _store(request, person, "")


@router.post("/studies/{study}", responses=ANSWERS, openapi_extra=BODY, response_class=JSONResponse)
async def store_study(request: Request, study: StudyUid, person: Sender) -> JSONResponse:
    """Store objects of one study; objects of others are refused one by one."""
    return await _store(request, person, study)


async def _store(request: Request, person: Person, study: str) -> JSONResponse:
    storing: Storing | None = request.app.state.storing
    if storing is None:
        raise HTTPException(404, "this node takes no objects by HTTP; set web.stow to let it")
    boundary = _boundary(request.headers.get("content-type", ""))
    host = request.client.host if request.client else ""
    try:
        with storing.request(boundary, sender=_ae_title(person), host=host, study_instance_uid=study) as parts:
            piece = b""
            try:
                async for chunk in request.stream():
                    piece += chunk
                    if len(piece) >= PIECE_BYTES:
                        whole, piece = piece, b""
                        await run_in_threadpool(parts.feed, whole)
            finally:  # what came before the sender went away, too
                await run_in_threadpool(parts.feed, piece)
            taken = parts.end()
    except ClientDisconnect:
        raise HTTPException(400, "the sender went away before its request ended; whole objects are kept") from None
    except InputError as error:
        raise HTTPException(400, str(error)) from None
    failed = [one for one in taken if one.failure is not None]
    code = 200 if not failed else 409 if len(failed) == len(taken) else 202
    return JSONResponse(document(taken), code, media_type="application/dicom+json")


def _boundary(content_type: str) -> str:
    """Return the boundary of a multipart/related body of DICOM objects. Raises HTTPException 415."""
    message = Message()
    message["content-type"] = content_type
    kind, boundary = message.get_param("type"), message.get_boundary()
    if message.get_content_type() != "multipart/related" or kind not in (None, "application/dicom") or not boundary:
        wanted = 'multipart/related; type="application/dicom"; boundary=...'
        raise HTTPException(415, f"the body must be {wanted}, got {content_type[:100] or 'no Content-Type'}")
    return boundary


def _ae_title(person: Person) -> str:
    """Return what stands for the sender's AE title: the last part of who asks, as far as it fits."""
    name = person.name.rpartition("/")[2]
    return "".join(c if c.isascii() and c.isprintable() and c != "\\" else "_" for c in name)[:16].strip() or "STOW"


def document(taken: Sequence[Taken]) -> dict[str, Any]:
    """Return the Store Instances Response Module in the DICOM JSON model, PS3.18 10.5.3.2 and Annex F."""
    stored = [_reference(one) for one in taken if one.failure is None]
    failures = [(one, {"00081197": {"vr": "US", "Value": [one.failure]}}) for one in taken if one.failure is not None]
    failed = [{**_reference(one), **reason} for one, reason in failures if one.sop_instance_uid]
    other = [reason for one, reason in failures if not one.sop_instance_uid]
    answer: dict[str, Any] = {}
    if stored:
        answer["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        answer["00081198"] = {"vr": "SQ", "Value": failed}
    if other:  # parts that name no instance
        answer["0008119A"] = {"vr": "SQ", "Value": other}
    return answer


def _reference(one: Taken) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [one.sop_class_uid]} if one.sop_class_uid else {"vr": "UI"},
        "00081155": {"vr": "UI", "Value": [one.sop_instance_uid]} if one.sop_instance_uid else {"vr": "UI"},
    }
