"""Alike: items that say the same about one image after another share all that does not change.

highdicom makes, and checks, the first of them; the others have the same elements but for the image and the number.
For a series of 300 images that is most of the content of its documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydicom import DataElement, Dataset
from pydicom.charset import default_encoding
from pydicom.dataelem import RawDataElement
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID
from pydicom.valuerep import DS, VR

REFERENCED_CLASS = Tag("ReferencedSOPClassUID")
REFERENCED_INSTANCE = Tag("ReferencedSOPInstanceUID")
REFERENCED_FRAME = Tag("ReferencedFrameNumber")
REFERENCED = Tag("ReferencedSOPSequence")
MEASURED = Tag("MeasuredValueSequence")
NUMERIC = Tag("NumericValue")
FLOATING = Tag("FloatingPointValue")
CONTENT = Tag("ContentSequence")

Elements = dict[BaseTag, DataElement | RawDataElement]

_SEQUENCE_HEAD = 12
"""Bytes before the items of a sequence in explicit VR: tag, VR, reserved, length. PS3.5 section 7.1.2."""


class Alike:
    """Makes items like a first one: an IMAGE item, or a NUM item with one below it."""

    def __init__(self, first: Dataset) -> None:
        self._shared = _elements(first)
        self._measured = _elements(first.MeasuredValueSequence[0]) if MEASURED in first else {}
        self._below = Alike(first.ContentSequence[0]) if CONTENT in first else None

    def image(self, sop_class_uid: str, sop_instance_uid: str, frames: Iterable[int] = ()) -> Dataset:
        """Return an IMAGE item that points at another image. frames: 1-based; none means all of them."""
        return _with(self._shared, DataElement(REFERENCED, "SQ", [pointer(sop_class_uid, sop_instance_uid, frames)]))

    def number(self, value: float, sop_class_uid: str, sop_instance_uid: str, frames: Iterable[int] = ()) -> Dataset:
        """Return a NUM item with another value, and below it an IMAGE item that points at another image."""
        assert self._below is not None, "the first item says of no image what it says"
        measured = _with(
            self._measured,
            DataElement(NUMERIC, "DS", DS(value, auto_format=True), already_converted=True),
            DataElement(FLOATING, "FD", value, already_converted=True),
        )
        return _with(
            self._shared,
            DataElement(MEASURED, "SQ", [measured]),
            DataElement(CONTENT, "SQ", [self._below.image(sop_class_uid, sop_instance_uid, frames)]),
        )


def pointer(sop_class_uid: str, sop_instance_uid: str, frames: Iterable[int] = ()) -> Dataset:
    """Return a reference to an instance. PS3.3 Table 10-11; frames as in Table 10-3. UIDs were checked when read."""
    found = [
        DataElement(REFERENCED_CLASS, "UI", UID(sop_class_uid), already_converted=True),
        DataElement(REFERENCED_INSTANCE, "UI", UID(sop_instance_uid), already_converted=True),
    ]
    if numbers := list(frames):
        found.append(DataElement(REFERENCED_FRAME, "IS", numbers))
    return _with({}, *found)


def extend(container: Dataset, items: Iterable[Dataset]) -> None:
    """Put items behind those that a container has."""
    container.add(DataElement(CONTENT, "SQ", [*container.ContentSequence, *items]))


def _elements(item: Dataset) -> Elements:
    return {element.tag: _encoded(element) for element in item}


def _encoded(element: DataElement) -> DataElement | RawDataElement:
    """Return a sequence as the bytes that it is written as, so that it is encoded once; other elements as they are.

    Whoever reads it gets its items as from a file. Those have no character set of their own: text beyond ASCII stays.
    """
    if element.VR != VR.SQ or not all(str(inner.value).isascii() for inner in _leaves(element)):
        return element
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element)
    value = buffer.getvalue()[_SEQUENCE_HEAD:]
    return RawDataElement(element.tag, VR.SQ, len(value), value, 0, False, True)


def _leaves(element: DataElement) -> Iterator[DataElement]:
    for item in element.value:
        for inner in item:
            if inner.VR == VR.SQ:
                yield from _leaves(inner)
            else:
                yield inner


def _with(shared: Elements, *own: DataElement) -> Dataset:
    item = Dataset({**shared, **{element.tag: element for element in own}})
    item.set_original_encoding(False, True, default_encoding)  # what is encoded already is written as it is
    return item
