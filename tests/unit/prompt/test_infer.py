"""Infer as a whole: never raises, always the same, and says why."""

from __future__ import annotations

import csv
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qagate.assemble.headers import read_header
from qagate.assemble.tags import flatten
from qagate.domain.prompt import KERNELS, MODALITIES, ORGANS, PLANES, REGIONS, SEQUENCES, Prompt
from qagate.errors import QagateError
from qagate.prompt.explain import explain
from qagate.prompt.infer import infer
from qagate.prompt.rules import load_rules

RULES = load_rules()
SERIES = Path(__file__).parents[4] / "shared" / "data" / "dicom"

_KEYWORDS = sorted(
    {source.tag for source in RULES.sources}
    | {tag for rule in (*RULES.sequences, *RULES.exclusions, *RULES.contrast) for c in rule.when for tag in c.tags}
    | {"ImageOrientationPatient", "Exposure", "KVP", "Manufacturer", "ConvolutionKernel", "MagneticFieldStrength"}
    | {"EchoPulseSequence", "InversionTimes"}
)
_WORDS = st.sampled_from(
    ["Head", "胸部", "T1", "nativ", "ADC", "SCT:69536005", "phantom", "B31f", "CT", "MR", "", "\x00", "1e999"]
)
_VALUES = (
    st.text(max_size=20)
    | _WORDS
    | st.integers(-(10**9), 10**9)
    | st.floats()
    | st.booleans()
    | st.lists(st.text(max_size=8) | _WORDS, max_size=4).map(tuple)
    | st.lists(st.floats(), max_size=7).map(tuple)
)
_TAGS = st.dictionaries(st.sampled_from(_KEYWORDS) | st.text(max_size=6), _VALUES, max_size=12)


@settings(max_examples=100, deadline=None)
@given(_TAGS, st.none() | st.sampled_from(PLANES) | st.text(max_size=5))
def test_never_raises_and_is_deterministic(tags: dict[str, object], plane: str | None) -> None:
    prompt = infer(tags, RULES, plane)  # type: ignore[arg-type]
    assert infer(dict(reversed(tags.items())), RULES, plane) == prompt  # type: ignore[arg-type]
    assert 0.0 <= prompt.confidence <= 1.0
    assert prompt.modality in (None, *MODALITIES)
    assert set(prompt.regions) <= set(REGIONS)
    assert prompt.organ in (None, *ORGANS)
    assert prompt.sequence in (None, *SEQUENCES)
    assert prompt.kernel in (None, *KERNELS)
    assert prompt.plane in (None, *PLANES)
    assert explain(prompt).endswith(RULES.version)


def test_nothing_in_nothing_out() -> None:
    prompt = infer({}, RULES)
    assert prompt == Prompt(rules_version=RULES.version, findings=prompt.findings)
    assert [f.code.value for f in prompt.findings] == ["prompt_unknown"]


@pytest.mark.parametrize(
    ("tags", "given_plane", "plane"),
    [
        ({"SeriesDescription": "T2 sag"}, None, "sagittal"),
        ({"SeriesDescription": "Koronar 3mm"}, None, "coronal"),
        ({"SeriesDescription": "t2_tse_tra"}, None, "axial"),
        ({"SeriesDescription": "ax and cor"}, None, None),
        ({"SeriesDescription": "T2 sag"}, "oblique", "oblique"),
        ({"SeriesDescription": "T2 sag", "ImageOrientationPatient": (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)}, None, "axial"),
        ({}, None, None),
    ],
)
def test_plane(tags: dict[str, object], given_plane: str | None, plane: str | None) -> None:
    assert infer(tags, RULES, given_plane).plane == plane  # type: ignore[arg-type]


def test_explain_reads_like_a_page() -> None:
    prompt = infer(
        {"Modality": "CT", "SeriesDescription": "Schädel nativ", "KVP": 120.0, "BodyPartExamined": "CHEST"}, RULES
    )
    page = explain(prompt)
    for line in ("Concluded", "  region      head", "  contrast    not given", "  tube voltage  120 kV", "Evidence"):
        assert line in page
    assert 'SeriesDescription "Schädel nativ"' in page
    assert "contradict" in page


