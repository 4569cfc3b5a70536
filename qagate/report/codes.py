"""Codes: the vocabulary of the reports, read from codes.yaml and checked before anything uses it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import yaml

from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.finding import FindingCode, Severity
from qagate.domain.prompt import ORGANS, REGIONS
from qagate.domain.verdict import Outcome
from qagate.errors import ReportError

SCHEMA = "qagate.codes/1"
PRIVATE_DESIGNATOR = "99QAGATE"
MAX_VALUE = 16  # SH: a longer value would have to go to Long Code Value, which old readers miss
MAX_MEANING = 64  # LO


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept. Source: PS3.3 8.8; `scheme` is the Coding Scheme Designator."""

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Term:
    """What an artefact or a finding is called in a report, and the CID 7011 reason it gives for a note."""

    code: Code
    reason: Code


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verdict is called. quality: CID 7036. assessment: CID 6044. Both None when there is no score."""

    code: Code
    quality: Code | None
    assessment: Code | None


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """All codes of the reports. Look up artefacts and findings through the methods, which know the modality."""

    version: str
    private_name: str
    organisation: str
    concepts: Mapping[str, Code]
    procedures: Mapping[str, Code]
    severities: Mapping[str, Code]
    outcomes: Mapping[str, Answer]
    reasons: Mapping[str, Code]
    regions: Mapping[str, Code]
    organs: Mapping[str, Code]
    terms: Mapping[tuple[str, str], Term]  # (attribute or finding, modality or "")
    measurements: Mapping[str, Code]
    units: Mapping[str, str]

    def term(self, name: str, modality: str | None) -> Term:
        """Return the term of an attribute or finding; one that is not in the vocabulary gets a private code."""
        found = self.terms.get((name, modality or "")) or self.terms.get((name, ""))
        return found or Term(_private(name), self.reasons["other"])

    def measurement(self, name: str) -> Code:
        """Return the code of a physical measurement; one that is not in the vocabulary gets a private code."""
        return self.measurements.get(name) or _private(name)

    def unit(self, ucum: str) -> Code:
        """Return a UCUM unit as a code."""
        return Code("UCUM", ucum[:MAX_VALUE], self.units.get(ucum, ucum)[:MAX_MEANING])

    def procedure(self, modality: str | None) -> Code:
        """Return the procedure reported for a modality. PS3.16 CID 100."""
        return self.procedures.get(modality or "", self.procedures["default"])


@cache
def load() -> Vocabulary:
    """Return the vocabulary that ships with the package."""
    return parse(files("qagate.report").joinpath("codes.yaml").read_text(encoding="utf-8"))


def parse(text: str) -> Vocabulary:
    """Return the vocabulary in a YAML text. Raises ReportError with every fault it has, one a line."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ReportError(f"codes.yaml is not valid YAML: {error}") from None
    faults: list[str] = []
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        raise ReportError(f"codes.yaml must have schema {SCHEMA}, got {type(data).__name__}")

    def code(where: str, raw: Any) -> Code:
        fault = _fault(raw)
        if fault:
            faults.append(f"{where}: {fault}, got {raw!r}")
            return Code("", "", "")
        return Code(*raw)

    def table(section: str) -> dict[str, Code]:
        return {str(name): code(f"{section}.{name}", raw) for name, raw in data.get(section, {}).items()}

    reasons = table("ko_reasons")
    terms: dict[tuple[str, str], Term] = {}
    for section in ("attributes", "findings"):
        for name, row in data.get(section, {}).items():
            for modality, own in {"": {}, **row.get("by_modality", {})}.items():
                where = f"{section}.{name}" + (f" for {modality}" if modality else "")
                reason = own.get("ko", row.get("ko"))
                if reason not in reasons:
                    faults.append(f"{where}: ko must be one of {', '.join(reasons)}, got {reason!r}")
                    continue
                terms[name, modality] = Term(code(where, own.get("code", row.get("code"))), reasons[reason])
    outcomes = {}
    for name, row in data.get("outcomes", {}).items():
        where = f"outcomes.{name}"
        optional = {key: code(f"{where}.{key}", row[key]) if key in row else None for key in ("quality", "assessment")}
        outcomes[name] = Answer(code(where, row.get("code")), **optional)
    vocabulary = Vocabulary(
        version=str(data.get("version", "")),
        private_name=data.get("private", {}).get("name", ""),
        organisation=data.get("private", {}).get("organisation", ""),
        concepts=MappingProxyType(table("concepts")),
        procedures=MappingProxyType(table("procedures")),
        severities=MappingProxyType(table("severities")),
        outcomes=MappingProxyType(outcomes),
        reasons=MappingProxyType(reasons),
        regions=MappingProxyType(table("regions")),
        organs=MappingProxyType(table("organs")),
        terms=MappingProxyType(terms),
        measurements=MappingProxyType(table("measurements")),
        units=MappingProxyType({str(u): str(m) for u, m in data.get("units", {}).items()}),
    )
    faults += _gaps(vocabulary)
    if faults:
        raise ReportError("codes.yaml:\n" + "\n".join(faults))
    return vocabulary


def _fault(raw: Any) -> str | None:
    if not isinstance(raw, list) or len(raw) != 3 or not all(isinstance(part, str) and part for part in raw):
        return "a code is [scheme, value, meaning], all of them text"
    scheme, value, meaning = raw
    if len(value) > MAX_VALUE or len(meaning) > MAX_MEANING or len(scheme) > MAX_VALUE:
        return f"scheme and value have at most {MAX_VALUE} characters, the meaning {MAX_MEANING}"
    if scheme.startswith("99") and scheme != PRIVATE_DESIGNATOR:
        return f"the only private scheme is {PRIVATE_DESIGNATOR}"
    return None


def _gaps(vocabulary: Vocabulary) -> list[str]:
    """Return what the domain knows and the vocabulary does not."""
    named = {name for name, modality in vocabulary.terms if not modality}
    wanted: tuple[tuple[str, set[str], set[str]], ...] = (
        ("attributes", set(ATTRIBUTES), named),
        ("findings", {str(code) for code in FindingCode}, named),
        ("severities", {str(severity) for severity in Severity}, set(vocabulary.severities)),
        ("outcomes", {str(outcome) for outcome in Outcome}, set(vocabulary.outcomes)),
        ("regions", set(REGIONS), set(vocabulary.regions)),
        ("organs", set(ORGANS), set(vocabulary.organs)),
    )
    return [
        f"{section}: no code for {', '.join(sorted(words - known))}"
        for section, words, known in wanted
        if not words <= known
    ]


def _private(name: str) -> Code:
    """Return a private code for a name: itself in capitals, with a digest at its end where it is too long."""
    value = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper()) or "UNNAMED"
    if len(value) > MAX_VALUE:
        value = value[:11] + "_" + hashlib.sha256(name.encode()).hexdigest()[:4].upper()
    words = name.replace("_", " ").strip() or "unnamed"
    return Code(PRIVATE_DESIGNATOR, value, (words[0].upper() + words[1:])[:MAX_MEANING])
