"""MR series as scanners send them, and what they become."""

from __future__ import annotations

import math

import numpy as np

from tests.unit.assemble.made import MR_CLASS, image, mr_slice
from tests.unit.assemble.scanned import (
    AXIAL,
    CLASSIC_CINE,
    CORONAL,
    DIXON,
    PICTURE,
    SAGITTAL,
    Series,
    enhanced,
    in_stack,
    inversion,
    labels_and_controls,
    mr,
    spectroscopy,
    tipped,
    turned,
    types,
    without_plane_positions,
)

MR: Series = {
    # three long axes across each other are planes of a localizer; ten phases of each are a cine
    "long axis cine": (
        [
            mr(0, 10 * p + i, ImageOrientationPatient=plane, TriggerTime=33.0 * i)
            for p, plane in enumerate((CORONAL, SAGITTAL, AXIAL))
            for i in range(10)
        ],
        [(30, 1, "")],
        ["coronal, trigger 0.0 ms", "coronal, trigger 33.0 ms"],
    ),
    # trigger times drift from slice to slice, so that no value parts the phases
    "short axis cine": (
        [mr(8.0 * s, 12 * s + i, TriggerTime=round(33 * i * (1 + 0.01 * s), 1)) for s in range(6) for i in range(12)],
        [(12, 6, "")],
        ["trigger 0.0 ms", "#1"],
    ),
    "radial thick slabs": (
        [mr(0, i, ImageOrientationPatient=turned(15 * i), SliceThickness=40.0) for i in range(12)],
        [(12, 1, "")],
        ["coronal #1", "coronal #2"],
    ),
    "three-plane localizer without its name": (
        [mr(10.0 * i, 10 * p + i, ImageOrientationPatient=o) for p, o in enumerate((AXIAL, tipped(90))) for i in (0,)]
        + [mr(0, 30, ImageOrientationPatient=SAGITTAL)],
        [(3, 1, "localizer")],
        ["axial", "coronal"],
    ),
    "discs of a spine": (
        [
            mr_slice(
                PICTURE,
                (0, 4 * i * math.sin(math.radians(a)), 60 * b + 4 * i * math.cos(math.radians(a))),
                5 * b + i,
                ImageOrientationPatient=tipped(a),
            )
            for b, a in enumerate((0, 12, 25))
            for i in range(5)
        ],
        [(3, 5, "")],
        ["#1", "#2"],
    ),
    "orientation that follows the head": (
        [mr(3.0 * i, i, ImageOrientationPatient=tipped(0.06 * i)) for i in range(12)],
        [(1, 12, "")],
        [""],
    ),
    "time points that follow the head": (
        [
            mr(4.0 * i + 0.15 * t, 10 * t + i, TemporalPositionIdentifier=t, AcquisitionNumber=t)
            for t in (1, 2, 3)
            for i in range(8)
        ],
        [(3, 8, "")],
        ["time point 1", "time point 2"],
    ),
    "odd slices a little off": (
        [mr(3.0 * i + 0.4 * (i % 2), i, AcquisitionNumber=i % 2) for i in range(12)],
        [(1, 12, "variable_spacing")],
        [""],
    ),
    "magnitude of a phase contrast": (types("ORIGINAL/PRIMARY/M_PCA/M/PCA"), [(1, 5, "")], [""]),
    "velocity": (types("ORIGINAL/PRIMARY/VELOCITY MAP/P/PCA"), [(1, 5, "phase_image")], [""]),
    "magnitude and phase": (
        types("ORIGINAL/PRIMARY/M_FFE/M/FFE", "ORIGINAL/PRIMARY/PHASE MAP/P/FFE"),
        [(1, 5, ""), (1, 5, "phase_image")],
        ["magnitude", "phase"],
    ),
    "map beside what it was made from": (
        types("ORIGINAL/PRIMARY/M_SE/M/SE", "ORIGINAL/PRIMARY/ADC_UNSPECIFIED/ADC/UNSPECIFIED"),
        [(1, 5, ""), (1, 5, "derived")],
        ["#1", "derived"],
    ),
    "Dixon": (types(*DIXON), [(4, 5, "")], ["in phase", "opp phase"]),
    "purpose of original images": (types("ORIGINAL/PRIMARY/FMRI/NONE"), [(1, 5, "")], [""]),
    "corrected for motion": (types("DERIVED/PRIMARY/PERFUSION/NONE"), [(1, 5, "")], [""]),
    "statistics": (types("DERIVED/PRIMARY/FMRI/T_TEST"), [(1, 5, "derived")], [""]),
    "subtraction": (types("DERIVED/PRIMARY/M/ND", SeriesDescription="t1_vibe_dyn_SUB"), [(1, 5, "derived")], [""]),
    "a subject is no subtraction": (types("ORIGINAL/PRIMARY/M", SeriesDescription="sub-01_T1w"), [(1, 5, "")], [""]),
    "coil calibration": (
        types("ORIGINAL/PRIMARY/M", SeriesDescription="ASSET calibration"),
        [(1, 5, "localizer")],
        [""],
    ),
    "coil reference": (types("ORIGINAL/PRIMARY/M", SeriesDescription="Ref_Head_32"), [(1, 5, "localizer")], [""]),
    "inversion times of single files": (
        [enhanced(inversion(100.0 + 200 * t)) for t in range(3)],
        [(3, 6, "")],
        ["TI 100.0 ms", "TI 300.0 ms"],
    ),
    "frames without places": ([enhanced(without_plane_positions)], [(1, 6, "no_position")], [""]),
    "numbers in the stack": ([enhanced(in_stack)], [(2, 3, "no_position")], ["time point 1", "time point 2"]),
    # one position cannot be that of six frames
    "classic object of several frames": (
        [image(np.stack([PICTURE + i for i in range(6)]), MR_CLASS, **CLASSIC_CINE)],
        [(1, 6, "no_position")],
        [""],
    ),
    "classic cine": (
        [image(np.stack([PICTURE + i for i in range(6)]), MR_CLASS, FrameTime=40.0, **CLASSIC_CINE)],
        [(6, 1, "")],
        ["#1", "#2"],
    ),
    "spectroscopy": ([spectroscopy()], [], []),
    # two stacks side by side, of other places along their normal
    "both hands": (
        [mr_slice(PICTURE, (200.0 * h, 0, 3.0 * i + 16.3 * h), 12 * h + i) for h in (0, 1) for i in range(12)],
        [(2, 12, "")],
        ["#1", "#2"],
    ),
    "steps of a patient who slides": (
        [mr_slice(PICTURE, (0.3 * i, 0, 3.0 * i), i) for i in range(12)],
        [(1, 12, "gantry_tilt")],
        [""],
    ),
    # the second pass begins at another place; slices of 3 mm are contiguous in each
    "two passes": (
        [mr(3.0 * i + 1.3 * t, 20 * t + i) for t in (0, 1) for i in range(12)],
        [(2, 12, "")],
        ["#1", "#2"],
    ),
    # every other slice lies 6 mm from the next one: neither half is a volume
    "two halves of one stack": (
        [mr(6.0 * i + 3.4 * t, 20 * t + i) for t in (0, 1) for i in range(8)],
        [(1, 16, "variable_spacing")],
        [""],
    ),
    "labels and controls of one object": ([enhanced(labels_and_controls)], [(2, 3, "")], ["CONTROL", "LABEL"]),
    "one echo time written in two ways": (
        [mr(3.0 * i, i, EchoTime=89.0 if i % 2 else 89.01) for i in range(8)],
        [(1, 8, "")],
        [""],
    ),
    "a subtraction beside its minuend": (
        types("ORIGINAL/PRIMARY/M/ND", "DERIVED/PRIMARY/M/SUB/ND"),
        [(1, 5, ""), (1, 5, "derived")],
        ["#1", "subtraction"],
    ),
}
