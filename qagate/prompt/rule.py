"""Rule: one piece of the table of what tags may say: sources, targets, vetoes, conditions, kernels."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A tag that tells the region. kind: code, term or text. trust: 0..1. trusted: may raise a conflict."""

    tag: str
    kind: str
    trust: float
    trusted: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A region or organ and all that speaks for it.

    name: word of the domain. regions: where it lies. codes: "SCHEME:VALUE". terms: defined terms of BodyPartExamined,
    letters and digits only. words: pattern over `text.spaced`.
    """

    name: str
    regions: tuple[str, ...]
    codes: frozenset[str]
    terms: frozenset[str]
    words: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Veto:
    """A phrase that is taken out of a text before words are looked for, because it would mislead.

    drop: the regions and organs it would mislead about; empty means all.
    """

    id: str
    words: re.Pattern[str]
    drop: frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """What one tag (or one of several) must hold; every part that is given must be true."""

    tags: tuple[str, ...]
    any: frozenset[str] = frozenset()
    all: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    but: re.Pattern[str] | None = None
    re: re.Pattern[str] | None = None
    gt: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of evidence: when all conditions hold, it speaks for `to` with `weight`."""

    id: str
    to: str
    weight: float
    when: tuple[Condition, ...]
    modality: str | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A vendor's reconstruction kernels. vendor: pattern over the manufacturer, None = any."""

    id: str
    vendor: re.Pattern[str] | None
    kernel: re.Pattern[str]
    to: str


@dataclass(frozen=True, slots=True)
class Implausible:
    """A region that a modality hardly ever shows: `weight` (negative) is added to it."""

    id: str
    modality: str
    region: str
    weight: float


def term(value: str) -> str:
    """Return a BodyPartExamined value as a defined term is compared: letters and digits only, capitals."""
    return re.sub(r"[^A-Z0-9]", "", value.upper())
