"""CT series as scanners send them, and what they become."""

from __future__ import annotations

import numpy as np

from tests.unit.assemble.made import ct_slice, uid
from tests.unit.assemble.scanned import (
    AXIAL,
    CORONAL,
    PICTURE,
    SAGITTAL,
    THIN_THICK_THIN,
    Series,
    ct,
)

CT: Series = {
    "the same place everywhere": (
        [ct(0, i, SliceLocation=2.5 * i) for i in range(1, 9)],
        [(1, 8, "contradictory_tags no_position")],
        [""],
    ),
    "Slice Location alone": (
        [
            ct_slice(PICTURE, None, 9 * t - i, SliceLocation=2.5 * i, AcquisitionNumber=t)
            for t in (1, 2)
            for i in range(6)
        ],
        [(2, 6, "no_position")],
        ["acquisition 1", "acquisition 2"],
    ),
    "two planes without positions": (
        [
            ct_slice(PICTURE, None, 10 * p + i, ImageOrientationPatient=o)
            for p, o in enumerate((AXIAL, SAGITTAL))
            for i in range(5)
        ],
        [(2, 5, "no_position")],
        ["axial", "sagittal"],
    ),
    "one image without an intercept": (
        [ct(2.5 * i, i, RescaleIntercept=None if i == 3 else -1024) for i in range(5)],
        [(1, 5, "hu_unproven")],
        [""],
    ),
    "a lost Slice Location": (
        [ct_slice(PICTURE, None, i, SliceLocation=2.5 * i) for i in range(8) if i != 4],
        [(1, 7, "missing_slices no_position")],
        [""],
    ),
    "cosines of another length": (
        [ct(2.5 * i, i, ImageOrientationPatient=[1.2, 0, 0, 0, 1.2, 0]) for i in range(6)],
        [(1, 6, "")],
        [""],
    ),
    "a frame of reference that half of the images leave out": (
        [ct(2.5 * i, i, FrameOfReferenceUID="" if i % 2 else uid("frame")) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "one image with loss": (
        [ct(2.5 * i, i, LossyImageCompression="01" if i == 3 else "00") for i in range(5)],
        [(1, 5, "lossy_compression")],
        [""],
    ),
    "a kernel that two images leave out": (
        [ct(2.5 * i, i, ConvolutionKernel=None if i in (2, 3) else "B30f") for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "what a workstation made, without a kernel": (
        [ct(2.5 * i, i, ConvolutionKernel="B30f") for i in range(5)]
        + [ct(1.2 + 2.5 * i, 9 + i, ImageType=["DERIVED", "SECONDARY", "AXIAL"]) for i in range(3)],
        [(1, 5, ""), (1, 3, "")],
        ["kernel B30f", "#1"],
    ),
    "a kernel beside images of none": (
        [ct(2.5 * i, 10 * k + i, ConvolutionKernel="B30f" if k else None) for k in (0, 1) for i in range(6)],
        [(2, 6, "")],
        ["#1", "kernel B30f"],
    ),
    "a slope of zero": ([ct(2.5 * i, i, RescaleSlope=0) for i in range(4)], [(1, 4, "hu_unproven")], [""]),
    "thick slices amid thin ones": (
        [ct(z, n, SliceThickness=t) for n, (z, t) in enumerate(THIN_THICK_THIN)],
        [(1, 12, "variable_spacing")],
        [""],
    ),
    "one place at several times": (
        [ct(0, i, SliceLocation=0.0, AcquisitionNumber=i) for i in range(1, 5)],
        [(4, 1, "localizer")],
        ["acquisition 1", "acquisition 2"],
    ),
    "two ranges that overlap by a few slices": (
        [ct(5.0 * i + 82.5 * a, 20 * a + i, AcquisitionNumber=a) for a in (0, 1) for i in range(20)],
        [(2, 20, "")],
        ["acquisition 0", "acquisition 1"],
    ),
    "skull base thin, vertex thick": (
        [ct(z, n, AcquisitionNumber=n) for n, z in enumerate([*np.arange(0, 30, 2.5), *np.arange(30, 80, 5.0)])],
        [(1, 22, "variable_spacing")],
        [""],
    ),
    "thick and thin slices": (
        [ct(5.0 * i, i, SliceThickness=5.0) for i in range(6)]
        + [ct(0.5 + i, 10 + i, SliceThickness=1.0) for i in range(25)],
        [(1, 6, ""), (1, 25, "")],
        ["slices of 5.0 mm", "slices of 1.0 mm"],
    ),
    "a table that goes to and fro": (
        [
            ct(20.0 * table + 5 * s, 8 * t + 4 * table + s, AcquisitionTime=f"10{2 * t + table:02d}00")
            for t in range(5)
            for table in (0, 1)
            for s in range(4)
        ],
        [(5, 8, "")],
        ["#1", "#2"],
    ),
    "one pixel spacing written in two ways": (
        [ct(3.0 * i, i, PixelSpacing=[0.97649] * 2 if i % 2 else [0.976512] * 2) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "pixels of no size": ([ct(3.0 * i, i, PixelSpacing=[0, 0]) for i in range(4)], [(1, 4, "no_position")], [""]),
    "numbers of zero and none": ([ct(3.0 * i, 0 if i % 2 else None) for i in range(6)], [(1, 6, "")], [""]),
    "feet first, prone": (
        [ct(-3.0 * i, i, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]) for i in range(6)],
        [(1, 6, "")],
        [""],
    ),
    "iodine concentration": (
        [ct(3.0 * i, i, RescaleType="MGML", RescaleSlope=0.01) for i in range(4)],
        [(1, 4, "derived hu_unproven")],
        [""],
    ),
    "one energy": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "PRIMARY", "AXIAL", "VMI"]) for i in range(4)],
        [(1, 4, "")],
        [""],
    ),
    "one material": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "PRIMARY", "AXIAL", "MAT_SPECIFIC"]) for i in range(4)],
        [(1, 4, "derived")],
        [""],
    ),
    "a thick reformat between the slices": (
        [ct(2.5 * i, i) for i in range(5)]
        + [ct(1.2 + 5.0 * i, 9 + i, ImageType=["DERIVED", "SECONDARY", "REFORMATTED", "AVERAGE"]) for i in range(3)],
        [(1, 5, ""), (1, 3, "derived")],
        ["#1", "reformat"],
    ),
    "the highest of many times": (
        [ct(2.5 * i, i, ImageType=["DERIVED", "PRIMARY", "VOLUME", "MAXIMUM"]) for i in range(5)],
        [(1, 5, "projection")],
        [""],
    ),
    "reformat": (
        [ct(3.0 * i, i, ImageType=["DERIVED", "SECONDARY", "AXIAL", "CT_SOM5 MPR"]) for i in range(4)],
        [(1, 4, "derived")],
        [""],
    ),
    "protocol page": (
        [ct_slice(PICTURE, None, 1, ImageType=["DERIVED", "SECONDARY", "OTHER", "CT_SOM5 PROT"])],
        [(1, 1, "no_position secondary_capture")],
        [""],
    ),
    "scout that does not say so": (
        [ct(0, 1, ImageOrientationPatient=CORONAL, ImageType=["ORIGINAL", "PRIMARY", "OTHER"])],
        [(1, 1, "localizer")],
        [""],
    ),
    "one coronal reformat": (
        [ct(0, 1, ImageOrientationPatient=CORONAL, ImageType=["DERIVED", "SECONDARY", "OTHER"])],
        [(1, 1, "")],
        [""],
    ),
}
