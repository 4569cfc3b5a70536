"""Alike: what is made after the first item is, byte for byte, what highdicom would have made."""

from __future__ import annotations

import pytest
from highdicom.sr import CodedConcept, Measurement, SourceImageForMeasurement, SourceImageForMeasurementGroup
from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset

from qagate.report.alike import Alike, extend, pointer

CT, ENHANCED = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1"
IMAGES: tuple[tuple[str, str, list[int]], ...] = (
    (CT, "1.2.3", []),
    (CT, "1.2.4", []),
    (ENHANCED, "1.2.5", [3]),
    (ENHANCED, "1.2.5", [1, 2, 9]),
)
VALUES = (0.0, 71.4, 100.0, -0.05, 1 / 3)


def written(item: Dataset) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, item)
    return bytes(buffer.getvalue())


def rating(value: float, image: tuple[str, str, list[int]], meaning: str) -> Dataset:
    sop_class, sop_instance, frames = image
    below = SourceImageForMeasurement(sop_class, sop_instance, frames or None)
    unit = CodedConcept("{0:100}", "UCUM", "0 to 100")
    return Measurement(CodedConcept("111029", "DCM", meaning), value, unit, referenced_images=[below])[0]


@pytest.mark.parametrize("meaning", ["Image Quality Rating", "Bildgüte"])
@pytest.mark.parametrize("image", IMAGES)
def test_a_number_about_another_image_is_what_highdicom_makes(meaning: str, image: tuple[str, str, list[int]]) -> None:
    alike = Alike(rating(50.0, IMAGES[0], meaning))
    for value in VALUES:
        made = alike.number(value, *image)
        assert written(made) == written(rating(value, image, meaning))
        assert made.ConceptNameCodeSequence[0].CodeMeaning == meaning


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_item_is_what_highdicom_makes(image: tuple[str, str, list[int]]) -> None:
    sop_class, sop_instance, frames = image
    made = Alike(SourceImageForMeasurementGroup(*IMAGES[0][:2])).image(*image)
    assert written(made) == written(SourceImageForMeasurementGroup(sop_class, sop_instance, frames or None))
    assert made.ReferencedSOPSequence[0].ReferencedSOPInstanceUID == sop_instance


def test_the_first_item_and_its_likes_keep_their_own_image() -> None:
    first = SourceImageForMeasurementGroup(*IMAGES[0][:2])
    alike = Alike(first)
    made = [alike.image(*image) for image in IMAGES]
    container = Dataset()
    container.ContentSequence = [first]
    extend(container, made)
    uids = [item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for item in container.ContentSequence]
    assert uids == ["1.2.3", "1.2.3", "1.2.4", "1.2.5", "1.2.5"]


def test_a_pointer_names_class_instance_and_frames() -> None:
    item = pointer(ENHANCED, "1.2.5", [1, 2])
    assert (item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) == (ENHANCED, "1.2.5")
    assert list(item.ReferencedFrameNumber) == [1, 2]
    assert "ReferencedFrameNumber" not in pointer(CT, "1.2.3")