# Folder → what each of its series shows, in the order of file names: (modality, regions, organ, sequence, exclusions).
# "-" is "the tags do not say": the index's own word for the content comes from looking at the pictures.
EXPECTED: dict[str, list[tuple[str, str, str, str, str]]] = {
    "ct_chest_ge_lung": [("CT", "chest", "lung", "-", "")],
    "ct_chest_overlap_novendor": [("CT", "chest", "-", "-", "")],
    "ct_chest_philips": [("CT", "chest", "-", "-", "")],
    "ct_pelvis_petct_ge": [("CT", "-", "-", "-", "")],  # the only tag says BREAST, which is wrong: unknown is right
    "ct_coronal_recon_nonsquare": [("CT", "-", "-", "-", "")],  # no tag says anything
    "ct_head_ge_tilt_varspacing": [("CT", "head", "brain", "-", "")],
    "ct_localizer_philips": [("CT", "head", "brain", "-", "localizer")],
    "ct_exam_summary_sc": [("CT", "head", "brain", "-", "secondary_capture localizer")],
    "ct_missing_slice_ge": [("CT", "-", "-", "-", "")],  # anonymised
    "mr_generic_jpeg_lossless": [("MR", "-", "-", "FLAIR", "")],
    "mr_generic_rle": [("MR", "-", "-", "FLAIR", "")],
    "mr_generic_plain": [("MR", "-", "-", "FLAIR", "")],
    "mr_ge_implicit": [("MR", "-", "-", "T1", "")],
    "mr_philips_anat": [("MR", "-", "-", "FLAIR", "")],
    "mr_philips_4d": [("MR", "-", "-", "BOLD", "")],
    "mr_ge_dti": [("MR", "-", "-", "-", "")],  # neither b-value nor words: EPI with TE 40 could be several things
    "mr_sc_rgb_in_mr": [("MR", "-", "-", "T1", "secondary_capture")],
    "mr_frag_jpegll": [("MR", "head", "brain", "T1", "")],
    "mr_brain_sag_skyra": [("MR", "head", "brain", "T1", "")],
    "mr_knee_sag_t1_dup": [("MR", "lower_extremity", "knee", "T1", "")],
    "mr_knee_localizer": [("MR", "lower_extremity", "knee", "-", "localizer")],
    "mr_t2_missing_slice": [("MR", "-", "-", "T2", "")],
    "mr_mosaic_siemens": [("MR", "head", "brain", "BOLD", "")],
    "mr_enh_siemens_xa10": [("MR", "head", "brain", "BOLD", "")],
    "mr_enh_color_fa_xa30": [("MR", "head", "brain", "DWI", "derived")],
    "mr_enh_adc_xa30": [("MR", "head", "brain", "ADC", "derived")],
    "mr_multiecho_gre": [("MR", "head", "brain", "-", "")],
    "mr_phase_diff": [("MR", "head", "brain", "-", "phantom phase_image")],
    "mr_pdt2_dual_echo": [("MR", "head", "brain", "PD", "")],  # first echo
    "mr_dti_canon": [("MR", "head", "brain", "DWI", "")],
    "mr_decubitus_hfdl": [("MR", "head", "brain", "T1", "")],
    "mr_liver_haste_cor": [("MR", "abdomen", "liver", "T2", "")],
    "mr_mixed_series": [("MR", "head", "brain", "-", "localizer"), ("MR", "head", "brain", "T1", "")],
    "mr_16echo_dcmstack": [("MR", "-", "-", "PD", "phantom")],  # its study is called "phantom"
    "mr_scout_heudiconv": [("MR", "head", "brain", "T1", "phantom localizer")],
    "pt_acrin_single": [("-", "breast", "breast", "-", "not_ct_or_mr")],
    "cr_chest_sc": [("-", "chest", "-", "-", "not_ct_or_mr secondary_capture")] * 2,
    "ct_compressed_compsamples": [("CT", "-", "-", "-", "")],
}


@pytest.mark.skipif(not SERIES.exists(), reason="no real series here")
@pytest.mark.parametrize("folder", sorted(EXPECTED))
def test_real_series(folder: str) -> None:
    found = []
    seen = set()
    for path in sorted((SERIES / "series" / folder).rglob("*")):
        if not path.is_file():
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tags = flatten(read_header(path))
        if tags.get("SeriesInstanceUID") in seen:
            continue
        seen.add(tags.get("SeriesInstanceUID"))
        p = infer(tags, RULES)
        excluded = " ".join(f.code.value for f in p.exclusions)
        found.append((p.modality or "-", " ".join(p.regions) or "-", p.organ or "-", p.sequence or "-", excluded))
    assert found == EXPECTED[folder]


@pytest.mark.skipif(not SERIES.exists(), reason="no real series here")
def test_every_other_real_object_is_skipped_or_understood() -> None:
    with (SERIES / "index.csv").open(encoding="utf-8") as file:
        folders = {Path(row["folder"]).name for row in csv.DictReader(file)}
    others = folders - EXPECTED.keys()
    assert others == {"skip_misc", "edge_pydicom_ctmr", "seg_rt_sr"}
    for folder in others:
        for path in sorted((SERIES / "series" / folder).rglob("*")):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    tags = flatten(read_header(path))
                except (QagateError, IsADirectoryError):
                    continue
            prompt = infer(tags, RULES)
            if tags.get("Modality") not in MODALITIES and "Modality" in tags:
                assert "not_ct_or_mr" in [f.code.value for f in prompt.exclusions]
