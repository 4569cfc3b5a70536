"""Copies: files that carry the same SOP Instance UID."""

from __future__ import annotations

import hashlib
from collections import defaultdict

from qagate.assemble.headers import Header
from qagate.assemble.values import text_of
from qagate.domain.finding import Finding, FindingCode, Severity


def without_copies(headers: list[Header]) -> tuple[list[Header], tuple[Finding, ...]]:
    """Return one header for each SOP Instance UID, and a finding when copies differ.

    Kept is the longest file, then the one whose bytes have the smallest SHA-256: the same one whatever the order.
    Objects without a UID are all kept.
    """
    by_uid: dict[str, list[Header]] = defaultdict(list)
    kept: list[Header] = []
    for header in headers:
        uid = text_of(header.dataset, "SOPInstanceUID")
        if uid:
            by_uid[uid].append(header)
        else:
            kept.append(header)
    conflicting = []
    for uid, copies in by_uid.items():
        if len(copies) == 1:
            kept += copies
            continue
        ranked = sorted((-header.path.stat().st_size, _digest(header), header.path, header) for header in copies)
        kept.append(ranked[0][3])
        if len({digest for _, digest, _, _ in ranked}) > 1:
            conflicting.append(uid)
    findings: tuple[Finding, ...] = ()
    if conflicting:
        text = f"{len(conflicting)} SOP Instance UID(s) came more than once with different bytes; one of each was used"
        findings = (Finding(FindingCode.CONFLICTING_COPY, Severity.MODERATE, text, tuple(conflicting)),)
    return kept, findings


def _digest(header: Header) -> str:
    with header.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
