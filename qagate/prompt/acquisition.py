"""Acquisition: the numbers of a scan in one set of units, whichever attributes hold them, and its plane."""

from __future__ import annotations

from qagate.domain.prompt import Acquisition
from qagate.domain.volume import Tags
from qagate.prompt.text import number, numbers

MOST_MAS, FEW_MAS = 3000.0, 5.0
OBLIQUE_BELOW = 0.8  # cosine of 37 degrees: gantry tilt and angulation to the skull base stay axial


def acquisition(tags: Tags) -> Acquisition:
    """Return the acquisition values with their units converted; None where silent or impossible."""
    return Acquisition(
        slice_thickness_mm=_positive(number(tags, "SliceThickness"), 500),
        kvp=_kilovolts(number(tags, "KVP")),
        exposure_mas=exposure_mas(tags),
        ctdi_vol_mgy=_positive(number(tags, "CTDIvol"), 1000),
        repetition_time_ms=_positive(number(tags, "RepetitionTime"), 1e6),
        echo_time_ms=_positive(_first(tags, "EchoTime", "EffectiveEchoTime"), 1e4),
        inversion_time_ms=_positive(_first(tags, "InversionTime", "InversionTimes"), 1e5),
        flip_angle_degrees=_positive(number(tags, "FlipAngle"), 360),
        echo_train_length=_positive(_first(tags, "EchoTrainLength", "RFEchoTrainLength"), 1e5),
        magnetic_field_strength_t=_tesla(number(tags, "MagneticFieldStrength")),
        diffusion_b_value=_not_negative(number(tags, "DiffusionBValue"), 1e5),
    )


def exposure_mas(tags: Tags) -> float | None:
    """Return the exposure in mAs, from Exposure or from current x time.

    Exposure is in mAs, ExposureInuAs in uAs, ExposureInmAs in mAs; current in mA or uA, time in ms or us (PS3.3
    C.8.2.1, C.8.15.3.8). Values above 3000 mAs are vendors' own units and not believed; less than 5 mAs gives way to
    any of the others that is more.
    """
    believed = [mas for _, mas in exposures(tags) if 0 < mas <= MOST_MAS]
    return next((mas for mas in believed if mas >= FEW_MAS), next(iter(believed), None))


def exposures(tags: Tags) -> tuple[tuple[str, float], ...]:
    """Return (tags, mAs) of everything that states the exposure, the most direct first, believed or not."""
    current_ma = _scaled(tags, ("XRayTubeCurrentInmA", 1.0), ("XRayTubeCurrent", 1.0), ("XRayTubeCurrentInuA", 1e-3))
    time_s = _scaled(tags, ("ExposureTimeInms", 1e-3), ("ExposureTime", 1e-3), ("ExposureTimeInus", 1e-6))
    stated = [
        (tag, value * factor)
        for tag, factor in (("ExposureInmAs", 1.0), ("Exposure", 1.0), ("ExposureInuAs", 1e-3))
        if (value := number(tags, tag)) is not None
    ]
    if current_ma is not None and time_s is not None:
        stated.append(("XRayTubeCurrent", current_ma * time_s))
    return tuple(stated)


def plane(tags: Tags) -> str | None:
    """Return the plane from ImageOrientationPatient; None when it is absent or not two directions.

    The plane is that of the axis closest to the slice normal; oblique when no axis is within 37 degrees.
    """
    cosines = numbers(tags, "ImageOrientationPatient")
    if len(cosines) != 6:
        return None
    (a, b, c), (d, e, f) = cosines[:3], cosines[3:]
    return plane_of((b * f - c * e, c * d - a * f, a * e - b * d))


def plane_of(normal: tuple[float, float, float]) -> str | None:
    """Return the plane of slices with this normal; None when it has no direction."""
    length = sum(v * v for v in normal) ** 0.5
    if not 0.5 < length < 2:  # parallel directions, or not unit vectors
        return None
    share, name = max(zip((abs(v) / length for v in normal), ("sagittal", "coronal", "axial"), strict=True))
    return name if share >= OBLIQUE_BELOW else "oblique"


def _first(tags: Tags, *names: str) -> float | None:
    return next((value for name in names if (value := number(tags, name)) is not None), None)


def _scaled(tags: Tags, *names: tuple[str, float]) -> float | None:
    return next((value * factor for name, factor in names if (value := number(tags, name)) is not None), None)


def _positive(value: float | None, limit: float) -> float | None:
    return value if value is not None and 0 < value <= limit else None


def _not_negative(value: float | None, limit: float) -> float | None:
    return value if value is not None and 0 <= value <= limit else None


def _kilovolts(value: float | None) -> float | None:
    if value is not None and 10_000 <= value <= 300_000:  # written in volts
        value /= 1000.0
    return _positive(value, 300)


def _tesla(value: float | None) -> float | None:
    if value is not None and value > 25:  # older systems write gauss (15000) or millitesla (1500)
        value /= 10_000.0 if value >= 5000 else 1000.0
    return _positive(value, 25)
