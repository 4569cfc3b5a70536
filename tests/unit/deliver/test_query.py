"""Questions to archives that answer oddly."""

from __future__ import annotations

import pytest
from pydicom import Dataset
from pydicom.dataelem import DataElement
from pynetdicom import evt

from qagate.deliver import qido, query
from qagate.settings import Destination
from tests.unit.deliver.archive import archiving

# what is no number is not believed: the images are counted, of which there are two
SAID = [("7", 7), ("7.0", 7), ("", 2), ("many", 2)]


@pytest.mark.parametrize(("said", "counted"), SAID)
@pytest.mark.filterwarnings("ignore:Invalid value")
def test_a_number_of_images_may_be_none(said, counted):
    def answer(event):
        asked = event.identifier
        for uid in ("1.2.3.1", "1.2.3.2") if asked.QueryRetrieveLevel == "IMAGE" else ("",):
            found = Dataset()
            found.QueryRetrieveLevel = asked.QueryRetrieveLevel
            found.SeriesInstanceUID, found.SOPInstanceUID = "1.2.3", uid
            if not uid:
                found.add(DataElement(0x00201209, "LO", said))  # the bytes on the line are those of an IS
            yield 0xFF00, found

    with archiving(query.FIND, syntaxes=("1.2.840.10008.1.2",), handlers=[(evt.EVT_C_FIND, answer)]) as (pacs, _):
        assert query.count(pacs, "QAGATE", "1.2", "1.2.3") == counted


@pytest.mark.parametrize(("said", "counted"), [*SAID, ("1e999", 2)])
def test_so_it_may_by_dicomweb(monkeypatch, said, counted):
    def search(session, destination, path, query):
        if path.endswith("/instances"):
            return iter([{"00080018": {"Value": [f"1.2.3.{n}"]}} for n in (1, 2)])
        return iter([{"0020000E": {"Value": ["1.2.3"]}, "00201209": {"Value": [said] if said else []}}])

    monkeypatch.setattr(qido, "_search", search)
    assert qido.count(Destination(name="web", kind="stow", url="http://h"), "1.2", "1.2.3") == counted
