"""CT kernels by vendor, and contrast agent by words of many languages."""

from __future__ import annotations

import pytest

from qagate.domain.volume import TagValue
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()

KERNELS: list[tuple[str, TagValue, str | None]] = [
    ("SIEMENS", "B20f", "soft"),
    ("SIEMENS", "B31f", "soft"),
    ("SIEMENS", "H31s", "soft"),
    ("SIEMENS", "B45f", "medium"),
    ("SIEMENS", "B70f", "sharp"),
    ("SIEMENS", "H60s", "sharp"),
    ("SIEMENS", ("Br40d", "3"), "soft"),
    ("Siemens Healthineers", ("Bl57d", "3"), "medium"),
    ("SIEMENS", ("Br64d", "3"), "sharp"),
    ("SIEMENS", ("I31f", "3"), "soft"),
    ("SIEMENS", "I70f", "sharp"),
    ("SIEMENS", "Qr36", "soft"),
    ("SIEMENS", "Hr68h", "sharp"),
    ("GE MEDICAL SYSTEMS", "STANDARD", "soft"),
    ("GE MEDICAL SYSTEMS", "SOFT", "soft"),
    ("GE MEDICAL SYSTEMS", "STD+", "soft"),
    ("GE MEDICAL SYSTEMS", "DETAIL", "medium"),
    ("GE MEDICAL SYSTEMS", "LUNG", "sharp"),
    ("GE MEDICAL SYSTEMS", "BONEPLUS", "sharp"),
    ("GE MEDICAL SYSTEMS", "EDGE", "sharp"),
    ("Philips", "A", "soft"),
    ("Philips", "B", "soft"),
    ("Philips", "C", "medium"),
    ("Philips", "D", "sharp"),
    ("Philips", "L", "sharp"),
    ("Philips", "YC", "sharp"),
    ("Philips", "XCB", "soft"),
    ("TOSHIBA", "FC08", "soft"),
    ("TOSHIBA", "FC18-H", "soft"),
    ("CANON_MEC", "FC26", "soft"),
    ("CANON_MEC", "FC30", "sharp"),
    ("TOSHIBA", "FC52", "sharp"),
    ("UIH", "B_SOFT_B", "soft"),
    ("UIH", "H_BONE_A", "sharp"),
    # no vendor: only names that are one vendor's own
    ("", "B31f", "soft"),
    ("", "FC52", "sharp"),
    ("", "BONEPLUS", "sharp"),
    ("", "D", None),
    ("GE MEDICAL SYSTEMS", "D", None),
    ("SIEMENS", "", None),
    ("Neusoft", "11", None),
]


@pytest.mark.parametrize(("vendor", "kernel", "expected"), KERNELS)
def test_kernel(vendor: str, kernel: TagValue, expected: str | None) -> None:
    tags: dict[str, TagValue] = {"Modality": "CT", "Manufacturer": vendor, "ConvolutionKernel": kernel}
    assert infer(tags, RULES).kernel == expected


def test_mr_has_no_kernel() -> None:
    assert infer({"Modality": "MR", "Manufacturer": "SIEMENS", "ConvolutionKernel": "B31f"}, RULES).kernel is None


