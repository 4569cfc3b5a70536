"""Acquisition values in one set of units."""

from __future__ import annotations

import pytest

from qagate.domain.volume import Tags
from qagate.prompt.acquisition import acquisition, exposure_mas, plane


@pytest.mark.parametrize(
    ("tags", "mas"),
    [
        ({"Exposure": 202}, 202.0),
        ({"ExposureInuAs": 202000}, 202.0),  # 202000 uAs / 1000
        ({"ExposureInmAs": 201.6, "Exposure": 202}, 201.6),
        ({"XRayTubeCurrent": 400, "ExposureTime": 500}, 200.0),  # 400 mA x 0.5 s
        ({"XRayTubeCurrentInuA": 400000.0, "ExposureTimeInus": 500000.0}, 200.0),
        ({"XRayTubeCurrentInmA": 400.0, "ExposureTimeInms": 500.0}, 200.0),
        (
            {"Exposure": 4803, "XRayTubeCurrent": 60, "ExposureTime": 800},
            48.0,
        ),  # 4803 mAs is no exposure; 60 mA x 0.8 s
        ({"Exposure": 4803}, None),
        ({"Exposure": 0}, None),
        ({"Exposure": 3, "XRayTubeCurrent": 300, "ExposureTime": 800}, 240.0),  # 300 mA x 0.8 s, not 3
        ({"Exposure": 3, "ExposureInuAs": 3000}, 3.0),  # both say so
        ({"Exposure": 3}, 3.0),  # nothing better
        ({"Exposure": 12, "XRayTubeCurrent": 40, "ExposureTime": 500}, 12.0),  # a low dose, as stated
        ({"XRayTubeCurrent": 400}, None),
        ({}, None),
    ],
)
def test_exposure(tags: Tags, mas: float | None) -> None:
    assert exposure_mas(tags) == (None if mas is None else pytest.approx(mas))


@pytest.mark.parametrize(
    ("stated", "tesla"),
    [(1.5, 1.5), (3, 3.0), (15000, 1.5), (1500, 1.5), (30000, 3.0), (0.55, 0.55), (0, None), (-1, None)],
)
def test_field_strength(stated: float, tesla: float | None) -> None:
    assert acquisition({"MagneticFieldStrength": stated}).magnetic_field_strength_t == tesla


def test_values() -> None:
    tags: Tags = {
        "SliceThickness": 2.5, "KVP": 120.0, "CTDIvol": 8.34, "RepetitionTime": 4000.0, "EffectiveEchoTime": 90.0,
        "InversionTimes": (900.0, 2500.0), "FlipAngle": 90.0, "EchoTrainLength": 16, "DiffusionBValue": 0.0,
    }  # fmt: skip
    assert acquisition(tags).present() == {
        "slice_thickness_mm": 2.5, "kvp": 120.0, "ctdi_vol_mgy": 8.34, "repetition_time_ms": 4000.0,
        "echo_time_ms": 90.0, "inversion_time_ms": 900.0,
        "flip_angle_degrees": 90.0, "echo_train_length": 16.0, "diffusion_b_value": 0.0,
    }  # fmt: skip


def test_volts_are_kilovolts() -> None:
    assert acquisition({"KVP": 120000}).kvp == 120.0


@pytest.mark.parametrize(
    ("cosines", "expected"),
    [
        ((1, 0, 0, 0, 1, 0), "axial"),
        ((1, 0, 0, 0, 0, -1), "coronal"),
        ((0, 1, 0, 0, 0, -1), "sagittal"),
        ((1, 0, 0, 0, 0.9483, -0.3173), "axial"),  # gantry tilt 18.5 degrees: cos = 0.948
        ((0.7071, 0.7071, 0, 0, 0, -1), "oblique"),  # 45 degrees between sagittal and coronal: cos = 0.707
        ((1, 0, 0, 1, 0, 0), None),  # no plane
        ((1, 0, 0), None),
        ((0, 0, 0, 0, 0, 0), None),
    ],
)
def test_plane(cosines: tuple[float, ...], expected: str | None) -> None:
    assert plane({"ImageOrientationPatient": cosines}) == expected
