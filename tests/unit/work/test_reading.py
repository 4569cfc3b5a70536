"""What each volume of the development data is taken for, from its tags and its pixels, and whether it can be scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qagate.assemble.child import Decoders
from qagate.assemble.folder import find_series
from qagate.assemble.series import read_series
from qagate.domain.volume import SeriesVolumes, Volume
from qagate.prompt.rules import load_rules
from qagate.train import pictures
from qagate.work.reading import read_prompt

RULES = load_rules()

# folder → for its series and their volumes: (how many alike, "modality | regions | organ | scored or why not").
# "doubt" at the end: the picture contradicts the tags. A volume that is "scored" here goes to the network, which may
# still say that it never learnt anything like it (noise, say).
READ: dict[str, list[tuple[int, str]]] = {
    "cr_chest_sc": [(2, "- | - | - | not_ct_or_mr")],
    "ct_chest_ge_lung": [(1, "CT | chest | lung | scored")],
    "ct_chest_overlap_novendor": [(1, "CT | chest | - | scored")],
    "ct_chest_philips": [(1, "CT | chest | - | scored")],
    # no tag says so; the picture shows a thorax
    "ct_compressed_compsamples": [(1, "CT | chest | - | scored")],
    # coronal: a plane in which no region is sure
    "ct_coronal_recon_nonsquare": [(1, "CT | - | - | scored")],
    "ct_exam_summary_sc": [(2, "CT | head | brain | secondary_capture")],
    "ct_head_ge_tilt_varspacing": [(1, "CT | head | brain | scored")],
    "ct_localizer_philips": [(1, "CT | head | brain | localizer")],
    # its pixels were emptied: air only
    "ct_missing_slice_ge": [(1, "CT | - | - | scored")],
    # the only tag says BREAST; the picture looks 75 % like a pelvis, which is not sure enough
    "ct_pelvis_petct_ge": [(1, "CT | - | - | scored")],
    "edge_pydicom_ctmr": [
        (1, "CT | head | brain | scored"),
        (1, "- | - | - | not_an_image"),
        (1, "MR | abdomen | liver | derived"),
        (1, "CT | - | - | localizer"),
        (1, "CT | chest | heart | scored"),
        (1, "CT | head | brain | scored"),
        (3, "MR | head | brain | projection"),
        (4, "MR | head | brain | localizer"),
        (1, "MR | neck | carotid | localizer"),
        (1, "MR | - | - | scored"),
    ],
    # its study is called phantom
    "mr_16echo_dcmstack": [(3, "MR | - | - | phantom")],
    "mr_brain_sag_skyra": [(1, "MR | head | brain | scored")],
    "mr_decubitus_hfdl": [(1, "MR | head | brain | scored")],
    "mr_dti_canon": [(2, "MR | head | brain | scored")],
    "mr_enh_adc_xa30": [(1, "MR | head | brain | derived")],
    "mr_enh_color_fa_xa30": [(1, "MR | head | brain | derived")],
    "mr_enh_siemens_xa10": [(4, "MR | head | brain | scored")],
    "mr_frag_jpegll": [(1, "MR | head | brain | scored")],
    # its pixels were replaced by noise, and so in all that came from dicom2nifti
    "mr_ge_dti": [(4, "MR | - | - | scored | doubt")],
    # noise
    "mr_ge_implicit": [(1, "MR | - | - | scored | doubt")],
    # noise
    "mr_generic_jpeg_lossless": [(1, "MR | - | - | scored | doubt")],
    # noise
    "mr_generic_plain": [(1, "MR | - | - | scored | doubt")],
    # noise
    "mr_generic_rle": [(1, "MR | - | - | scored | doubt")],
    "mr_knee_localizer": [(3, "MR | lower_extremity | knee | localizer")],
    "mr_knee_sag_t1_dup": [(1, "MR | lower_extremity | knee | scored")],
    "mr_liver_haste_cor": [(1, "MR | abdomen | liver | scored")],
    "mr_mixed_series": [(3, "MR | head | brain | localizer"), (1, "MR | head | brain | scored")],
    "mr_mosaic_siemens": [(2, "MR | head | brain | scored")],
    "mr_multiecho_gre": [(2, "MR | head | brain | scored")],
    "mr_pdt2_dual_echo": [(1, "MR | head | brain | scored")],
    "mr_phase_diff": [(1, "MR | head | brain | phase_image")],
    # noise
    "mr_philips_4d": [(4, "MR | - | - | scored | doubt")],
    # noise
    "mr_philips_anat": [(1, "MR | - | - | scored | doubt")],
    "mr_sc_rgb_in_mr": [(1, "MR | - | - | secondary_capture")],
    # a phantom in the patient's name; its protocol says scout too
    "mr_scout_heudiconv": [(1, "MR | head | brain | phantom")],
    # no tag says so, and no region is ever sure in MR
    "mr_t2_missing_slice": [(1, "MR | - | - | scored")],
    "pt_acrin_single": [(1, "- | - | - | not_ct_or_mr")],
    # a made object, hardly a body
    "seg_rt_sr": [(1, "- | - | - | not_ct_or_mr"), (2, "CT | - | - | scored")],
    "skip_misc": [
        (1, "- | - | - | not_ct_or_mr"),
        (3, "- | - | - | not_an_image"),
        (2, "- | - | - | not_ct_or_mr"),
        (1, "- | - | - | not_ct_or_mr"),
        (1, "- | - | - | not_an_image"),
        (3, "- | - | - | not_ct_or_mr"),
        (1, "- | - | - | not_an_image"),
        (3, "- | - | - | not_ct_or_mr"),
    ],
}


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    with Decoders() as held:
        yield held


@pytest.mark.parametrize("name", sorted(READ))
def test_development_data(development_data: Path, decoders: Decoders, name: str) -> None:
    found: list[str] = []
    for _, files in find_series([development_data / "dicom" / "series" / name]):
        series = read_series(files, decoders=decoders)
        found += words_of(series) or [f"- | - | - | {series.why_empty.code.value}"]
    assert found == [words for count, words in READ[name] for _ in range(count)]


def words_of(series: SeriesVolumes) -> list[str]:
    lines = []
    for volume in series.volumes:
        prompt = read_prompt(volume, RULES)
        reasons = [f.code.value for f in (*series.findings, *volume.findings, *prompt.exclusions) if f.unscorable]
        words = (prompt.modality, " ".join(prompt.regions), prompt.organ, reasons[0] if reasons else "scored")
        doubt = any(f.detail.startswith(("The picture looks", "The values look")) for f in prompt.findings)
        lines.append(" | ".join(word or "-" for word in words) + (" | doubt" if doubt else ""))
    return lines


def test_the_table_names_every_folder(development_data: Path) -> None:
    assert {folder.name for folder in (development_data / "dicom" / "series").iterdir()} == set(READ)


def grey_picture() -> Volume:
    """Return a body in 8 bits of grey, which look like MR."""
    away = np.hypot(*np.indices((256, 256)) - 128.0)
    grey = np.where(away < 90, 130 + np.random.default_rng(3).normal(0, 12, away.shape), 0).clip(0, 255)
    return pictures.volume(grey.astype(np.int16)[None], (1.0, 1.0, 1.0))


def test_what_a_person_calls_a_picture_outweighs_its_pixels() -> None:
    assert read_prompt(grey_picture(), RULES).modality == "MR"
    named = read_prompt(grey_picture(), RULES, "CT")
    assert (named.modality, named.conflict, named.findings) == (
        "CT",
        False,
        read_prompt(grey_picture(), RULES).findings,
    )
    assert read_prompt(replace(grey_picture(), tags={"Modality": "MR"}), RULES, "CT").modality == "MR"