CONTRAST: list[tuple[str, str, bool | None]] = [
    ("SeriesDescription", "Schädel nativ", False),
    ("SeriesDescription", "Thorax ohne KM", False),
    ("SeriesDescription", "Abdomen mit KM", True),
    ("SeriesDescription", "Oberbauch ven.", True),
    ("SeriesDescription", "Head W/O", False),
    ("SeriesDescription", "Brain wo contrast", False),
    ("SeriesDescription", "Abd w contrast", True),
    ("SeriesDescription", "CT HEAD NONCON", False),
    ("SeriesDescription", "AX T1 +C", True),
    ("SeriesDescription", "C+ 5mm", True),
    ("SeriesDescription", "C- 5mm", False),
    ("SeriesDescription", "T1 post Gd", True),
    ("SeriesDescription", "post op knee", None),
    ("SeriesDescription", "Portal venous 3mm", True),
    ("SeriesDescription", "CTA carotids", True),
    ("SeriesDescription", "MRI ABD W+WO CONT", None),
    ("SeriesDescription", "Crâne sans injection", False),
    ("SeriesDescription", "Thorax injecté", True),
    ("SeriesDescription", "TORAX SIN CONTRASTE", False),
    ("SeriesDescription", "CUELLO con contraste", True),
    ("SeriesDescription", "addome senza mdc", False),
    ("SeriesDescription", "addome con mdc", True),
    ("SeriesDescription", "Crânio sem contraste", False),
    ("SeriesDescription", "Buik blanco", False),
    ("SeriesDescription", "Buk med kontrast", True),
    ("SeriesDescription", "Głowa bez kontrastu", False),
    ("SeriesDescription", "без контраста", False),
    ("SeriesDescription", "с контрастом", True),
    ("SeriesDescription", "头颅平扫", False),
    ("SeriesDescription", "上腹部增强", True),
    ("SeriesDescription", "頭部単純", False),
    ("SeriesDescription", "胸部造影", True),
    ("SeriesDescription", "조영전 복부", False),
    ("SeriesDescription", "T/S/C PILOT", None),
    ("SeriesDescription", "Thorax 5.0", None),
    ("ContrastBolusAgent", "", None),
    ("ContrastBolusAgent", "Omnipaque 350", True),
    ("ContrastBolusAgent", "NONE", False),
    ("ContrastBolusAgent", "ohne KM", False),
    ("StudyDescription", "MR-Brain w/o Contrast", False),
    # before and after, in many words
    ("SeriesDescription", "CCT o.KM", False),
    ("SeriesDescription", "t1_tra vor KM", False),
    ("SeriesDescription", "KM-frei", False),
    ("SeriesDescription", "ohne i.v. KM", False),
    ("SeriesDescription", "T1 avant gado", False),
    ("SeriesDescription", "T1 antes de contraste", False),
    ("SeriesDescription", "T1 prima di mdc", False),
    ("SeriesDescription", "ante mdc", False),
    ("SeriesDescription", "T1 no gd", False),
    ("SeriesDescription", "T1 pre Gd", False),
    ("SeriesDescription", "T1 ohne Gd", False),
    ("SeriesDescription", "T1 Gd-", False),
    ("SeriesDescription", "T1 -Gd", False),
    ("SeriesDescription", "przed kontrastem", False),
    ("SeriesDescription", "до введения контраста", False),
    ("SeriesDescription", "造影前", False),
    ("SeriesDescription", "造影剤なし", False),
    ("SeriesDescription", "增强前", False),
    ("SeriesDescription", "kontrast öncesi", False),
    ("SeriesDescription", "NECT", False),
    ("SeriesDescription", "T1 nach KM", True),
    ("SeriesDescription", "T1-Gd", True),
    ("SeriesDescription", "T1 Gd", True),
    ("SeriesDescription", "造影後", True),
    ("SeriesDescription", "增强后", True),
    ("SeriesDescription", "после КУ", True),
    ("SeriesDescription", "KM spät", True),
    ("SeriesDescription", "senza e con mdc", None),
    ("SeriesDescription", "con y sin contraste", None),
    ("SeriesDescription", "bez i po kontraście", None),
    ("SeriesDescription", "mit und ohne KM", None),
    ("SeriesDescription", "avec et sans gado", None),
    ("SeriesDescription", "SAG T2 C - SPINE", None),
    ("SeriesDescription", "SAG T1 W/O FS", None),
    ("SeriesDescription", "AX T2 WO FAT SAT", None),
    ("SeriesDescription", "SAG T1 W/O", False),
    ("SeriesDescription", "Brain WO", False),
    # phases
    ("SeriesDescription", "静脉期", True),
    ("SeriesDescription", "遅延相", True),
    ("SeriesDescription", "지연기", True),
    ("SeriesDescription", "Temps veineux", True),
    ("SeriesDescription", "fase tardía", True),
    ("SeriesDescription", "fase arteriosa", True),
    ("SeriesDescription", "Spätphase", True),
    ("SeriesDescription", "отсроченная фаза", True),
    ("SeriesDescription", "faza żylna", True),
    ("ContrastBolusAgent", "kein", False),
    ("ContrastBolusAgent", "无", False),
    ("ContrastBolusAgent", "なし", False),
    ("ContrastBolusAgent", "нет", False),
    ("ContrastBolusAgent", "aucun", False),
    ("ContrastBolusAgent", "Ninguno", False),
    ("ContrastBolusAgent", "NO IV", False),
    ("SeriesDescription", "T1 prä KM", False),
    ("SeriesDescription", "Sinus sans", False),
    ("SeriesDescription", "Torax s/ contraste", False),
    ("SeriesDescription", "addome senza m.d.c.", False),
    ("SeriesDescription", "torace m.d.c.", True),
    ("SeriesDescription", "Hoofd zonder iv contrast", False),
    ("SeriesDescription", "Abdomen IV-", False),
    ("SeriesDescription", "Abdomen IV+", True),
    ("SeriesDescription", "Abdomen C(-)", False),
    ("SeriesDescription", "Abdomen C(+)", True),
    ("SeriesDescription", "Thorax mKM", True),
    ("SeriesDescription", "LGE kurze Achse", True),
    ("SeriesDescription", "Nieren exkretorisch", True),
    ("SeriesDescription", "頭部單純", False),
    ("SeriesDescription", "胸部非造影", False),
    ("SeriesDescription", "腹部未增强", False),
    ("ContrastBolusAgent", "0 ml", False),
    ("ContrastBolusAgent", "N/A", None),
    ("ContrastBolusAgent", "?", None),
    ("ContrastBolusAgent", "unknown", None),
    ("ContrastBolusAgent", "ORAL", None),
    ("ContrastBolusAgent", "Oral and IV", True),
]


@pytest.mark.parametrize(("tag", "value", "expected"), CONTRAST)
def test_contrast(tag: str, value: str, expected: bool | None) -> None:
    assert infer({"Modality": "CT", tag: value}, RULES).contrast is expected


def test_the_series_decides_before_the_agent() -> None:
    tags = {"SeriesDescription": "Leber nativ", "ContrastBolusAgent": "Primovist", "StudyDescription": "MRT mit KM"}
    assert infer(tags, RULES).contrast is False
