"""Secondary capture: the page as an image in the PACS. PS3.3 A.8.1."""

from __future__ import annotations

import numpy as np
from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from qagate.report import uids
from qagate.report.codes import Vocabulary
from qagate.report.document import Document
from qagate.report.evidence import Origin
from qagate.report.page import page, shown_slices, speaker
from qagate.report.request import ReportRequest
from qagate.report.shell import MANUFACTURER, MODEL_NAME, reference, series_uids, shell


def secondary_capture(request: ReportRequest, origin: Origin, vocabulary: Vocabulary) -> Document:
    """Return the page as an uncompressed RGB image."""
    pixels = page(request, origin)
    document = shell(
        request,
        origin,
        sop_class_uid=SecondaryCaptureImageStorage,
        sop_instance_uid=uids.derive(request.seed, "SC"),
        modality="OT",
        series_instance_uid=series_uids(request)[1],
        series_number=request.settings.series_number + 1,
    )
    document.ConversionType = "WSD"
    document.SecondaryCaptureDeviceManufacturer = MANUFACTURER
    document.SecondaryCaptureDeviceManufacturerModelName = MODEL_NAME
    document.SecondaryCaptureDeviceSoftwareVersions = document.SoftwareVersions
    document.ImageType = ["DERIVED", "SECONDARY"]
    document.Laterality = ""  # type 2C: a page has no side
    document.PatientOrientation = ""
    document.BurnedInAnnotation = "YES"
    document.ImageComments = "Image quality (AI). Not for diagnosis."
    document.DerivationDescription = "One-page summary of an automatic image quality assessment"
    if origin.lossy:
        document.LossyImageCompression = "01"  # once lossy, always lossy: the slices on the page were
    if sources := _sources(request, origin, vocabulary):
        document.SourceImageSequence = sources
    rows, columns, samples = pixels.shape
    document.SamplesPerPixel, document.PhotometricInterpretation, document.PlanarConfiguration = samples, "RGB", 0
    document.Rows, document.Columns = rows, columns
    document.BitsAllocated, document.BitsStored, document.HighBit, document.PixelRepresentation = 8, 8, 7, 0
    document.PixelData = np.ascontiguousarray(pixels).tobytes()
    document["PixelData"].VR = "OB"
    return Document("SC", (document,))


def _sources(request: ReportRequest, origin: Origin, vocabulary: Vocabulary) -> list[Dataset]:
    """Return references to the slices that are on the page. PS3.3 Table C.7.6.2, Source Image Sequence."""
    assessment, _ = speaker(request)
    items = []
    for index, _ in shown_slices(request, assessment):
        row = assessment.slices[index] if index < len(assessment.slices) else None
        instance = origin.instance(row.sop_instance_uid) if row else None
        if row is None or instance is None or not instance.is_image:
            continue
        item = reference(instance)
        if row.frame is not None and instance.frames > 1:
            item.ReferencedFrameNumber = row.frame
        purpose, code = Dataset(), vocabulary.concepts["source_image"]
        purpose.CodeValue, purpose.CodingSchemeDesignator, purpose.CodeMeaning = code.value, code.scheme, code.meaning
        item.PurposeOfReferenceCodeSequence = [purpose]
        items.append(item)
    return items
