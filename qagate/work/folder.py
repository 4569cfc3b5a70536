"""A folder in, a folder out: judging for routers that run a module on a folder of DICOM files.

For each series OUT/<SeriesInstanceUID>/ gets its SR, SC and, when flagged, KO. OUT/qagate.json is written last and in
one step; it accounts for every input, also those that could not be judged.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qagate.clock import Clock
from qagate.domain.assessment import document as assessment_document
from qagate.domain.verdict import worst
from qagate.domain.volume import SeriesVolumes
from qagate.errors import InputError, QagateError
from qagate.prompt.rules import Rules
from qagate.report.build import build
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.store.assessments import verdict_document
from qagate.work.assessing import Judged, assess, limits
from qagate.work.inputs import Input, find, read
from qagate.work.previews import pictures_of
from qagate.work.reporting import headers_of, request_for

SCHEMA = "qagate.folder/1"
SUMMARY = "qagate.json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one input.

    outcome: a verdict's word, "excluded" (recognised, not ours to judge) or "unusable". reasons: plain sentences.
    documents: files written, relative to OUT.
    """

    path: Path
    outcome: str
    reasons: tuple[str, ...]
    series_instance_uid: str = ""
    judged: tuple[Judged, ...] = ()
    documents: tuple[Path, ...] = ()


def process(source: Path, target: Path, rules: Rules, scorer: Scorer, settings: Settings, clock: Clock) -> list[Answer]:
    """Judge every series under `source` and write documents and a summary under `target`.

    One bad input never stops the others. Raises InputError when the folders cannot be used at all: `source` is no
    folder, `target` lies inside it (its documents would be judged next time) or holds a summary already.
    """
    _usable(source, target)
    answers = list(_answers(source, target, rules, scorer, settings, clock))
    _write_summary(target, answers)
    return answers


def _usable(source: Path, target: Path) -> None:
    if not source.is_dir():
        raise InputError(f"the input must be a folder of DICOM files, got {source}")
    if target.absolute().resolve().is_relative_to(source.absolute().resolve()):
        raise InputError(f"the output must not lie inside the input, or it is judged next time, got {target}")
    if (target / SUMMARY).exists():
        raise InputError(f"{target} holds an earlier answer ({SUMMARY}); name an empty folder")
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{target} cannot be made: {error.strerror}") from None


def _answers(
    source: Path, target: Path, rules: Rules, scorer: Scorer, settings: Settings, clock: Clock
) -> Iterator[Answer]:
    for item in find([source]):
        try:
            volumes = read(item, limits(settings))
            if volumes.volumes:
                judged = tuple(assess(volumes, rules, scorer, settings, path=str(item.path)))
                yield _answer(item, volumes, judged, target, settings, clock)
            else:
                why = volumes.why_empty.detail
                yield Answer(item.path, "excluded", (why,), volumes.series_instance_uid)
        except QagateError as error:
            yield Answer(item.path, "unusable", (str(error),))


def _answer(
    item: Input,
    volumes: SeriesVolumes,
    judged: tuple[Judged, ...],
    target: Path,
    settings: Settings,
    clock: Clock,
) -> Answer:
    overall = worst(tuple(one.verdict for one in judged))
    uid = volumes.series_instance_uid
    written: list[Path] = []
    if item.kind == "dicom":  # pictures and NIfTI have no study a document could belong to
        request = request_for(
            judged,
            headers_of(item.files),
            {one.volume.index: pictures_of(one.volume, one.assessment) for one in judged},
            settings,
            revision=1,
            predecessor=None,
            set_of_images=f"{uid}|{_digest(item.files)}",
            created_at=clock.now(),
        )
        for document in build(request):
            # the richest only: a router has no peer to negotiate with, and sends on all that it finds
            written += replace(document, variants=document.variants[:1]).write(target / uid)
    return Answer(
        item.path,
        str(overall.outcome),
        overall.reasons,
        uid,
        judged,
        tuple(path.relative_to(target) for path in written),
    )


def _digest(files: Sequence[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _write_summary(target: Path, answers: Sequence[Answer]) -> None:
    partial = target / f".{SUMMARY}.part"
    text = json.dumps({"schema": SCHEMA, "series": [_row(a) for a in answers]}, ensure_ascii=False, indent=1)
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target / SUMMARY)
    except OSError as error:
        raise InputError(f"{target / SUMMARY} cannot be written: {error.strerror}") from None


def _row(answer: Answer) -> dict[str, Any]:
    return {
        "path": str(answer.path),
        "series_instance_uid": answer.series_instance_uid,
        "outcome": answer.outcome,
        "reasons": list(answer.reasons),
        "documents": [str(path) for path in answer.documents],
        "assessments": [
            {**assessment_document(one.assessment), **verdict_document(one.verdict)} for one in answer.judged
        ],
    }
