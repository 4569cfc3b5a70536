from __future__ import annotations

import pytest

from qagate.demo.lines import counts, series_line
from qagate.demo.node import SeriesStatus
from qagate.demo.sample import Sample

SAMPLE = Sample("ct", "CT abdomen · phantom, 60 slices", ())


def status(**more: object) -> SeriesStatus:
    return {"series_instance_uid": "1", "state": "delivered", **more}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("given", "starts", "ends"),
    [
        (status(verdict="accept", score=86.4), "● Good      86  CT abdomen", "  9.2 s  SR SC → MINIPACS"),
        (status(verdict="review", score=9.0, reasons=["Noise"]), "▲ Look       9  CT", "SR SC → MINIPACS · Noise"),
        (status(verdict="reject", score=0.2), "■ Bad        0  CT", "MINIPACS"),
        (status(verdict="unscored", reasons=["A localiser."]), "○ No score      CT", "· A localiser."),
        (status(verdict="accept", score=100, revision=2), "● Good     100  CT", "MINIPACS · revision 2"),
        (status(state="excluded", reasons=["rule x"]), "– Excluded      CT", "rule x"),
        (status(state="failed", reasons=["disk full"]), "! Failed        CT", "disk full"),
    ],
)
def test_line(given: SeriesStatus, starts: str, ends: str) -> None:
    line = series_line(SAMPLE, given, seconds=9.2, kinds=("SR", "SC"))
    assert line.startswith(starts)
    assert line.endswith(ends)
    assert line.index("CT abdomen") == 16  # all lines are aligned


def test_colour_only_when_asked() -> None:
    assert "\x1b[" in series_line(SAMPLE, status(verdict="accept"), seconds=None, kinds=(), colour=True)


def test_counts() -> None:
    seen = [status(verdict="accept"), status(verdict="accept"), status(verdict="unscored"), status(state="excluded")]
    assert counts(seen) == "2 good · 1 no score · 1 excluded by rule"
    assert counts([]) == "no answers"
