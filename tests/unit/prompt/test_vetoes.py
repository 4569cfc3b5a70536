"""Phrases that mislead: what they must not be taken for."""

from __future__ import annotations

import pytest

from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()


@pytest.mark.parametrize(
    ("modality", "words", "regions", "organ"),
    [
        ("CT", "neck of femur", "lower_extremity", "thigh"),
        ("CT", "Femoral neck fracture", "lower_extremity", "thigh"),
        ("CT", "Head of femur left", "lower_extremity", "thigh"),
        ("CT", "Neck of humerus", "upper_extremity", None),
        ("CT", "humeral head", "upper_extremity", None),
        ("MR", "fibular head", "lower_extremity", "lower_leg"),
        ("MR", "T1 metatarsal heads", "", None),
        ("CT", "head of pancreas", "abdomen", "pancreas"),
        ("CT", "Pancreatic head", "abdomen", "pancreas"),
        ("MR", "Gallbladder neck", "abdomen", None),
        ("MR", "bladder neck", "pelvis", "bladder"),
        ("CT", "Aneurysm neck brain", "head", "brain"),
        ("MR", "Chest wall T2", "chest", None),
        ("MR", "abdominal wall T1", "abdomen", None),
        ("MR", "cervical spine T2 sag", "spine", "spine"),
        ("MR", "T2 sag cervix", "pelvis", "uterus"),
        ("MR", "MR cervical cancer staging", "pelvis", "uterus"),
        ("MR", "Uterus cervical ca", "pelvis", "uterus"),
        ("MR", "thoracic spine T1", "spine", "spine"),
        ("CT", "Head first supine abdomen", "abdomen", None),
        ("MR", "spine coil T1", "", None),
        ("CT", "Thorax arms up", "chest", None),
        ("CT", "head and neck angio", "head neck", None),  # no veto: both are meant
        ("CT", "Vertebral arteries", "neck", None),
        ("CT", "Abdomen no chest", "abdomen", None),
        ("CT", "Abdomen ohne Thorax", "abdomen", None),
        ("CT", "TDM abdomen sans thorax", "abdomen", None),
        ("CT", "Hals excl. head", "neck", None),
        ("CT", "no contrast chest", "chest", None),
        ("CT", "CTAP", "abdomen pelvis", None),
        ("CT", "CTCAP", "chest abdomen pelvis", None),
        ("CT", "CTA chest right arm inj", "chest", None),
        ("CT", "Chest inj left arm", "chest", None),
        ("CT", "Right arm injury", "upper_extremity", None),
        ("CT", "КТ грудного отдела аорты", "chest", "aorta"),
        ("CT", "грудной отдел пищевода", "chest", None),
        ("CT", "грудной отдел позвоночника", "spine", "spine"),
    ],
)
def test_regions(modality: str, words: str, regions: str, organ: str | None) -> None:
    found = infer({"Modality": modality, "SeriesDescription": words}, RULES)
    assert (" ".join(found.regions), found.organ) == (regions, organ)


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("Abdomen no contrast", False),
        ("Thorax ohne KM", False),
        ("Kopf ohne Kontrastmittel", False),
        ("Chest without IV contrast", False),
        ("Abdomen sans injection", False),
        ("Torax sin contraste", False),
        ("Abdome sem contraste", False),
        ("addome senza mdc", False),
        ("non-contrast head", False),
        ("Abdomen mit KM", True),
        ("Kopf mit Kontrastmittel", True),
        ("Chest w contrast", True),
        ("head with and without contrast", None),  # both: neither
    ],
)
def test_contrast(words: str, given: bool | None) -> None:
    assert infer({"Modality": "CT", "SeriesDescription": words}, RULES).contrast is given
