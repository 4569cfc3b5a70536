"""docs/conformance.md says what the code does."""

from __future__ import annotations

from pathlib import Path

from qagate.store.outbox import BACKOFF_SECONDS
from qagate.work.preflight import DOCUMENT_CLASSES

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "conformance.md").read_text(encoding="utf-8")


def test_every_sop_class_we_send_is_listed():
    for uid in DOCUMENT_CLASSES:
        assert uid in TEXT


def test_the_waits_are_those_of_the_outbox():
    waits = ", ".join(map(str, BACKOFF_SECONDS[:-1]))
    assert f"after {waits}, then every {BACKOFF_SECONDS[-1]} s" in TEXT
