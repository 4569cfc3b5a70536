"""Series as scanners send them: how many volumes they become, what these are called, and which get a score."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from qagate.assemble.child import Decoders
from qagate.assemble.exclusion import kind_of, made_of
from qagate.assemble.series import read_series
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules
from tests.unit.assemble.made import MR_CLASS, save, uid
from tests.unit.assemble.scanned_ct import CT
from tests.unit.assemble.scanned_mr import MR

RULES = load_rules()
SERIES = MR | CT


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


@pytest.mark.parametrize("name", SERIES)
def test_series(tmp_path: Path, decoders: Decoders, name: str) -> None:
    objects, volumes, labels = SERIES[name]
    files = []
    for index, dataset in enumerate(objects):
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid(name, index)
        files.append(save(dataset, tmp_path))
    found = read_series(files[::-1], decoders=decoders).volumes
    told = []
    for volume in found:
        why = {f.code.value for f in (*volume.findings, *infer(volume.tags, RULES).exclusions)}
        told.append((volume.geometry.shape[0], " ".join(sorted(why))))
    assert told == [(slices, why) for count, slices, why in volumes for _ in range(count)]
    assert [volume.label for volume in found[:2]] == labels


def test_types_that_rules_exclude_part_volumes() -> None:
    """A few images of such a type among others would be scored with them, or keep them from a score."""
    rules = [rule for rule in RULES.exclusions if rule.to != "phase_image" and len(rule.when) == 1]
    words = {word for rule in rules if rule.when[0].tags == ("ImageType",) for word in rule.when[0].any}
    assert len(words) > 60
    alike = [word for word in words if not kind_of(MR_CLASS, ("DERIVED", "PRIMARY", word), "") and not made_of((word,))]
    assert alike == []
