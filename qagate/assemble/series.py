"""Series: the files of one series → its volumes. The one door of this room for DICOM."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset

from qagate.assemble.blank import blank_slices
from qagate.assemble.child import Decoders
from qagate.assemble.copies import without_copies
from qagate.assemble.exclusion import (
    NO_IMAGE_CLASSES,
    exclusion,
    looks_like_localizer,
    looks_like_scout,
    looks_like_watching,
    modality_of,
)
from qagate.assemble.extract import Extracted, extract
from qagate.assemble.frame import Stack, Vector3
from qagate.assemble.geometry import stack_frames
from qagate.assemble.headers import Header, flatten, open_header
from qagate.assemble.layout import Layout, layout_of
from qagate.assemble.parts import promised
from qagate.assemble.pixels import Pixels, read_pixels
from qagate.assemble.provenance import calibration, cut_short, lossy
from qagate.assemble.values import text_of, whole_of
from qagate.domain.filling import filled, without_filling
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.volume import SeriesVolumes, SliceRef, Volume
from qagate.errors import NotDicom, TooLarge

MIN_PIXELS = 16
"""Images smaller than this in either direction show nothing that could be judged."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is refused before memory is taken for it.

    max_object_bytes: of one file, and of one decoded frame. max_volume_bytes: of the voxels of all volumes of a series.
    """

    max_object_bytes: int = 4 << 30
    max_volume_bytes: int = 8 << 30


def read_series(
    paths: Sequence[Path],
    limits: Limits = Limits(),
    decoders: Decoders | None = None,
    headers: list[Dataset] | None = None,
) -> SeriesVolumes:
    """Return all volumes that the files of one series make, in any order and with copies among them.

    decoders: processes that decode compressed frames; a worker that reads many series keeps its own, which saves their
    start (half a second). headers: takes the header of each file that is an object, in the order of their names.
    Never raises for what a file contains: an unusable file is listed in `unreadable`, an unusable slice is a finding.
    """
    if decoders is None:
        with Decoders() as own:
            return read_series(paths, limits, own, headers)
    read, unreadable = _headers(paths, limits)
    if headers is not None:
        headers.extend(header.dataset for header in read)
    kept, copies = without_copies(read, limits.max_object_bytes, decoders)
    if not kept:
        finding = Finding(FindingCode.NOT_AN_IMAGE, Severity.NONE, f"none of {len(paths)} file(s) is a DICOM image")
        return SeriesVolumes("", "", {}, 0, (), (finding,), unreadable)
    first = min(kept, key=_order)
    volumes, findings = _volumes(kept, limits, decoders)
    return SeriesVolumes(
        series_instance_uid=text_of(first.dataset, "SeriesInstanceUID"),
        study_instance_uid=text_of(first.dataset, "StudyInstanceUID"),
        tags=flatten(first.dataset),
        instances=len(kept),
        volumes=volumes,
        findings=(*copies, *findings),
        unreadable=unreadable,
    )


def _headers(paths: Sequence[Path], limits: Limits) -> tuple[list[Header], tuple[tuple[str, str], ...]]:
    headers, unreadable = [], []
    for path in sorted(paths):
        try:
            headers.append(open_header(path, limits.max_object_bytes))
        except NotDicom as error:
            unreadable.append((path.name, str(error)))
    return headers, tuple(unreadable)


def _order(header: Header) -> tuple[int, str]:
    number = whole_of(header.dataset, "InstanceNumber")
    return (number if number is not None else 1 << 31, text_of(header.dataset, "SOPInstanceUID"))


def _volumes(headers: list[Header], limits: Limits, decoders: Decoders) -> tuple[tuple[Volume, ...], list[Finding]]:
    images, findings = _images(headers)
    findings += promised(images)
    extracted: list[Extracted] = []
    layouts: list[Layout] = []
    for source, header in enumerate(images):
        layouts.append(layout_of(header, limits.max_object_bytes))
        extracted += extract(header, source, len(extracted))
    stacks = stack_frames([one.frame for one in extracted])
    planes = [_normal(stack) for stack in stacks if stack.geometry.known]
    plan = _planning(stacks, planes, all(layout.is_ct for layout in layouts))
    if len(stacks) > 1:
        labels = ", ".join(stack.label for stack in stacks[:8])
        text = f"the series holds {len(stacks)} volumes: {labels}" + (" and more" if len(stacks) > 8 else "")
        findings.append(Finding(FindingCode.MULTIPLE_VOLUMES, Severity.NONE, text))
    volumes: list[Volume] = []
    room = limits.max_volume_bytes
    for index, stack in enumerate(stacks):
        refs = [extracted[frame.key] for frame in stack.frames]
        volumes.append(_volume(index, stack, refs, layouts, images, room, plan, decoders))
        room -= volumes[-1].voxels.nbytes
    return tuple(volumes), findings


def _images(headers: list[Header]) -> tuple[list[Header], list[Finding]]:
    """Return the CT and MR images, and why the others are none."""
    images, others, strangers = [], [], []
    for header in headers:
        modality = modality_of(text_of(header.dataset, "Modality"), text_of(header.dataset, "SOPClassUID"))
        no_image = text_of(header.dataset, "SOPClassUID") in NO_IMAGE_CLASSES
        if no_image or not whole_of(header.dataset, "Rows") or not whole_of(header.dataset, "Columns"):
            others.append(header)
        elif modality not in ("CT", "MR"):
            strangers.append(header)
        else:
            images.append(header)
    findings = []
    if others:
        findings.append(_about(FindingCode.NOT_AN_IMAGE, others, "is no image", "are no images"))
    if strangers:
        names = ", ".join(sorted({text_of(h.dataset, "Modality") or "unknown" for h in strangers}))
        what = f"neither CT nor MR, got {names}"
        findings.append(_about(FindingCode.NOT_CT_OR_MR, strangers, f"is {what}", f"are {what}"))
    return images, findings


def _about(code: FindingCode, headers: list[Header], one: str, many: str) -> Finding:
    uids = tuple(text_of(header.dataset, "SOPInstanceUID") for header in headers)
    return Finding(
        code, Severity.NONE, f"1 object {one}" if len(headers) == 1 else f"{len(headers)} objects {many}", uids
    )


def _normal(stack: Stack) -> Vector3:
    row, column = stack.frames[0].row or (1.0, 0.0, 0.0), stack.frames[0].column or (0.0, 1.0, 0.0)
    n = np.cross(row, column)
    return float(n[0]), float(n[1]), float(n[2])


def _volume(
    index: int,
    stack: Stack,
    refs: list[Extracted],
    layouts: list[Layout],
    images: list[Header],
    room_bytes: int,
    plan: str,
    decoders: Decoders,
) -> Volume:
    shape = stack.geometry.shape
    tags = flatten(images[refs[0].pixels.source].dataset, refs[0].pixels.frame)
    slices = tuple(
        SliceRef(f.sop_instance_uid, f.sop_class_uid, f.frame_number, mm, f.instance_number)
        for f, mm in zip(stack.frames, stack.positions_mm, strict=True)
    )
    objects = [(images[s], layouts[s]) for s in dict.fromkeys(ref.pixels.source for ref in refs)]
    findings = [
        *stack.findings,
        *_structure(stack, layouts[refs[0].pixels.source].is_ct, plan),
        *lossy(objects),
        *cut_short(objects),
    ]
    findings += calibration(tags, layouts, refs)
    pixels: Pixels | None = None
    if min(shape[1:]) < MIN_PIXELS:
        text = f"an image needs {MIN_PIXELS} x {MIN_PIXELS} pixels to be judged, got {shape[1]} x {shape[2]}"
        findings.append(Finding(FindingCode.TOO_SMALL, Severity.NONE, text))
    try:
        pixels = read_pixels([ref.pixels for ref in refs], layouts, (shape[1], shape[2]), room_bytes, decoders)
    except TooLarge as error:
        findings.append(Finding(FindingCode.TOO_LARGE, Severity.NONE, str(error)))
    if pixels is None:
        voxels, valid = np.zeros((0, 0, 0), np.int16), np.zeros(0, np.bool_)
    else:
        blank = blank_slices(pixels.voxels, pixels.valid)
        voxels, valid = pixels.voxels, pixels.valid.copy()
        valid[list(blank)] = False
        findings += _blank_findings(blank, slices)
        findings += _pixel_findings(pixels, slices, layouts[refs[0].pixels.source].signed)
        if not layouts[refs[0].pixels.source].is_ct:
            voxels, filling = without_filling(voxels)
            if filling is not None:
                findings.append(filled(filling))
    return Volume(voxels, stack.geometry, slices, tags, tuple(findings), index, stack.label, valid)


def _lies_as_scouts_do(stack: Stack) -> bool:
    image_type = str(dict(stack.frames[0].repeats).get("ImageType", ""))
    return looks_like_scout(image_type, _normal(stack), len(stack.frames))


def _planning(stacks: Sequence[Stack], planes: Sequence[Vector3], is_ct: bool) -> str:
    """Return as what all volumes of a series together are not read, "" when they are."""
    counts = [len(stack.frames) for stack in stacks]
    if looks_like_localizer(planes, counts):
        return "the series holds a few slices in each of several planes, as localizers do"
    places = [stack.frames[0].position for stack in stacks]
    if is_ct and len(planes) == len(stacks) and looks_like_watching(places, counts):
        return f"the series shows one place {len(stacks)} times, as the arrival of a bolus is watched"
    return ""


def _structure(stack: Stack, is_ct: bool, plan: str) -> list[Finding]:
    keys = dict(stack.frames[0].apart)
    kind = FindingCode(str(keys["kind"])) if "kind" in keys else None
    if kind is None and is_ct and stack.geometry.known and _lies_as_scouts_do(stack):
        plan = plan or "a CT acquires no such plane: this is a scout, made to plan other series"
    if kind is None and plan:
        return [Finding(FindingCode.LOCALIZER, Severity.NONE, plan)]
    found = exclusion(kind, str(keys.get("component", "")))
    return [found] if found else []


def _pixel_findings(pixels: Pixels, slices: tuple[SliceRef, ...], signed: bool) -> list[Finding]:
    if not pixels.valid.any():
        sentence = pixels.problems[0][1]
        return [Finding(FindingCode.UNREADABLE_PIXELS, Severity.NONE, f"no slice could be decoded: {sentence}")]
    findings = []
    if pixels.problems:
        uids = _uids(slices, (index for index, _ in pixels.problems))
        text = f"{len(pixels.problems)} of {len(slices)} slices could not be decoded: {pixels.problems[0][1]}"
        few = len(pixels.problems) <= 0.1 * len(slices)
        severity = Severity.MODERATE if few else Severity.SEVERE
        findings.append(Finding(FindingCode.UNREADABLE_SLICE, severity, text, uids))
    elif pixels.voxels.min() == pixels.voxels.max():
        text = f"every voxel has the same value, got {pixels.voxels.flat[0]}"
        findings.append(Finding(FindingCode.EMPTY_PIXELS, Severity.NONE, text))
    if pixels.contradicted:
        said, otherwise = ("signed", "bone would be air") if signed else ("unsigned", "air would be metal")
        text = f"the header calls the values of {len(pixels.contradicted)} of {len(slices)} slices {said}; they are not"
        uids = _uids(slices, pixels.contradicted)
        findings.append(Finding(FindingCode.CONTRADICTORY_TAGS, Severity.MILD, f"{text}, or {otherwise}", uids))
    return findings


def _blank_findings(blank: Sequence[int], slices: tuple[SliceRef, ...]) -> list[Finding]:
    if not blank:
        return []
    text = f"{len(blank)} of {len(slices)} slices show nothing, amid slices that do"
    severity = Severity.MODERATE if len(blank) <= 0.1 * len(slices) else Severity.SEVERE
    return [Finding(FindingCode.UNREADABLE_SLICE, severity, text, _uids(slices, blank))]


def _uids(slices: tuple[SliceRef, ...], indices: Iterable[int]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(slices[index].sop_instance_uid for index in indices))
