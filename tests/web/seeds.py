"""Fill a database, a spool and the pictures as a working node would, by the store's own functions."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from PIL import Image

from qagate.demo.write import uid as demo_uid
from qagate.demo.write import write_series
from qagate.domain.assessment import Assessment, Measurement, ModelIdentity, SliceScore, Source
from qagate.domain.decision import Sampling
from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import Evidence, Prompt
from qagate.domain.series import StoredInstance
from qagate.domain.verdict import Action, Outcome, Verdict
from qagate.domain.volume import Geometry, Volume
from qagate.settings import Settings
from qagate.store import assessments, reception, revisions
from qagate.store.database import Database
from qagate.store.revisions import WrittenDocument
from qagate.work.previews import save_heatmap

SIZE = 64
SLICES = 12


@dataclass(frozen=True, slots=True)
class Seed:
    """One series to be. score None = unscored; outcome "" = still arriving; minutes: age of its last image."""

    name: str
    outcome: str = "accept"
    score: float | None = 84.0
    modality: str = "CT"
    region: str = "abdomen"
    organ: str = ""
    station: str = "CT2"
    description: str = "Abd venous 3mm"
    protocol: str = "Abdomen venous"
    accession: str = "ACC0004711"
    reasons: tuple[str, ...] = ()
    minutes: float = 5.0
    images: bool = False

    @property
    def uid(self) -> str:
        """The Series Instance UID."""
        return demo_uid("seed", self.name)


PACS = {"name": "PACS", "ae_title": "ARCHIVE", "host": "pacs.local", "port": 104}
"""Where documents of seeds are to go; nothing is sent."""


def settings_in(folder: Path, *, anonymous_role: str | None = "admin", **web: object) -> Settings:
    """Return settings with everything in a folder. anonymous_role: most tests ask without logging in."""
    return Settings.model_validate(
        {
            "storage": {"data_dir": folder, "reserve_mb": 0},
            "web": web,
            "people": {"anonymous_role": anonymous_role},
            "destinations": [PACS],
        }
    )


def seed(database: Database, settings: Settings, one: Seed, *, blind: float = 0.0) -> str:
    """Write one series and return its Series Instance UID. blind: share whose verdict is hidden from people."""
    at = datetime.now(UTC) - timedelta(minutes=one.minutes)
    paths = _images(settings, one) if one.images else [Path(f"/nowhere/{one.name}/{i}.dcm") for i in range(SLICES)]
    with database.begin() as session:
        reception.register(session, [_instance(one, path, i, at) for i, path in enumerate(paths)])
    if not one.outcome:
        return one.uid
    with database.begin() as session:
        revision = revisions.close_series(session, one.uid, completed_by="quiet", at=at + timedelta(seconds=4))
        assert revision is not None
        revision_id, number = revision.id, revision.number
    if one.outcome == "excluded":
        with database.begin() as session:
            revisions.exclude(session, revision_id, rule="not_ct_or_mr: neither CT nor MR, got US", at=at)
        return one.uid
    judge(database, settings, one, revision_id, number, at + timedelta(seconds=11), blind=blind)
    return one.uid


def late_image(database: Database, one: Seed) -> int:
    """Let one more image of a series come, and return the id of the revision that it makes."""
    at = datetime.now(UTC)
    with database.begin() as session:
        reception.register(session, [_instance(one, Path(f"/nowhere/{one.name}/late.dcm"), 99, at)])
        revision = revisions.close_series(session, one.uid, completed_by="quiet", at=at)
        assert revision is not None
        return revision.id


def judge(
    database: Database, settings: Settings, one: Seed, revision_id: int, number: int, at: datetime, blind: float = 0.0
) -> None:
    """Write the verdict, the pictures and the documents of a revision."""
    assessment = _assessment(one)
    verdict = Verdict(
        Outcome(one.outcome), one.reasons, "default", Action.ADVISE, 50.0, (("metal", 0.9), ("motion", 0.7))
    )
    _pictures(settings, assessment, revision_id)
    with database.begin() as session:
        assessments.record(
            session,
            revision_id,
            [(assessment, verdict)],
            words={
                "accession_number": one.accession,
                "series_description": one.description,
                "protocol_name": one.protocol,
                "station_name": one.station,
                "device": f"Virtual {one.modality}",
            },
            at=at,
            sampling=Sampling(blind, blind),
        )
        kinds = ("SR", "SC", "KO") if verdict.flagged else ("SR", "SC")
        revisions.record_documents(
            session,
            revision_id,
            [
                WrittenDocument(
                    kind, "1.2", demo_uid(one.name, kind, number), demo_uid(one.name, "report"), ("/x.dcm",)
                )
                for kind in kinds
            ],
            destinations=[("PACS", kinds)],
            at=at,
        )


def _assessment(one: Seed) -> Assessment:
    # quality is lowest two thirds up the stack
    dip = 30.0 * np.exp(-(((np.arange(SLICES) - 8) / 1.5) ** 2))
    scores: Sequence[float | None] = (
        [None] * SLICES if one.score is None else [float(v) for v in np.clip(one.score + 6 - dip, 0, 100)]
    )
    unscorable = Finding(FindingCode.LOCALIZER, Severity.NONE, one.reasons[0] if one.reasons else "A localiser")
    return Assessment(
        source=Source("", demo_uid("study", one.accession), one.uid, SLICES, 0, 1),
        prompt=Prompt(
            modality=one.modality,
            regions=(one.region,) if one.region else (),
            organ=one.organ or None,
            plane="axial",
            confidence=0.93,
            evidence=(Evidence("BodyPartExamined", one.region.upper(), "region", f"region:{one.region}", 1.8),),
            rules_version="2026.1",
        ),
        geometry=Geometry(
            (SLICES, SIZE, SIZE), (3.0, 4.0, 4.0),
            ((4.0, 0.0, 0.0, -128.0), (0.0, 4.0, 0.0, -128.0), (0.0, 0.0, 3.0, -300.0), (0.0, 0.0, 0.0, 1.0)),
        ),
        score=one.score,
        interval=None if one.score is None else (max(one.score - 9, 0), min(one.score + 8, 100)),
        attributes={} if one.score is None else {"noise": 0.62, "motion": 0.31, "streak": 0.08, "metal": 0.02},
        slices=tuple(SliceScore(f"{one.uid}.{i}", None, -300.0 + 3 * i, score) for i, score in enumerate(scores)),
        physics=(Measurement("noise_soft_tissue", 24.31, "[hnsf'U]", "lower"), Measurement("mtf50", 0.541, "/mm")),
        findings=(unscorable,) if one.score is None else (),
        model=ModelIdentity("qagate-test", "1.0.0", "0" * 64),
    )  # fmt: skip


def _volume() -> np.ndarray:
    z, y, x = np.mgrid[0:SLICES, 0:SIZE, 0:SIZE]
    body = ((x - 32) / 26) ** 2 + ((y - 32) / 20) ** 2 < 1
    ball = (x - 20 - 2 * z) ** 2 + (y - 30) ** 2 < (4 + z) ** 2  # wanders and grows: each slice differs
    return np.where(ball, 180, np.where(body, 20, -1000)).astype(np.int16)  # (slices, rows, columns) in HU


def volume_of(assessment: Assessment) -> Volume:
    """Return the volume that an assessment of a seed is about."""
    assert assessment.geometry is not None
    return Volume(_volume(), assessment.geometry, (), {})


def _heat() -> np.ndarray:
    heat = np.zeros((SLICES, SIZE // 16, SIZE // 16), np.float32)
    heat[6:11, 1:3, 1:3] = 0.8  # where quality is low
    return heat


def _images(settings: Settings, one: Seed) -> list[Path]:
    folder = settings.spool_dir / one.name
    return write_series(
        _volume(), (3.0, 4.0, 4.0), folder, modality="CT", description=one.description, seed=one.name,
        tags={"SeriesInstanceUID": one.uid},
    )  # fmt: skip


def _pictures(settings: Settings, assessment: Assessment, revision_id: int) -> None:
    folder = settings.previews_dir / str(revision_id)
    folder.mkdir(parents=True, exist_ok=True)
    slices = [*assessment.worst_slices(3), 0] if assessment.score is not None else [6]
    for index in slices:
        grey = np.clip((_volume()[index].astype(np.float32) + 150) * 255 / 400, 0, 255).astype(np.uint8)
        Image.fromarray(grey).save(folder / f"0-{index}.png")
    if assessment.score is not None:
        save_heatmap(folder, volume_of(assessment), _heat())
    (folder / "0.json").write_text(f'{{"slices": {slices}}}', encoding="utf-8")


def _instance(one: Seed, path: Path, number: int, at: datetime) -> StoredInstance:
    return StoredInstance(
        path=path,
        sop_instance_uid=f"{one.uid}.{number}",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.2",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        series_instance_uid=one.uid,
        study_instance_uid=demo_uid("study", one.accession),
        modality=one.modality,
        size_bytes=10,
        sha256=hashlib.sha256(f"{one.name}{number}".encode()).hexdigest(),
        calling_ae_title=one.station,
        received_at=at,
    )
