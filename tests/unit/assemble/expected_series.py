"""What each folder of the development data is expected to become.

Shapes and spacings were read from the headers with plain pydicom; test_affine.py checks every volume against dcm2niix
and SimpleITK. Where they differ from what those tools make, the line says why.
"""

from __future__ import annotations

from typing import NamedTuple


class Vol(NamedTuple):
    """A volume: shape, spacing (slices, rows, columns) to 4 digits, label, finding codes."""

    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    label: str
    findings: tuple[str, ...] = ()


class Ser(NamedTuple):
    """A series: end of its UID, instances without copies, finding codes of the whole, its volumes."""

    uid: str
    instances: int
    findings: tuple[str, ...]
    volumes: tuple[Vol, ...] = ()


FOLDERS: dict[str, tuple[Ser, ...]] = {
    "cr_chest_sc": (
        Ser("5.807050", 1, ("not_ct_or_mr",)),
        Ser("3.598025", 1, ("not_ct_or_mr",)),
    ),
    "ct_chest_ge_lung": (Ser("14846513", 6, (), (Vol((6, 512, 512), (2.5, 0.8984, 0.8984), ""),)),),
    "ct_chest_overlap_novendor": (
        Ser("77418685", 6, (), (Vol((6, 512, 512), (1, 0.7598, 0.7598), "", ("overlapping_slices",)),)),
    ),
    "ct_chest_philips": (
        Ser("13275227", 6, (), (Vol((6, 512, 512), (1, 0.7812, 0.7812), "", ("multiple_frames_of_reference",)),)),
    ),
    # one SOP Instance UID in eight encodings with equal pixels: one slice, no conflict
    "ct_compressed_compsamples": (Ser("059.5457", 1, (), (Vol((1, 512, 512), (5, 0.6615, 0.6615), ""),)),),
    "ct_coronal_recon_nonsquare": (Ser("73101279", 5, (), (Vol((5, 512, 512), (1.68, 1.68, 1.367), ""),)),),
    # two pages at one place
    "ct_exam_summary_sc": (
        Ser(
            "86111321",
            2,
            ("multiple_volumes",),
            (
                Vol((1, 256, 512), (0.625, 0.9766, 0.9766), "#1", ("secondary_capture",)),
                Vol((1, 256, 512), (0.625, 0.9766, 0.9766), "#2", ("secondary_capture",)),
            ),
        ),
    ),
    # steps along the tilted normal; SimpleITK takes 3.91 mm, the mean, and no shear
    "ct_head_ge_tilt_varspacing": (
        Ser(
            "14813892",
            11,
            (),
            (
                Vol(
                    (11, 512, 512),
                    (4.002, 0.4883, 0.4883),
                    "",
                    (
                        "variable_spacing",
                        "gantry_tilt",
                    ),
                ),
            ),
        ),
    ),
    "ct_localizer_philips": (
        Ser("07525240", 1, (), (Vol((1, 256, 512), (0.625, 0.9766, 0.9766), "", ("localizer",)),)),
    ),
    # SimpleITK makes it regular with 6.67 mm; the gap is one slice of 5 mm
    "ct_missing_slice_ge": (
        Ser("17197937", 4, (), (Vol((4, 512, 512), (5, 0.4297, 0.4297), "", ("missing_slices",)),)),
    ),
    "ct_pelvis_petct_ge": (
        Ser("24805941", 6, (), (Vol((6, 512, 512), (4.25, 0.9766, 0.9766), "", ("overlapping_slices",)),)),
    ),
    # 25 files without rows and columns; 16 x 16 pixels are just enough to be judged
    "edge_pydicom_ctmr": (
        Ser("03340146", 1, (), (Vol((1, 512, 512), (5, 0.431, 0.431), ""),)),
        Ser("30327590", 25, ("not_an_image",)),
        Ser("00000190", 1, (), (Vol((1, 300, 484), (4, 0.7231, 0.7231), ""),)),
        Ser("6302.0.2", 1, (), (Vol((1, 16, 16), (650.2, 0.5455, 0.5968), "", ("localizer",)),)),
        Ser("6302.0.6", 3, (), (Vol((3, 16, 16), (5, 0.4883, 0.4883), ""),)),
        Ser("8319.0.2", 2, (), (Vol((2, 16, 16), (203.8, 0.4883, 0.4883), ""),)),
        Ser(
            "48.0.118",
            3,
            ("multiple_volumes",),
            (
                Vol((1, 16, 16), (1.2, 0.3906, 0.3906), "coronal #1", ("projection",)),
                Vol((1, 16, 16), (1.2, 0.3906, 0.3906), "coronal #2", ("projection",)),
                Vol((1, 16, 16), (1.2, 0.3906, 0.3906), "sagittal", ("projection",)),
            ),
        ),
        Ser("48.0.134", 1, (), (Vol((1, 16, 16), (10, 1.367, 1.367), ""),)),
        Ser("48.0.136", 1, (), (Vol((1, 16, 16), (10, 1.172, 1.172), ""),)),
        Ser(
            "148.0.17",
            2,
            ("multiple_volumes",),
            (
                Vol((1, 16, 16), (10, 1.172, 1.172), "coronal", ("localizer",)),
                Vol((1, 16, 16), (10, 1.172, 1.172), "axial", ("localizer",)),
            ),
        ),
        Ser("48.0.481", 1, (), (Vol((1, 16, 16), (10, 1.367, 1.367), ""),)),
        Ser("059.5457", 1, (), (Vol((1, 64, 64), (0.8, 0.3125, 0.3125), ""),)),
    ),
    # 7 of many slices: echo 1 has positions 0, 10.5 and 31.5 mm
    "mr_16echo_dcmstack": (
        Ser(
            "02.0.0.0",
            7,
            ("multiple_volumes",),
            (
                Vol((3, 192, 192), (10.5, 0.6667, 0.6667), "echo 1", ("missing_slices",)),
                Vol((2, 192, 192), (10.5, 0.6667, 0.6667), "echo 2"),
                Vol((2, 192, 192), (10.5, 0.6667, 0.6667), "echo 3"),
            ),
        ),
    ),
    "mr_brain_sag_skyra": (Ser("70.0.0.0", 12, (), (Vol((12, 256, 256), (0.9, 0.8594, 0.8594), ""),)),),
    "mr_decubitus_hfdl": (Ser("22.0.0.0", 6, (), (Vol((6, 256, 256), (4.8, 1.016, 1.016), ""),)),),
    # dcm2niix cuts the 52 images into two times 26; positions say 40 without and 12 with weighting
    "mr_dti_canon": (
        Ser(
            "34.10001",
            52,
            ("multiple_volumes",),
            (
                Vol((40, 80, 80), (3, 3, 3), "b 0"),
                Vol((12, 80, 80), (3, 3, 3), "b 1500"),
            ),
        ),
    ),
    "mr_enh_adc_xa30": (Ser("11.0.0.0", 1, (), (Vol((39, 72, 72), (3, 3, 3), "", ("derived",)),)),),
    # a map in colour: the map is the reason, found first
    "mr_enh_color_fa_xa30": (Ser("15.0.0.0", 1, (), (Vol((39, 72, 72), (3, 3, 3), "", ("derived",)),)),),
    "mr_enh_siemens_xa10": (
        Ser(
            "23.0.0.0",
            4,
            ("multiple_volumes",),
            (
                Vol((6, 64, 64), (2.4, 3.375, 3.375), "time point 1"),
                Vol((6, 64, 64), (2.4, 3.375, 3.375), "time point 2"),
                Vol((6, 64, 64), (2.4, 3.375, 3.375), "time point 3"),
                Vol((6, 64, 64), (2.4, 3.375, 3.375), "time point 4"),
            ),
        ),
    ),
    "mr_frag_jpegll": (Ser("00000296", 10, (), (Vol((10, 128, 128), (2, 2, 2), ""),)),),
    # weighting was removed from the headers: four rounds in order of Instance Number
    "mr_ge_dti": (
        Ser(
            "16558549",
            16,
            ("multiple_volumes",),
            (
                Vol((4, 64, 64), (3.8, 3.438, 3.438), "#1"),
                Vol((4, 64, 64), (3.8, 3.438, 3.438), "#2"),
                Vol((4, 64, 64), (3.8, 3.438, 3.438), "#3"),
                Vol((4, 64, 64), (3.8, 3.438, 3.438), "#4"),
            ),
        ),
    ),
    "mr_ge_implicit": (Ser("42689711", 4, (), (Vol((4, 256, 256), (1, 1, 1), ""),)),),
    "mr_generic_jpeg_lossless": (Ser("44257421", 4, (), (Vol((4, 256, 256), (1, 1, 1), ""),)),),
    "mr_generic_plain": (Ser("43974030", 4, (), (Vol((4, 256, 256), (1, 1, 1), ""),)),),
    "mr_generic_rle": (Ser("44257421", 4, (), (Vol((4, 256, 256), (1, 1, 1), ""),)),),
    "mr_knee_localizer": (
        Ser(
            "04.0.0.0",
            11,
            ("multiple_volumes",),
            (
                Vol((3, 512, 512), (12, 0.4883, 0.4883), "sagittal", ("localizer",)),
                Vol((3, 512, 512), (12, 0.4883, 0.4883), "coronal", ("localizer",)),
                Vol((5, 512, 512), (18, 0.4883, 0.4883), "axial", ("localizer",)),
            ),
        ),
    ),
    # each UID twice, JPEG lossless and uncompressed, with equal pixels
    "mr_knee_sag_t1_dup": (Ser("26.0.0.0", 6, (), (Vol((6, 384, 384), (4.29, 0.4427, 0.4427), ""),)),),
    "mr_liver_haste_cor": (Ser("73264499", 30, (), (Vol((30, 256, 256), (8.75, 1.562, 1.562), ""),)),),
    "mr_mixed_series": (
        Ser(
            "74.0.0.0",
            3,
            ("multiple_volumes",),
            (
                Vol((1, 192, 192), (8, 1.458, 1.458), "sagittal", ("localizer",)),
                Vol((1, 192, 192), (8, 1.458, 1.458), "coronal", ("localizer",)),
                Vol((1, 192, 192), (8, 1.458, 1.458), "axial", ("localizer",)),
            ),
        ),
        Ser("89.0.0.0", 8, (), (Vol((8, 256, 256), (0.9, 0.9375, 0.9375), ""),)),
    ),
    "mr_mosaic_siemens": (
        Ser(
            "66.0.0.0",
            2,
            ("multiple_volumes",),
            (
                Vol((40, 64, 64), (3.6, 3.203, 3.203), "acquisition 1"),
                Vol((40, 64, 64), (3.6, 3.203, 3.203), "acquisition 2"),
            ),
        ),
    ),
    "mr_multiecho_gre": (
        Ser(
            "43.0.0.0",
            16,
            ("multiple_volumes",),
            (
                Vol((8, 64, 64), (3.6, 3, 3), "echo 1"),
                Vol((8, 64, 64), (3.6, 3, 3), "echo 2"),
            ),
        ),
    ),
    # only one of the two echoes is in the folder
    "mr_pdt2_dual_echo": (Ser("43.0.0.0", 10, (), (Vol((10, 64, 64), (2.34, 1.797, 1.797), ""),)),),
    # every fourth slice: positions 14.4 mm apart where the header says 3.6
    "mr_phase_diff": (
        Ser("37.0.0.0", 9, (), (Vol((9, 64, 64), (14.4, 3.25, 3.25), "", ("contradictory_tags", "phase_image")),)),
    ),
    # times were removed from the headers: four rounds in order of Instance Number
    "mr_philips_4d": (
        Ser(
            "47737149",
            8,
            ("multiple_volumes",),
            (
                Vol((2, 80, 80), (3.3, 3, 3), "#1"),
                Vol((2, 80, 80), (3.3, 3, 3), "#2"),
                Vol((2, 80, 80), (3.3, 3, 3), "#3"),
                Vol((2, 80, 80), (3.3, 3, 3), "#4"),
            ),
        ),
    ),
    "mr_philips_anat": (Ser("46736318", 4, (), (Vol((4, 240, 240), (0.6, 1.042, 1.042), ""),)),),
    # secondary capture in colour: secondary capture is the reason, found first
    "mr_sc_rgb_in_mr": (Ser("59515224", 4, (), (Vol((4, 77, 52), (3, 3, 3), "", ("secondary_capture",)),)),),
    # nothing in its structure says scout; its name does
    "mr_scout_heudiconv": (Ser("23.0.0.0", 1, (), (Vol((1, 160, 160), (1.6, 1.625, 1.625), ""),)),),
    # dcm2niix fills the gap by interpolation in a second file
    "mr_t2_missing_slice": (
        Ser("36.0.0.0", 10, (), (Vol((10, 512, 384), (2.5, 0.4297, 0.4297), "", ("missing_slices",)),)),
    ),
    "pt_acrin_single": (Ser("61793694", 1, ("not_ct_or_mr",)),),
    # a made CT with few pixels but a whole geometry; Rescale Type US: unspecified
    "seg_rt_sr": (
        Ser("8.764873", 1, ("not_ct_or_mr",)),
        Ser("50794718", 3, (), (Vol((3, 38, 23), (2.5, 0.7, 0.7), "", ("hu_unproven",)),)),
        Ser("456.3456", 1, (), (Vol((3, 38, 23), (2.5, 0.7, 0.7), "", ("hu_unproven",)),)),
    ),
    "skip_misc": (
        Ser("1.665795", 1, ("not_ct_or_mr",)),
        Ser("61927.11", 1, ("not_an_image",)),
        Ser("777.8888", 1, ("not_an_image",)),
        Ser("6.7.8.99", 1, ("not_an_image",)),
        Ser("777.7777", 1, ("not_ct_or_mr",)),
        Ser("47328339", 1, ("not_ct_or_mr",)),
        Ser(
            "97121062",
            8,
            (
                "conflicting_copy",
                "not_ct_or_mr",
            ),
        ),
        Ser("0001.1.1", 1, ("not_an_image",)),
        Ser("5748.3.0", 1, ("not_ct_or_mr",)),
        Ser("850.2171", 1, ("not_ct_or_mr",)),
        Ser("2826.1.0", 1, ("not_ct_or_mr",)),
        Ser("9.5407.1", 1, ("not_an_image",)),
        Ser("534.0.10", 1, ("not_ct_or_mr",)),
        Ser("5534.0.8", 1, ("not_ct_or_mr",)),
        Ser("059.5457", 2, ("not_ct_or_mr",)),
    ),
}
