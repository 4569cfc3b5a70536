"""Pictures: slices as PNG, small ones for lists, and whole volumes for the viewer."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi import Path as PathParameter
from fastapi.responses import FileResponse
from PIL import Image

from qagate.domain.audit import Act
from qagate.domain.person import Permission
from qagate.settings import Settings
from qagate.store import worklist
from qagate.store.database import Database
from qagate.web import veil
from qagate.web.access import needs, note
from qagate.web.problem import told
from qagate.web.reading import Uid, database_of
from qagate.work.previews import heatmap_path
from qagate.work.volumes import volume_file

router = APIRouter(prefix="/api/v1", tags=["pictures"], dependencies=[Depends(needs(Permission.READ))])

THUMBNAIL = 96
"""Pixels along one side of a small picture, twice what is shown, for fine screens."""

KEPT = "private, max-age=86400, immutable"
"""A revision never changes, so neither do its pictures."""

VolumeIndex = Annotated[int, PathParameter(ge=0, le=100_000, description="0-based")]
SliceIndex = Annotated[int, PathParameter(ge=0, le=1_000_000, description="0-based")]


@router.get(
    "/series/{uid}/pictures/{volume}/{index}",
    response_class=FileResponse,
    responses={**told(404, 422), 200: {"content": {"image/png": {}}}},
)
def picture(request: Request, uid: Uid, volume: VolumeIndex, index: SliceIndex) -> FileResponse:
    """Return the grey picture of one slice (0-based) of one volume of the latest judged revision."""
    folder = previews_folder(request.app.state.settings, database_of(request), uid)
    path = folder / f"{volume}-{index}.png" if folder else None
    if path is None or not path.is_file():
        raise HTTPException(404, f"there is no picture of this slice, got volume {volume}, slice {index}")
    return FileResponse(path, media_type="image/png")


@router.get(
    "/thumbnails/{revision}/{volume}/{index}",
    response_class=Response,
    responses={**told(404, 422), 200: {"content": {"image/png": {}}}},
)
def thumbnail(
    request: Request,
    revision: Annotated[int, PathParameter(ge=1, le=2**31 - 1)],
    volume: VolumeIndex,
    index: SliceIndex,
) -> Response:
    """Return a small picture of one slice (0-based) of one volume of a revision, by the revision's own number."""
    settings: Settings = request.app.state.settings
    path = settings.previews_dir / str(revision) / f"{volume}-{index}.png"
    try:
        with Image.open(path) as whole:
            small = whole.convert("L")
            small.thumbnail((THUMBNAIL, THUMBNAIL), Image.Resampling.LANCZOS)
    except OSError:  # absent, or no picture
        text = f"there is no picture of this slice, got revision {revision}, volume {volume}, slice {index}"
        raise HTTPException(404, text) from None
    data = io.BytesIO()
    small.save(data, format="PNG")
    return Response(data.getvalue(), media_type="image/png", headers={"Cache-Control": KEPT})


@router.get(
    "/series/{uid}/volume/{index}.nii.gz",
    response_class=FileResponse,
    responses={**told(404, 422), 200: {"content": {"application/gzip": {}}}},
)
def volume(request: Request, uid: Uid, index: VolumeIndex) -> FileResponse:
    """Return one volume (0-based) of the latest judged revision as NIfTI-1, rebuilt from the images we still have."""
    path = volume_file(request.app.state.settings, database_of(request), uid, index)
    if path is None:
        raise HTTPException(404, f"the images of this volume are no longer here, got volume {index}")
    note(request, Act.VOLUME_FETCHED, uid, f"volume {index}")
    return FileResponse(path, media_type="application/gzip", headers={"Cache-Control": "private, no-cache"})


@router.get(
    "/series/{uid}/heatmap/{index}.nii.gz",
    response_class=FileResponse,
    responses={**told(404, 422), 200: {"content": {"application/gzip": {}}}},
)
def heatmap(request: Request, uid: Uid, index: VolumeIndex) -> FileResponse:
    """Return where quality is low in one volume (0-based) as NIfTI-1: 0 (good) .. 255 (bad), coarse."""
    with database_of(request).read() as session:
        if veil.hides(request, session, uid):
            raise HTTPException(404, f"the verdict of this series is hidden, and its heatmap with it, got {uid}")
    folder = previews_folder(request.app.state.settings, database_of(request), uid)
    path = heatmap_path(folder, index) if folder else None
    if path is None or not path.is_file():
        raise HTTPException(404, f"there is no heatmap of this volume, got volume {index}")
    return FileResponse(path, media_type="application/gzip", headers={"Cache-Control": "private, no-cache"})


def previews_folder(settings: Settings, database: Database, uid: str) -> Path | None:
    """Return the folder of the pictures of the latest revision that has some."""
    with database.read() as session:
        for revision in worklist.revisions(session, uid):
            folder = settings.previews_dir / str(revision.id)
            if folder.is_dir():
                return folder
    return None


def slices_pictured(folder: Path, volume: int) -> list[int]:
    """Return the slices (0-based) of a volume that have pictures, the worst three first; empty when there is none."""
    try:
        return [int(i) for i in json.loads((folder / f"{volume}.json").read_text(encoding="utf-8"))["slices"]]
    except (OSError, ValueError, KeyError, TypeError):
        return []
