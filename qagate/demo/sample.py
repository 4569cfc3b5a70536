"""Sample: one thing the demo's scanner sends, and how."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Way(StrEnum):
    """How a sample is sent."""

    NORMAL = "normal"  # one association
    ABORTED = "aborted"  # half of it, then an A-ABORT, nothing more
    LATE = "late"  # the last slices on a second association, after the series was judged
    DUPLICATE = "duplicate"  # everything twice, on two associations


class Expect(StrEnum):
    """What the node should make of a sample."""

    DOCUMENTS = "documents"  # SR (and what goes with it) in the PACS, scored or not
    EXCLUDED = "excluded"  # recorded with the rule, no document
    ANY = "any"  # either: it depends on rules that a site may change


@dataclass(frozen=True, slots=True)
class Sample:
    """One series for the demo.

    name: short, unique. description: for a person. paths: in the order they are sent. expectation: in words.
    late: how many of the last paths come late. shown: what the line in the terminal calls it.
    """

    name: str
    description: str
    paths: tuple[Path, ...]
    send: Way = Way.NORMAL
    expectation: str = "accepted"
    expect: Expect = Expect.DOCUMENTS
    series_instance_uid: str = ""
    late: int = 0
    ae_title: str = "DEMOCT1"
