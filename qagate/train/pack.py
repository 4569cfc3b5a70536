"""Pack: training volumes in one compact, checked file, split by subject.

    python -m qagate.train pack VOLUMES_DIR OUT.qpk

Layout: b"QAPACK1\\n", length of the header (8 bytes, little endian), header (JSON), then one LZMA stream for each
volume. The header names for each volume its subject, part, prompt, spacing, shape, step, offset, length and SHA-256.
Voxels are stored as differences along columns of whole numbers: HU / 2 for CT; for MR 1/800 of the robust maximum.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qagate.domain.prompt import Acquisition, Prompt
from qagate.errors import InputError
from qagate.score.calibration import OUT_OF_DOMAIN
from qagate.score.familiar import strangeness
from qagate.score.preprocess import standardise
from qagate.train import index
from qagate.train.nifti import Nifti, read

COLUMNS = ("id", "modality", "organ", "sequence", "vendor", "shape", "note", "subject")
"""What the index.csv of a folder of volumes says of each."""
MAGIC = b"QAPACK1\n"
LIMIT_BYTES = 55 * 2**20
CT_STEP_HU, MR_STEP = 2.0, 1.0 / 800.0
SLICES = {"CT": 7, "MR": 18}
"""At most so many neighbouring slices of a volume are packed."""
SALT = "qagate 4"
"""Chosen by hand, before any training, so that fit holds several body regions of MR."""
SPLIT = (("fit", 0.60), ("select", 0.15), ("benchmark", 0.25))
HELD_OUT_ORGANS = ("knee",)
HELD_OUT_SCANNERS = ("Philips Brilliance", "GE Medical Systems SIGNA", "SIEMENS Sensation 64", "SIEMENS SOMATOM PLUS 4")
"""These organs and scanners are in the benchmark part only."""

ORGAN_WORDS: Mapping[str, tuple[tuple[str, ...], str | None]] = {
    "abdomen": (("abdomen",), None),
    "abdomen_liver": (("abdomen",), "liver"),
    "abdomen_pelvis": (("abdomen", "pelvis"), None),
    "abdomen_upper": (("abdomen",), "liver"),
    "brain": (("head",), "brain"),
    "brain_hippocampus": (("head",), "hippocampus"),
    "breast": (("breast",), "breast"),
    "chest": (("chest",), "lung"),
    "chest_heart": (("chest",), "heart"),
    "chest_shoulder": (("chest", "upper_extremity"), None),
    "head": (("head",), "brain"),
    "jaw_dental": (("head",), "jaw"),
    "knee": (("lower_extremity",), "knee"),
    "neck_shoulder": (("neck",), None),
    "pelvis": (("pelvis",), None),
    "pelvis_fetus": (("pelvis",), "fetus"),
}
"""Organ word of the index → regions and organ of the domain."""


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """One training volume. voxels: (slices, rows, columns) float32, HU for CT, robust maximum 1 for MR."""

    name: str
    subject: str
    part: str
    kind: str
    organ: str
    vendor: str
    prompt: Prompt
    spacing_mm: tuple[float, float, float]
    voxels: npt.NDArray[np.float32]


def main(arguments: list[str]) -> int:
    """Pack a folder of volumes with its index.csv."""
    parser = argparse.ArgumentParser(prog="qagate train pack", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("volumes", type=Path, help="folder with index.csv and the volumes it names")
    parser.add_argument("out", type=Path, help="file to write")
    parser.add_argument("--limit-mib", type=float, default=LIMIT_BYTES / 2**20)
    options = parser.parse_args(arguments)
    size = write(options.volumes, options.out, int(options.limit_mib * 2**20))
    parts: dict[str, set[str]] = {}
    for entry in header(options.out)["volumes"]:
        parts.setdefault(entry["part"], set()).add(entry["subject"])
    print(f"{options.out}: {size / 2**20:.1f} MiB, subjects " + ", ".join(f"{k} {len(v)}" for k, v in parts.items()))
    return 0


def write(folder: Path, out: Path, limit_bytes: int = LIMIT_BYTES) -> int:
    """Pack `folder` into `out` and return its size in bytes. Raises InputError."""
    rows = _rows(folder)
    parts = split(rows)
    entries, blobs, offset = [], [], 0
    for row in rows:
        image = read(folder / f"{row['id']}.nii.gz")
        modality = row["modality"]
        voxels, step = _quantised(image, modality)
        if strangeness(voxels.astype(np.float32) * np.float32(step), modality) > OUT_OF_DOMAIN:
            print(f"{row['id']} is left out: it holds noise, text or nothing")
            continue
        blob = _squeeze(voxels)
        regions, organ = ORGAN_WORDS.get(row["organ"], ((), None))
        entries.append(
            {
                "name": row["id"], "subject": row["subject"], "part": parts[row["subject"]], "kind": _kind(row),
                "organ": row["organ"], "vendor": row["vendor"], "modality": modality, "regions": list(regions),
                "organ_word": organ, "sequence": _sequence(row), "plane": image.plane, "contrast": _contrast(row),
                "kernel": _kernel(row), "spacing_mm": [round(v, 5) for v in image.spacing_mm],
                "thickness_mm": _thickness(image), "shape": list(voxels.shape), "step": step, "offset": offset,
                "length": len(blob), "sha256": hashlib.sha256(blob).hexdigest(),
            }
        )  # fmt: skip
        blobs.append(blob)
        offset += len(blob)
    head = json.dumps({"schema": "qagate.pack/1", "volumes": entries}, sort_keys=True).encode()
    total = len(MAGIC) + 8 + len(head) + offset
    if total > limit_bytes:
        raise InputError(f"a pack must be at most {limit_bytes} bytes; lower SLICES in train/pack.py, got {total}")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(MAGIC + struct.pack("<Q", len(head)) + head + b"".join(blobs))
    return total


def header(path: Path) -> dict[str, Any]:
    """Return the header of a pack. Raises InputError."""
    try:
        with path.open("rb") as file:
            if file.read(8) != MAGIC:
                raise InputError(f"{path} must be a qagate pack, got another kind of file")
            length = min(struct.unpack("<Q", file.read(8))[0], path.stat().st_size)
            found: dict[str, Any] = json.loads(file.read(length))
    except (OSError, ValueError, struct.error) as error:
        raise InputError(f"{path} must be a readable qagate pack, got {error}") from error
    return found


def volumes(path: Path, parts: tuple[str, ...] = ("fit", "select", "benchmark")) -> Iterator[Packed]:
    """Yield the volumes of some parts. Raises InputError when a volume is not what was packed."""
    entries = header(path)["volumes"]
    with path.open("rb") as file:
        start = 16 + struct.unpack("<Q", file.read(16)[8:])[0]
        for entry in entries:
            if entry["part"] not in parts:
                continue
            file.seek(start + entry["offset"])
            blob = file.read(entry["length"])
            if (digest := hashlib.sha256(blob).hexdigest()) != entry["sha256"]:
                raise InputError(f"{entry['name']} in {path} must have SHA-256 {entry['sha256']}, got {digest}")
            voxels = _unsqueeze(blob, entry["shape"]).astype(np.float32) * np.float32(entry["step"])
            prompt = Prompt(
                modality=entry["modality"],
                regions=tuple(entry["regions"]),
                organ=entry["organ_word"],
                sequence=entry["sequence"],
                kernel=entry["kernel"],
                plane=entry["plane"],
                contrast=entry["contrast"],
                acquisition=Acquisition(slice_thickness_mm=entry["thickness_mm"]),
                confidence=1.0,
            )
            z, y, x = entry["spacing_mm"]
            yield Packed(
                entry["name"], entry["subject"], entry["part"], entry["kind"], entry["organ"], entry["vendor"],
                prompt, (z, y, x), voxels,
            )  # fmt: skip


def split(rows: list[dict[str, str]]) -> dict[str, str]:
    """Return subject → part. Held-out organs and scanners first; the rest by digest within each kind of volume."""
    kinds: dict[str, str] = {}
    held: set[str] = set()
    for row in rows:
        kinds.setdefault(row["subject"], _kind(row))
        if row["organ"] in HELD_OUT_ORGANS or row["vendor"].startswith(HELD_OUT_SCANNERS):
            held.add(row["subject"])
    found: dict[str, str] = {}
    for kind in sorted(set(kinds.values())):
        subjects = sorted(
            (s for s, k in kinds.items() if k == kind), key=lambda s: hashlib.sha256(f"{SALT} {s}".encode()).digest()
        )
        free = [s for s in subjects if s not in held]
        fit = min(len(free), max(1, round(SPLIT[0][1] * len(subjects))))
        select = min(len(free) - fit, round(SPLIT[1][1] * len(subjects)))
        found |= dict.fromkeys(free[:fit], "fit") | dict.fromkeys(free[fit : fit + select], "select")
        found |= {s: "benchmark" for s in subjects if s not in found}
    return found


def _rows(folder: Path) -> list[dict[str, str]]:
    return [record.said() for record in index.read(folder / "index.csv", COLUMNS, ())]


def _kind(row: Mapping[str, str]) -> str:
    """Kind of volume, so that each kind is split by itself."""
    if "phantom" in row["sequence"] + row["note"]:
        return "phantom"
    if row["organ"] == "brain_hippocampus":
        return "crop"
    return row["modality"] + ("2d" if row["shape"].endswith("x1") else "")


def _quantised(image: Nifti, modality: str) -> tuple[npt.NDArray[np.int16], float]:
    """Return the middle slices as whole numbers and the value of one step."""
    count = len(image.voxels)
    keep = min(count, SLICES[modality])
    first = (count - keep) // 2
    standard, _ = standardise(image.voxels, modality)
    step = CT_STEP_HU if modality == "CT" else MR_STEP
    return np.round(standard[first : first + keep] / step).astype(np.int16), step


def _squeeze(voxels: npt.NDArray[np.int16]) -> bytes:
    """Differences along columns, low bytes then high bytes, LZMA."""
    delta = np.diff(voxels, axis=2, prepend=np.int16(0)).astype("<i2")
    zigzag = ((delta << 1) ^ (delta >> 15)).astype("<u2")
    return lzma.compress(
        (zigzag & 0xFF).astype(np.uint8).tobytes() + (zigzag >> 8).astype(np.uint8).tobytes(), preset=6
    )


def _unsqueeze(blob: bytes, shape: list[int]) -> npt.NDArray[np.int16]:
    raw = np.frombuffer(lzma.decompress(blob), np.uint8).astype(np.uint16)
    zigzag = (raw[: raw.size // 2] | (raw[raw.size // 2 :] << 8)).reshape(shape)
    delta = (zigzag >> 1).astype(np.int16) ^ -(zigzag & 1).astype(np.int16)
    return np.cumsum(delta, axis=2, dtype=np.int16)


def _sequence(row: Mapping[str, str]) -> str | None:
    if row["modality"] != "MR":
        return None
    text = row["sequence"].upper()
    return next(
        (word for word in ("FLAIR", "STIR", "DWI", "T1", "PD", "T2") if word in text.replace("MPRAGE", "T1")), None
    )


def _contrast(row: Mapping[str, str]) -> bool | None:
    text = row["sequence"]
    if any(word in text for word in ("non-contrast", "PET-CT")):
        return False
    return True if any(word in text.split() for word in ("CE", "CTA", "Gd")) or "venous" in text else None


def _kernel(row: Mapping[str, str]) -> str | None:
    if row["modality"] != "CT":
        return None
    text = row["sequence"].lower()
    if any(word in text for word in ("b20", "b30", "b31", "std")):
        return "soft"
    return "sharp" if any(word in text for word in ("lung kernel", "lung window", "bone kernel")) else None


def _thickness(image: Nifti) -> float:
    """Slice thickness is taken to be the slice spacing; single slices carry theirs in the header too."""
    return round(image.spacing_mm[0], 4)
