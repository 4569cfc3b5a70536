"""Made objects: small CT and MR data sets for tests, with every attribute that geometry and pixels need."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

CT_CLASS, MR_CLASS = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_CLASS = "1.2.840.10008.5.1.4.1.1.4.1"
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def uid(*parts: object) -> str:
    """Return a UID that is the same each time for the same parts."""
    return str(generate_uid(entropy_srcs=[str(part) for part in parts]))


def image(stored: Any, sop_class_uid: str, **attributes: Any) -> Dataset:
    """Return a data set with the pixels of one array (rows, columns) or (frames, rows, columns)."""
    dataset = Dataset()
    dataset.SOPClassUID = sop_class_uid
    dataset.SOPInstanceUID = attributes.pop("SOPInstanceUID", uid("instance", sorted(attributes.items(), key=str)))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = uid("study"), uid("series")
    dataset.FrameOfReferenceUID = uid("frame")
    dataset.PatientID, dataset.PatientName = "1", "Made^Up"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    dataset.Rows, dataset.Columns = stored.shape[-2:]
    if stored.ndim == 3:
        dataset.NumberOfFrames = stored.shape[0]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    bits = stored.dtype.itemsize * 8
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = bits, bits, bits - 1
    dataset.PixelRepresentation = int(stored.dtype.kind == "i")
    for keyword, value in attributes.items():
        if value is not None:
            setattr(dataset, keyword, value)
    dataset.PixelData = np.ascontiguousarray(stored).tobytes()
    dataset["PixelData"].VR = "OB" if bits <= 8 else "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    return dataset


def ct_slice(
    stored: Any, position: Sequence[float] | None = (0.0, 0.0, 0.0), number: int | None = 1, **attributes: Any
) -> Dataset:
    """Return one classic CT slice."""
    given: dict[str, Any] = {
        "Modality": "CT",
        "ImagePositionPatient": None if position is None else [float(f"{p:.10g}") for p in position],
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [0.7, 0.7],
        "SliceThickness": 1.25,
        "InstanceNumber": number,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        "RescaleType": "HU",
    }
    return image(stored, CT_CLASS, **(given | attributes))


def mr_slice(
    stored: Any, position: Sequence[float] | None = (0.0, 0.0, 0.0), number: int | None = 1, **attributes: Any
) -> Dataset:
    """Return one classic MR slice."""
    given: dict[str, Any] = {
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ImagePositionPatient": None if position is None else [float(f"{p:.10g}") for p in position],
        "ImageOrientationPatient": list(AXIAL),
        "PixelSpacing": [1.0, 1.0],
        "SliceThickness": 3.0,
        "InstanceNumber": number,
        "EchoTime": 20.0,
    }
    return image(stored, MR_CLASS, **(given | attributes))


def enhanced_mr(stored: Any, spacing_mm: float = 2.0, volumes: int = 1, **attributes: Any) -> Dataset:
    """Return an Enhanced MR object; frames (frames, rows, columns) make `volumes` time points one after another."""
    dataset = image(stored, ENHANCED_MR_CLASS, Modality="MR", InstanceNumber=1, **attributes)
    shared = Dataset()
    shared.PixelMeasuresSequence = Items([_item(PixelSpacing=[1.5, 1.5], SliceThickness=spacing_mm)])
    shared.PlaneOrientationSequence = Items([_item(ImageOrientationPatient=list(AXIAL))])
    shared.PixelValueTransformationSequence = Items([_item(RescaleSlope=1, RescaleIntercept=0, RescaleType="US")])
    dataset.SharedFunctionalGroupsSequence = Items([shared])
    each = len(stored) // volumes
    frames = []
    for index in range(len(stored)):
        groups = Dataset()
        where = _item(ImagePositionPatient=[0, 0, spacing_mm * (index % each)])
        groups.PlanePositionSequence = Items([where])
        content = _item(
            TemporalPositionIndex=index // each + 1, DimensionIndexValues=[index // each + 1, index % each + 1]
        )
        groups.FrameContentSequence = Items([content])
        groups.MREchoSequence = Items([_item(EffectiveEchoTime=30.0)])
        frames.append(groups)
    dataset.PerFrameFunctionalGroupsSequence = Items(frames)
    return dataset


def _item(**attributes: Any) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item


def save(dataset: Dataset, folder: Path, name: str = "") -> Path:
    """Write a data set and return its path."""
    path = folder / (name or f"{dataset.SOPInstanceUID}.dcm")
    dataset.save_as(path, enforce_file_format=True)
    return path
