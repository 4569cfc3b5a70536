"""Observer: who says what stands in a document, and how its codes look to highdicom."""

from __future__ import annotations

from highdicom.sr import CodedConcept, DeviceObserverIdentifyingAttributes, ObserverContext
from pydicom.sr.codedict import codes as standard

from qagate.report import uids
from qagate.report.codes import Code
from qagate.report.shell import MANUFACTURER, MODEL_NAME


def device_observer(station_name: str) -> ObserverContext:
    """Return who observed: this node. PS3.16 TID 1004."""
    return ObserverContext(
        observer_type=standard.DCM.Device,
        observer_identifying_attributes=DeviceObserverIdentifyingAttributes(
            uid=uids.derive("device", station_name),
            name=station_name,
            manufacturer_name=MANUFACTURER,
            model_name=MODEL_NAME,
            serial_number=station_name,
        ),
    )


def concept(code: Code) -> CodedConcept:
    """Return a code as highdicom wants it."""
    return CodedConcept(code.value, code.scheme, code.meaning)
