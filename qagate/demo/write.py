"""Write an array as the DICOM series a scanner would have sent: CT Image Storage and MR Image Storage.

Attributes as PS3.3 A.3 (CT) and A.4 (MR) ask for them, the optional ones that tell a reader how the scan was made
included. UIDs are derived from names, so the same seed gives the same objects.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage

from qagate.errors import InputError

_UID_SPACE = uuid.UUID("6f1d1f0a-94f4-5c5e-9d8e-1c3b7e1a5d20")
CT_INTERCEPT = -1024


def uid(*names: str | int) -> str:
    """Return a UID under 2.25 that always belongs to these names. Source: PS3.5 B.2."""
    return f"2.25.{uuid.uuid5(_UID_SPACE, '/'.join(map(str, names))).int}"


def write_series(
    array: npt.NDArray[Any],
    spacing_mm: tuple[float, float, float],
    folder: Path,
    *,
    modality: str,
    description: str,
    protocol: str = "",
    body_part: str = "ABDOMEN",
    seed: str = "0",
    study: str = "1",
    series: int = 2,
    drop: Collection[int] = (),
    when: datetime | None = None,
    tags: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write axial slices as one file each and return their paths, from feet to head.

    array: (slices, rows, columns), slices to the head, columns to the patient's left; CT in HU -1024..3071, MR 0..4095.
    modality: CT or MR. seed, study and series name the objects: the same three give the same UIDs. drop: 0-based
    indices of slices that are left out, as if they had been lost. tags: keyword → value, over all else.
    Raises InputError for another modality or an array that is not three-dimensional.
    """
    if modality not in ("CT", "MR"):
        raise InputError(f"a demo series is CT or MR, got {modality!r}")
    if array.ndim != 3:
        raise InputError(f"a demo series has slices, rows and columns, got {array.ndim} dimensions")
    folder.mkdir(parents=True, exist_ok=True)
    when = when or datetime.now(UTC).astimezone()
    common = _common(array.shape, spacing_mm, modality, description, protocol, body_part, seed, study, series, when)
    common.update(_ct() if modality == "CT" else _mr())
    common.update(tags or {})
    offset = CT_INTERCEPT if modality == "CT" else 0
    paths = []
    for index in range(len(array)):
        if index in drop:
            continue
        values = dict(common)
        values["SOPInstanceUID"] = uid("instance", seed, study, series, index)
        values["InstanceNumber"] = len(array) - index  # scanned from the head downwards, as most are
        height, width = (n * s for n, s in zip(array.shape[1:], spacing_mm[1:], strict=True))
        z = index * spacing_mm[0] - 300.0
        values["ImagePositionPatient"] = [_ds(-width / 2), _ds(-height / 2), _ds(z)]
        values["SliceLocation"] = _ds(z)
        pixels = np.clip(array[index].astype(np.int32) - offset, 0, 4095).astype("<u2")
        path = folder / f"IM{index + 1:04d}.dcm"
        _save(values, pixels, path)
        paths.append(path)
    return paths


def _save(values: Mapping[str, Any], pixels: npt.NDArray[np.uint16], path: Path) -> None:
    dataset = Dataset()
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta = meta
    dataset.save_as(path, enforce_file_format=True)


def _ds(value: float) -> str:
    return f"{value:.6g}"


def _common(
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    modality: str,
    description: str,
    protocol: str,
    body_part: str,
    seed: str,
    study: str,
    series: int,
    when: datetime,
) -> dict[str, Any]:
    day, time = when.strftime("%Y%m%d"), when.strftime("%H%M%S")
    request = Dataset()
    request.RequestedProcedureID = f"RP{study}"
    request.ScheduledProcedureStepID = f"SPS{study}"
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": CTImageStorage if modality == "CT" else MRImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY", "M", "ND"],
        "StudyDate": day,
        "SeriesDate": day,
        "AcquisitionDate": day,
        "ContentDate": day,
        "StudyTime": time,
        "SeriesTime": time,
        "AcquisitionTime": time,
        "ContentTime": time,
        "AcquisitionDateTime": when.strftime("%Y%m%d%H%M%S.%f%z"),
        "TimezoneOffsetFromUTC": when.strftime("%z") or "+0000",
        "InstanceCreationDate": day,
        "InstanceCreationTime": time,
        "AccessionNumber": f"DEMO{int(uid(seed, study)[-6:]):06d}",
        "Modality": modality,
        "Manufacturer": "qagate demo",
        "ManufacturerModelName": f"Virtual {modality}",
        "InstitutionName": "qagate demo",
        "StationName": f"DEMO{modality}1",
        "DeviceSerialNumber": "1",
        "SoftwareVersions": "1",
        "ReferringPhysicianName": "",
        "StudyDescription": f"{modality} {body_part.capitalize()}",
        "SeriesDescription": description,
        "ProtocolName": protocol or description,
        "BodyPartExamined": body_part,
        "PatientName": "Demo^Patient",
        "PatientID": "QAGATE-DEMO",
        "PatientBirthDate": "19700101",
        "PatientSex": "O",
        "PatientAge": "055Y",
        "PatientPosition": "HFS",
        "StudyInstanceUID": uid("study", seed, study),
        "SeriesInstanceUID": uid("series", seed, study, series),
        "FrameOfReferenceUID": uid("frame", seed, study),
        "StudyID": study,
        "SeriesNumber": series,
        "AcquisitionNumber": 1,
        "PositionReferenceIndicator": "",
        "SliceThickness": _ds(spacing_mm[0]),
        "SpacingBetweenSlices": _ds(spacing_mm[0]),
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [_ds(spacing_mm[1]), _ds(spacing_mm[2])],
        "Rows": shape[1],
        "Columns": shape[2],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
        "RequestAttributesSequence": [request],
        "PerformedProcedureStepStartDate": day,
        "PerformedProcedureStepStartTime": time,
        "PerformedProcedureStepID": f"PPS{study}",
    }


def _ct() -> dict[str, Any]:
    body = Dataset()
    body.CodeValue, body.CodingSchemeDesignator, body.CodeMeaning = "113691", "DCM", "IEC Body Dosimetry Phantom"
    return {
        "CTDIPhantomTypeCodeSequence": [body],
        "RescaleIntercept": CT_INTERCEPT,
        "RescaleSlope": 1,
        "RescaleType": "HU",
        "WindowCenter": 50,
        "WindowWidth": 400,
        "KVP": 120,
        "XRayTubeCurrent": 240,
        "ExposureTime": 500,
        "Exposure": 120,
        "CTDIvol": 8.1,
        "DataCollectionDiameter": 500,
        "GantryDetectorTilt": 0,
        "ConvolutionKernel": "B30f",
        "FilterType": "BODY",
        "RotationDirection": "CW",
        "SpiralPitchFactor": 0.9,
        "ScanOptions": "HELICAL MODE",
    }


def _mr() -> dict[str, Any]:
    return {
        "ScanningSequence": ["GR", "IR"],
        "SequenceVariant": ["SP", "MP"],
        "ScanOptions": "",
        "MRAcquisitionType": "3D",
        "SequenceName": "tfl3d1",
        "RepetitionTime": 1900,
        "EchoTime": 2.9,
        "InversionTime": 900,
        "EchoTrainLength": 1,
        "FlipAngle": 9,
        "MagneticFieldStrength": 3,
        "ImagingFrequency": 123.2,
        "ImagedNucleus": "1H",
        "NumberOfAverages": 1,
        "PixelBandwidth": 170,
        "InPlanePhaseEncodingDirection": "COL",
        "WindowCenter": 1200,
        "WindowWidth": 2400,
    }
