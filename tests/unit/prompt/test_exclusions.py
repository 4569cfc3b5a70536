"""What is not scored, and the sentence that says why."""

from __future__ import annotations

import pytest

from qagate.domain.volume import Tags, TagValue
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()
CT = "1.2.840.10008.5.1.4.1.1.2"
SC = "1.2.840.10008.5.1.4.1.1.7"
VELOCITY: dict[str, TagValue] = {"Modality": "MR", "ImageType": ("ORIGINAL", "PRIMARY", "VELOCITY", "NONE")}

CASES: list[tuple[Tags, list[str]]] = [
    ({"Modality": "CT"}, []),
    ({"Modality": "CT", "SOPClassUID": CT, "ImageType": ("ORIGINAL", "PRIMARY", "AXIAL")}, []),
    ({"SOPClassUID": CT}, []),
    ({}, []),  # a NIfTI file states nothing; whoever hands it over knows the modality
    ({"Modality": "PT"}, ["not_ct_or_mr"]),
    ({"Modality": "US", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.6.1"}, ["not_ct_or_mr"]),
    ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.481.2"}, ["not_ct_or_mr"]),
    ({"Modality": "CT", "SOPClassUID": SC}, ["secondary_capture"]),
    ({"Modality": "CR", "SOPClassUID": SC}, ["not_ct_or_mr", "secondary_capture"]),
    ({"Modality": "CT", "ImageType": ("DERIVED", "SECONDARY", "SCREEN SAVE")}, ["secondary_capture"]),
    ({"Modality": "CT", "SeriesDescription": "Dose Report"}, ["secondary_capture"]),
    ({"Modality": "CT", "SeriesDescription": "Patient Protocol"}, ["secondary_capture"]),
    ({"Modality": "CT", "SeriesDescription": "Dosisbericht"}, ["secondary_capture"]),
    ({"Modality": "CT", "ImageType": ("ORIGINAL", "PRIMARY", "LOCALIZER")}, ["localizer"]),
    ({"Modality": "CT", "ScanOptions": "SCOUT MODE"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "Topogram 0.6 T20f"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "Surview"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "SCOUT"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "定位像"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "位置決め"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "3-plane loc"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "localizer 3 PLANS"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "AAHead_Scout_64ch"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "T/S/C RF FAST PILOT"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "Локалайзер"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "SmartPrep Series"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "PreMonitoring 10.0"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "Bolus Tracking"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "TestBolus"}, ["localizer"]),
    # on CT the protocol is that of the whole examination
    ({"Modality": "CT", "SeriesDescription": "CTA CHEST 1.25mm", "ProtocolName": "6.1 PE SMARTPREP"}, []),
    ({"Modality": "CT", "ProtocolName": "PreMonitoring"}, ["localizer"]),
    ({"Modality": "CT", "SeriesDescription": "5mm STD", "ProtocolName": "QA Daily Phantom"}, ["phantom"]),
    ({"Modality": "MR", "SeriesDescription": "sag", "ProtocolName": "localizer"}, ["localizer"]),
    ({"Modality": "MR", "SeriesDescription": "FLAIR sag", "ProtocolName": "MS monitoring"}, []),
    ({"Modality": "CT", "ImageType": ("DERIVED", "SECONDARY", "MIP")}, ["projection"]),
    ({"Modality": "MR", "ImageType": ("DERIVED", "SECONDARY", "PROJECTION IMAGE")}, ["projection"]),
    ({"Modality": "CT", "SeriesDescription": "Thorax MIP cor"}, ["projection"]),
    ({"Modality": "CT", "ImageType": ("DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE")}, ["derived"]),
    ({"Modality": "CT", "SeriesDescription": "Thorax MPR sag"}, ["derived"]),
    ({"Modality": "MR", "SeriesDescription": "t1_mpr_sag"}, []),  # an old name of MPRAGE
    ({"Modality": "MR", "ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "FA")}, ["derived"]),
    ({"Modality": "MR", "ImageType": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}, ["derived"]),
    # anonymisers and compressors write DERIVED too: the word alone means nothing
    ({"Modality": "MR", "ImageType": ("DERIVED", "SECONDARY", "OTHER")}, []),
    ({"Modality": "MR", "ImageType": ("DERIVED", "SECONDARY", "M", "NORM", "DIS2D", "FS", "FIL")}, []),
    ({"Modality": "MR", "ImageType": ("ORIGINAL", "PRIMARY", "P", "ND")}, ["phase_image"]),
    ({"Modality": "MR", "ComplexImageComponent": "PHASE"}, ["phase_image"]),
    # value 3 of Enhanced MR names the purpose; the component says whether it is phase
    (VELOCITY | {"ComplexImageComponent": "MAGNITUDE"}, []),
    (VELOCITY | {"ComplexImageComponent": "PHASE"}, ["phase_image"]),
    ({"Modality": "MR", "ImageType": ("ORIGINAL", "PRIMARY", "M", "ND")}, []),
    ({"Modality": "CT", "SeriesDescription": "Relevé de dose"}, ["secondary_capture"]),
    ({"Modality": "CT", "SeriesDescription": "Hoja de dosis"}, ["secondary_capture"]),
    ({"Modality": "CT", "SeriesDescription": "肺结节术前定位"}, []),
    ({"Modality": "CT", "SeriesDescription": "定位像"}, ["localizer"]),
    ({"Modality": "CT", "QualityControlImage": "YES"}, ["phantom"]),
    ({"Modality": "CT", "SeriesDescription": "Catphan 600"}, ["phantom"]),
    ({"Modality": "CT", "StudyDescription": "Daily QA"}, ["phantom"]),
    ({"Modality": "MR", "StudyDescription": "phantom"}, ["phantom"]),
    ({"Modality": "MR", "SeriesDescription": "ファントム"}, ["phantom"]),
    ({"Modality": "CT", "SeriesDescription": "水模体"}, ["phantom"]),
    ({"Modality": "MR", "StudyDescription": "phantom limb pain"}, []),
    ({"Modality": "CT", "PatientName": "PHANTOM^ACR"}, ["phantom"]),
    ({"Modality": "CT", "SeriesDescription": "Aquilion head"}, []),
]  # fmt: skip

# names that scanners and workstations give, on CT and on MR
NAMES: dict[str, dict[str, str]] = {
    "CT": {
        "derived": "MonoE 40keV[HU]; Monoenergetic Plus 40 keV; Mono+ 55keV; Abdomen 50 keV; MONO 190 keV; VMI 40; "
        "MonoE 140keV[HU]; Iodine Density[mg/ml]; Contrast-Enhanced Structures[HU]; Calcium Supp 70 Index[HU]; "
        "Electron Density[%EDW]; MD Water; HAP(Water); Water(Iodine); Calcium (Water); Iodkarte 1.0; GMeanTT; "
        "Delay Map; Permeability; TTD; Mean Transit Time; Parallel Range; Curved Range[1]; MPR Range[1]; "
        "DE_BoneRemoval; Bone removal",
        "projection": "tAVG; Temporal Average 5.0; AIP; Ave-IP; tMIP",
        "secondary_capture": "RAPID Summary; iSchemaView; Brainomix ASPECTS; AIF/VOF; CaScore Report; 3D Saved State",
        "localizer": "ScanoView LAT; SCANOGRAPH; Uebersichtsaufnahme; Skanogram; ScanoscopeFront; Mode radio; "
        "i-Fluoro; CT Fluoro; CTAC; AC CT; WB CTAC 3.75; Attenuation Map",
        "": "MonoE 70keV[HU]; Mono+ 65 keV; Abdomen 70 keV; Thorax 120 kV; CT AC joint; NNR washout 15 min; "
        "With iodine; Iodine contrast ven.; Monitoring of tumour; SnapShot Pulse 75%; Thorax 1.0 mm; 40 kVp; Abd Fat",
    },
    "MR": {
        "derived": "ep2d_diff_CALC_BVAL; ep2d_diff_tra_CALC_BVAL_1500; cDWI b1400; computed b1400; Synthetic b 2000; "
        "ep2d_perf_GBP; Negative Enhancement Integral; Time to Peak; Average DC; Fractional Aniso.; MTE map; "
        "Wash-in; Washout; T2Star Images; dixon_F_frac; vibe_dixon_FF; Goodness of fit; Wave images; "
        "95% confidence map; BOLD t-test; Mean_&_t-Maps; EvaSeries_GLM; DTI tractography; Colored FA; MPR Range",
        "localizer": "Tri-plane; FastView; Lokalisator; Pilotscan; BolusTrak; "
        "3-pl T2* FGRE S; AAHScout; Cal 8HRBRAIN; ARRAY SPATIAL SENSITIVITY; Head_MRAC_PET; UMAP",
        "": "t1_mpr_sag; ep2d_diff_TRACEW; dReg - DWI; WATER: IDEAL IQ; SWI_Images; t2_tse_fs; Calcaneus sag; "
        "DWI b 1000; MoCoSeries; Washington protocol T2; 3D T1 PLAN",
    },
}


@pytest.mark.parametrize(
    ("modality", "name", "code"),
    [(m, name, code) for m, by in NAMES.items() for code, names in by.items() for name in names.split("; ")],
)
def test_what_scanners_call_images_that_are_not_read(modality: str, name: str, code: str) -> None:
    found = infer({"Modality": modality, "SeriesDescription": name}, RULES).exclusions
    assert [finding.code.value for finding in found] == ([code] if code else [])


def test_an_image_at_the_energy_of_the_scan_is_read_and_others_are_not() -> None:
    for energy, codes in ((40.0, ["derived"]), (60, []), ("70", []), (80.0, []), (140.0, ["derived"])):
        found = infer({"Modality": "CT", "MonoenergeticEnergyEquivalent": energy}, RULES).exclusions
        assert [finding.code.value for finding in found] == codes


@pytest.mark.parametrize(("tags", "codes"), CASES)
def test_exclusions(tags: Tags, codes: list[str]) -> None:
    findings = infer(tags, RULES).exclusions
    assert [finding.code.value for finding in findings] == codes
    assert all(finding.unscorable and finding.detail.endswith(".") for finding in findings)


def test_no_patient_data_in_evidence_or_findings() -> None:
    prompt = infer({"Modality": "CT", "PatientName": "PHANTOM^ACR", "PatientID": "12345"}, RULES)
    assert "ACR" not in repr(prompt)


def test_modality_and_class_that_disagree_are_a_conflict() -> None:
    prompt = infer({"Modality": "MR", "SOPClassUID": CT}, RULES)
    assert prompt.modality == "MR"
    assert prompt.conflict
    assert "prompt_conflict" in [f.code.value for f in prompt.findings]
