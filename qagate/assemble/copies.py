"""Copies: files that carry the same SOP Instance UID."""

from __future__ import annotations

import hashlib
from collections import defaultdict

import numpy as np

from qagate.assemble.child import Decoders
from qagate.assemble.extract import extract
from qagate.assemble.headers import Header
from qagate.assemble.layout import layout_of
from qagate.assemble.stored import StoredFrames
from qagate.assemble.values import text_of
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.errors import UnreadablePixels

MANY = 0.5
"""More files than this share of a series are no copies of one another: somebody gave one UID to all images."""


def without_copies(
    headers: list[Header], max_object_bytes: int, decoders: Decoders
) -> tuple[list[Header], tuple[Finding, ...]]:
    """Return one header for each SOP Instance UID, and a finding when copies show different images.

    Copies that differ in their bytes but hold the same frames with the same pixels (sent with another transfer syntax)
    are no conflict. Kept is a readable one before a broken one, then the longest file, then the one whose bytes have
    the smallest SHA-256: the same one whatever the order. Objects without a UID are all kept.
    """
    by_uid: dict[str, list[Header]] = defaultdict(list)
    kept: list[Header] = []
    for header in headers:
        uid = text_of(header.dataset, "SOPInstanceUID")
        if uid:
            by_uid[uid].append(header)
        else:
            kept.append(header)
    conflicting, lost = [], 0
    for uid, copies in by_uid.items():
        one, same = _chosen(copies, max_object_bytes, decoders) if len(copies) > 1 else (copies[0], True)
        kept.append(one)
        if not same:
            conflicting.append(uid)
            lost += len(copies) - 1
    findings: tuple[Finding, ...] = ()
    if conflicting:
        many = "1 image" if len(conflicting) == 1 else f"{len(conflicting)} images"
        text = f"{many} came more than once with different contents; one of each was used"
        if lost > len(conflicting):  # a UID that many images share is no resend
            text += f", {lost} of {len(headers)} files were not"
        severity = Severity.SEVERE if lost > MANY * len(headers) else Severity.MODERATE
        findings = (Finding(FindingCode.CONFLICTING_COPY, severity, text, tuple(conflicting)),)
    return kept, findings


def _chosen(copies: list[Header], max_object_bytes: int, decoders: Decoders) -> tuple[Header, bool]:
    """Return the copy to keep, and whether all copies show the same."""
    distinct: dict[str, Header] = {}
    for header in sorted(copies, key=lambda header: header.path):
        distinct.setdefault(_digest(header), header)
    if len(distinct) == 1:
        return next(iter(distinct.values())), True
    contents = {digest: _content(header, max_object_bytes, decoders) for digest, header in distinct.items()}
    ranked = sorted(distinct, key=lambda d: (not contents[d][0], -distinct[d].path.stat().st_size, d))
    return distinct[ranked[0]], len(set(contents.values())) == 1


def _digest(header: Header) -> str:
    with header.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _content(header: Header, max_object_bytes: int, decoders: Decoders) -> tuple[bool, str]:
    """Return whether all pixels can be read, and a digest of the pixels and of where their frames lie."""
    layout = layout_of(header, max_object_bytes)
    digest = hashlib.sha256()
    readable = True
    with StoredFrames([layout], decoders) as stored:
        for one in extract(header, 0, 0):
            digest.update(repr((one.frame, one.pixels.rescale)).encode())
            try:
                digest.update(np.ascontiguousarray(stored.frame(0, one.pixels.frame)).tobytes())
            except UnreadablePixels:
                readable = False
    return readable, digest.hexdigest()
