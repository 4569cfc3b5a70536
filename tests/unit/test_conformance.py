"""docs/conformance.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from qagate.cli.conformance import AS_USER
from qagate.deliver import commitment
from qagate.deliver.dimse import VERIFICATION
from qagate.deliver.query import FIND, GET, MOVE
from qagate.receive.contexts import served
from qagate.report.codes import PRIVATE_DESIGNATOR, load
from qagate.settings import Node
from qagate.store.outbox import BACKOFF_SECONDS
from qagate.work.preflight import DOCUMENT_CLASSES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_every_sop_class_we_send_is_listed():
    for uid in DOCUMENT_CLASSES:
        assert uid in TEXT


def test_the_waits_are_those_of_the_outbox():
    waits = ", ".join(map(str, BACKOFF_SECONDS[:-1]))
    assert f"after {waits}, then every {BACKOFF_SECONDS[-1]} s" in TEXT


SECTIONS = (
    "## 1 Overview", "## 2 Contents", "## 3 Introduction", "## 4 Networking", "### 4.1 Implementation model",
    "#### 4.1.1 Data flow", "#### 4.1.2", "#### 4.1.3 Sequence", "### 4.2 Application entity",
    "#### 4.2.1 Association policies", "#### 4.2.2 Association acceptance", "#### 4.2.3 Association initiation",
    "### 4.3 Network interfaces", "### 4.4 Configuration", "## 5 Media interchange", "## 6 Character sets",
    "## 7 Security", "## 8 Annexes", "### 8.1 IOD contents", "### 8.2 Private attributes", "### 8.3 Coded terminology",
    "### 8.4 Greyscale consistency", "### 8.5", "### 8.6 Private transfer syntaxes",
)  # fmt: skip


def test_it_has_the_sections_of_ps3_2_in_their_order():
    places = [TEXT.index(f"\n{section}") for section in SECTIONS]
    assert places == sorted(places)


def test_every_service_we_answer_and_every_private_code_is_listed():
    for uid in served():
        assert f"| {uid} |" in TEXT
    vocabulary = load()
    for code in (*vocabulary.concepts.values(), *vocabulary.measurements.values()):
        if code.scheme == PRIVATE_DESIGNATOR:
            assert f"| {code.value} | {code.meaning} |" in TEXT


def test_what_we_use_beside_storage_is_what_the_rooms_use():
    assert set(AS_USER) == {VERIFICATION, FIND, MOVE, GET, commitment._PUSH_MODEL}


def test_every_setting_of_the_network_has_its_default_in_it():
    for name, field in Node.model_fields.items():
        if field.annotation in (int, float) and name != "port":
            assert f"| `node.{name}` | {field.default} |" in TEXT, name
