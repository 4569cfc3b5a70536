"""Labels: what people said about volumes, with the volumes, as `train finetune --index` reads it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from sqlalchemy.orm import Session

from qagate.domain import spreadsheet
from qagate.domain.decision import QUALITY_SCORES, Decision
from qagate.errors import InputError
from qagate.settings import Settings
from qagate.store import decisions, neighbours, worklist
from qagate.store.database import Database
from qagate.store.tables import SeriesRow
from qagate.work.volumes import trim, volume_file

COLUMNS = ("path", "score", "modality", "organ", "group")
EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Label:
    """What people said of one volume.

    file: name of its volume among those that are kept. score: 0-100, 100 best, the mean over people. organ: an organ or
    a region in qagate's words, empty when unknown. group: the same for all series of one examination.
    """

    series_instance_uid: str
    volume_index: int
    file: str
    score: float
    modality: str
    organ: str
    group: str


def labels(session: Session, series_instance_uid: str | None = None) -> list[Label]:
    """Return a label for each series (or for one) on whose latest revision people have an opinion that stands."""
    taken = (
        decisions.since(session, EVER)
        if series_instance_uid is None
        else decisions.listed(session, series_instance_uid)
    )
    said: dict[str, list[Decision]] = defaultdict(list)
    for opinion in decisions.opinions(taken):
        said[opinion.series_instance_uid].append(opinion)
    speakers = neighbours.speakers(session, list(said))
    found = []
    for uid, opinions in said.items():
        row, speaker = worklist.series(session, uid), speakers.get(uid)
        latest = decisions.of(session, uid).revision
        scores = [QUALITY_SCORES[o.quality] for o in opinions if o.quality is not None and o.revision == latest]
        if row is not None and speaker is not None and scores:
            index = speaker.volume_index
            file = f"{speaker.revision_id}-{index}.nii.gz"
            organ = row.organ or row.region.partition(" ")[0]
            found.append(Label(uid, index, file, sum(scores) / len(scores), row.modality, organ, _group(row)))
    return found


def keep(settings: Settings, database: Database, series_instance_uid: str) -> None:
    """Keep the volume that people judged for when the spool has let go of its images; nothing when it is gone."""
    with database.read() as session:
        found = labels(session, series_instance_uid)
    for label in found:
        kept(settings, database, label)


def kept(settings: Settings, database: Database, label: Label) -> Path | None:
    """Return where the volume of a label is kept, and keep it when it is not yet; None when its images are gone."""
    path = settings.labelled_dir / label.file
    if not path.is_file():
        source = volume_file(settings, database, label.series_instance_uid, label.volume_index)
        if source is None or source.name != label.file:
            return None
        try:
            _link(source, path)
            trim(settings.labelled_dir, settings.review.labelled_mb << 20, keep=path)
        except OSError as error:
            raise InputError(f"a volume cannot be kept in {settings.labelled_dir}: {error.strerror}") from error
    return path


def export(settings: Settings, database: Database, folder: Path) -> tuple[int, list[str]]:
    """Write labels.csv and the volumes beside it into a folder.

    Returns how many labels, and one sentence for each whose images are gone. Raises InputError when it cannot write.
    """
    with database.read() as session:
        found = labels(session)
    written: list[tuple[str, Label]] = []
    problems: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for label in found:
            source = kept(settings, database, label)
            if source is None:
                problems.append(f"the images of series {label.series_instance_uid} are no longer here")
                continue
            _link(source, folder / label.file)
            written.append((label.file, label))
        with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
            write(file, written)
    except OSError as error:
        raise InputError(f"labels cannot be written to {folder}: {error.strerror}") from error
    return len(written), problems


def write(file: TextIO, rows: Iterable[tuple[str, Label]]) -> None:
    """Write (path, label) as CSV with a header."""
    spreadsheet.write(file, [COLUMNS])
    spreadsheet.write(
        file, ((path, f"{label.score:g}", label.modality, label.organ, label.group) for path, label in rows)
    )


def _group(row: SeriesRow) -> str:
    return hashlib.sha256(row.study_instance_uid.encode()).hexdigest()[:12]


def _link(source: Path, target: Path) -> None:
    """Let a file stand at a second place without its bytes, where the disk can; else copy it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that has no links
        shutil.copyfile(source, target)
