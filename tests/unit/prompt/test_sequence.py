"""MR sequence: hard facts first, words second."""

from __future__ import annotations

import pytest

from qagate.domain.volume import Tags
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()


def facts(te: float = 0, tr: float = 0, ti: float = 0, fa: float = 0, kind: str = "", **more: object) -> Tags:
    """Tags of a classic MR image; kind as ScanningSequence, values apart with a space."""
    numbers = {"EchoTime": te, "RepetitionTime": tr, "InversionTime": ti, "FlipAngle": fa}
    tags: dict[str, object] = {name: value for name, value in numbers.items() if value}
    if kind:
        tags["ScanningSequence"] = tuple(kind.split()) if " " in kind else kind
    return tags | more  # type: ignore[return-value]


def said(words: str, **more: object) -> Tags:
    return {"SeriesDescription": words, **more}  # type: ignore[dict-item]


CASES: list[tuple[Tags, str | None]] = [
    # hard facts alone
    (facts(120, 9000, 2500, kind="SE IR"), "FLAIR"),
    (facts(386.8, 4800, 1650, kind="IR"), "FLAIR"),  # 3D, Philips
    (facts(394, 6000, 2200, kind="SE IR"), "FLAIR"),
    (facts(60, 4000, 160, kind="SE IR"), "STIR"),
    (facts(2.3, 2300, 900, 9, "GR IR", MRAcquisitionType="3D"), "T1"),
    (facts(3.2, 8.9, 900, kind="GR", MRAcquisitionType="3D"), "T1"),  # GE and Philips: no IR in ScanningSequence
    (facts(12, 550, kind="SE"), "T1"),
    (facts(14, 656, fa=140, kind="SE"), "T1"),
    (facts(2.5, 300, fa=80, kind="GR", SequenceVariant=("SP", "OSP"), SequenceName="*fl2d1"), None),  # 1.5 < 2
    (facts(100, 4000, kind="SE"), "T2"),
    (facts(93, 1500, kind="SE", EchoTrainLength=256), "T2"),
    (facts(80, 900, kind="SE", EchoTrainLength=160), "T2"),  # single shot: TR means nothing
    (facts(30, 3000, kind="SE"), "PD"),
    (facts(25, 600, fa=20, kind="GR"), "T2STAR"),
    (facts(30, 2000, fa=77, kind="EP", EchoTrainLength=64), "BOLD"),
    (facts(27, 2000, kind="GR"), "BOLD"),
    (facts(79, 10000, fa=90, kind="SE EP"), "DWI"),
    (facts(79, 10000, fa=90, kind="SE EP", DiffusionBValue=1000.0), "DWI"),
    (facts(2.0, 4.2, fa=50, kind="GR", SequenceVariant="SS"), "BSSFP"),
    ({"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC"), "AcquisitionContrast": "DIFFUSION"}, "ADC"),
    ({"ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "TRACEW", "ND")}, "DWI"),
    ({"ImageType": ("ORIGINAL", "PRIMARY", "ASL", "NONE")}, "ASL"),
    ({"ImageType": ("ORIGINAL", "PRIMARY", "M", "SWI", "NORM")}, "SWI"),
    ({"ImageType": ("DERIVED", "PRIMARY", "DIXON", "WATER")}, "DIXON"),
    # Enhanced MR
    ({"AcquisitionContrast": "FLUID_ATTENUATED"}, "FLAIR"),
    ({"AcquisitionContrast": "STIR"}, "STIR"),
    ({"AcquisitionContrast": "PROTON_DENSITY"}, "PD"),
    ({"AcquisitionContrast": "T1"}, "T1"),
    ({"AcquisitionContrast": "T2", "EffectiveEchoTime": 90.0}, "T2"),
    ({"AcquisitionContrast": "T2_STAR"}, "T2STAR"),
    ({"AcquisitionContrast": "TOF"}, "MRA"),
    ({"AcquisitionContrast": "PERFUSION"}, "PERFUSION"),
    ({"EchoPulseSequence": "SPIN", "EffectiveEchoTime": 95.0, "RepetitionTime": 4000.0}, "T2"),
    ({"EchoPulseSequence": "GRADIENT", "PulseSequenceName": "*epfid2d1_64", "AcquisitionContrast": "UNKNOWN"}, "BOLD"),
    ({"EchoPulseSequence": "GRADIENT", "PulseSequenceName": "*tfl3d1_16ns"}, "T1"),
    ({"ArterialSpinLabelingContrast": "PSEUDOCONTINUOUS"}, "ASL"),
    ({"SteadyStatePulseSequence": "FREE_PRECESSION"}, "BSSFP"),
    # scanner's names
    ({"SequenceName": "*ep_b1000t"}, "DWI"),
    ({"SequenceName": "*swi3d1r"}, "SWI"),
    ({"SequenceName": "*me2d1r2"}, "T2STAR"),
    ({"SequenceName": "*tfi2d1_15"}, "BSSFP"),
    ({"SequenceName": "*fl3d1r_t70"}, "MRA"),
    # words alone
    (said("t1_mprage_sag_p2_iso"), "T1"),
    (said("SAG T1 SE"), "T1"),
    (said("t1_vibe_fs_tra post"), "T1"),
    (said("AX BRAVO"), "T1"),
    (said("t2_tse_tra"), "T2"),
    (said("NEW HASTE CORONAL"), "T2"),
    (said("MRCP 3D"), "T2"),
    (said("AX T2 FLAIR"), "FLAIR"),
    (said("t2_tirm_tra_dark-fluid"), "FLAIR"),
    (said("T1 FLAIR sag", **facts(20, 2500, 860, kind="SE IR")), "T1"),
    (said("COR STIR"), "STIR"),
    (said("PD FS sag"), "PD"),
    (said("pd_tse_fs_sag"), "PD"),
    (said("DP FS SAG"), "PD"),
    (said("SWI_Images"), "SWI"),
    (said("AX SWAN"), "SWI"),
    (said("T2* GRE"), "T2STAR"),
    (said("t2_fl2d_tra_hemo"), "T2STAR"),
    (said("ep2d_diff_b1000"), "DWI"),
    (said("ep2d_diff_b1000_ADC"), "ADC"),
    (said("DWI b800"), "DWI"),
    (said("弥散 b1000"), "DWI"),
    (said("拡散強調"), "DWI"),
    (said("ДВИ b=1000"), "DWI"),
    (said("TOF_3D"), "MRA"),
    (said("MRA Circle of Willis"), "MRA"),
    (said("pcasl_3d"), "ASL"),
    (said("rsfMRI_AP"), "BOLD"),
    (said("REST1 w SMS PF7-8"), "BOLD"),
    (said("ep2d_perf DSC"), "PERFUSION"),
    (said("t1_vibe_dixon_cor_W"), "DIXON"),
    (said("Sag FIESTA-C"), "BSSFP"),
    (said("trufi_cor"), "BSSFP"),
    (said("ciss3d_tra"), "BSSFP"),
    (said("VenBOLD"), "SWI"),
    # both, and neither
    (said("pd+t2_tse_sag", **facts(11, 4320, kind="SE")), "PD"),
    (said("pd+t2_tse_sag", **facts(101, 4320, kind="SE")), "T2"),
    (said("gre_field_mapping", **facts(4.9, 400, fa=60, kind="GR")), None),
    (said("x"), None),
    ({}, None),
]  # fmt: skip


def test_the_table_is_large_enough() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize(("tags", "expected"), CASES)
def test_sequence(tags: Tags, expected: str | None) -> None:
    assert infer({**tags, "Modality": "MR"}, RULES).sequence == expected


def test_ct_has_no_sequence() -> None:
    assert infer({**facts(100, 4000, kind="SE"), "Modality": "CT"}, RULES).sequence is None
