"""Shared by all tests: one core for numerics, and where the development data lies, if it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import pytest

from tests.peers import chromium as browser

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def development_data() -> Path:
    """The folder of real volumes and series beside the repository; skips where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the development data is not here")
    return folder


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A headless Chromium; skips where there is none.

    Not for the whole session: while it is open no other test can run an event loop, nor open a second one.
    """
    if not browser.available():
        pytest.skip("there is no chromium here")
    with browser.launched() as opened:
        yield opened
