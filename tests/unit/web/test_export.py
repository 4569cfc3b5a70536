"""What is downloaded as CSV: no formula in any column, and a mark where a browser asks."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from qagate.store import audit
from qagate.store.tables import DecisionRow, SeriesRow
from tests.unit.web.conftest import make_site
from tests.web.seeds import Seed

LOOK = Seed("look", "review", 41.0, description="Schädel nativ", minutes=3)
EXPORTS = ("series.csv", "decisions.csv", "audit.csv")
BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORMULA = "=1+1"
SERIES = ("series_description", "protocol_name", "station_name", "device", "calling_ae_title", "modality", "organ")
DECISION = ("person", "policy", "model", "note", "reason")


@pytest.fixture
def site(tmp_path):
    for one in make_site(tmp_path, LOOK):
        wish = {"kind": "note", "version": 1, "note": "Sauer\u00adstoff für Müller"}
        assert one.client.post(f"/api/v1/series/{LOOK.uid}/decisions", json=wish).status_code == 201
        yield one


@pytest.mark.parametrize(
    ("name", "count"), [("series.csv", len(SERIES)), ("decisions.csv", len(DECISION)), ("audit.csv", 3)]
)
def test_no_text_of_any_column_is_a_formula(site, name, count):
    """The person, the policy and the model of a decision went out as they were."""
    with site.database.begin() as session:
        session.execute(update(SeriesRow).values(dict.fromkeys(SERIES, FORMULA)))
        session.execute(update(DecisionRow).values(dict.fromkeys(DECISION, FORMULA)))
        audit.record(session, FORMULA, FORMULA, LOOK.uid, FORMULA, datetime.now(UTC))
    rows = list(csv.DictReader(io.StringIO(site.client.get(f"/api/v1/{name}").text)))
    cells = [value for row in rows for value in row.values()]
    assert [value for value in cells if value.startswith("=")] == []
    assert cells.count(f"'{FORMULA}") == count


@pytest.mark.parametrize("name", EXPORTS)
def test_a_spreadsheet_is_told_that_it_is_utf_8_and_a_program_gets_no_mark(site, name):
    """Umlauts were two signs each; what reads the first column by its name must find it."""
    program = site.client.get(f"/api/v1/{name}")
    browser = site.client.get(f"/api/v1/{name}", headers=BROWSER)
    assert not program.content.startswith(b"\xef\xbb\xbf")
    assert browser.content.startswith(b"\xef\xbb\xbf")
    assert browser.content.count(b"\xef\xbb\xbf") == 1
    assert browser.headers["vary"] == "Accept"
    first = program.text.partition(",")[0]
    assert next(iter(csv.DictReader(io.StringIO(browser.content.decode("utf-8-sig")))))[first]


@pytest.mark.parametrize("name", EXPORTS)
def test_semicolons_for_spreadsheets_that_write_numbers_with_a_comma(site, name):
    """In German one column held all of a line; with semicolons alone, a score of 12.5 would be the twelfth of May."""
    plain = list(csv.DictReader(io.StringIO(site.client.get(f"/api/v1/{name}").text)))
    found = list(
        csv.DictReader(io.StringIO(site.client.get(f"/api/v1/{name}?separator=semicolon").text), delimiter=";")
    )
    assert list(found[-1]) == list(plain[-1])
    if "score" in found[0]:
        assert (found[0]["score"], plain[0]["score"]) == ("41,0", "41.0")
    assert site.client.get(f"/api/v1/{name}?separator=|").status_code == 422


def test_labels_are_for_programs(site):
    assert site.client.get("/api/v1/labels.csv", headers=BROWSER).text == "path,score,modality,organ,group\r\n"
