"""Where the numbers of a scan come from, and how far each is believed."""

from __future__ import annotations

import pytest

from qagate.domain.volume import Tags
from qagate.prompt.acquisition import acquisition
from qagate.prompt.explain import explain
from qagate.prompt.infer import infer
from qagate.prompt.measured import measured
from qagate.prompt.rules import load_rules


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"SliceThickness": 2.5}, [("SliceThickness", "slice thickness:2.5 mm", 1.0)]),
        ({"SliceThickness": 0}, [("SliceThickness", "slice thickness:not believed", 0.0)]),
        ({"MagneticFieldStrength": 3}, [("MagneticFieldStrength", "field strength:3 T", 1.0)]),
        ({"MagneticFieldStrength": 15000}, [("MagneticFieldStrength", "field strength:1.5 T", 0.3)]),  # gauss
        ({"KVP": 120000}, [("KVP", "tube voltage:120 kV", 0.3)]),  # volts
        ({"CTDIvol": 8.34}, [("CTDIvol", "dose:8.34 mGy", 1.0)]),
        ({"CTDIvol": 1e9}, [("CTDIvol", "dose:not believed", 0.0)]),
        ({"Exposure": 202}, [("Exposure", "dose:202 mAs", 1.0)]),
        ({"Exposure": 3}, [("Exposure", "dose:3 mAs", 0.3)]),  # no CT, but nothing better
        (
            {"Exposure": 3, "XRayTubeCurrent": 300, "ExposureTime": 800},
            [("Exposure", "dose:3 mAs", 0.3), ("XRayTubeCurrent", "dose:240 mAs", 1.0)],
        ),
        ({"Exposure": 4803}, [("Exposure", "dose:not believed", 0.0)]),
        ({}, []),
    ],
)
def test_measured(tags: Tags, expected: list[tuple[str, str, float]]) -> None:
    assert [(e.tag, e.says, e.weight) for e in measured(tags, acquisition(tags))] == expected


def test_explain_shows_kernel_dose_thickness_and_field_strength() -> None:
    rules = load_rules()
    ct = {"Modality": "CT", "Manufacturer": "SIEMENS", "ConvolutionKernel": "B70f", "SliceThickness": 1.0}
    page = explain(infer(ct | {"CTDIvol": 7.1, "Exposure": 3}, rules))
    for line in ("kernel sharp", "slice thickness 1 mm", "dose 7.1 mGy", "dose 3 mAs", "odd value"):
        assert line in page
    assert "field strength 3 T" in explain(infer({"Modality": "MR", "MagneticFieldStrength": 3.0}, rules))
