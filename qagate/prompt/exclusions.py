"""Modality and exclusions: whether this is a CT or MR scan at all, and one that can be scored."""

from __future__ import annotations

from qagate.domain.finding import Finding, FindingCode, Severity
from qagate.domain.prompt import MODALITIES, Evidence
from qagate.domain.volume import Tags
from qagate.prompt import text
from qagate.prompt.match import evidence, fires, shown
from qagate.prompt.rules import EXCLUSION_CODES, Rules
from qagate.prompt.sequence import with_family

_CLASSES = {  # PS3.4 B.5: storage SOP classes whose objects are of one modality
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "CT",
    "1.2.840.10008.5.1.4.1.1.4": "MR",
    "1.2.840.10008.5.1.4.1.1.4.1": "MR",
    "1.2.840.10008.5.1.4.1.1.4.3": "MR",
    "1.2.840.10008.5.1.4.1.1.4.4": "MR",
}


def modality(tags: Tags) -> tuple[str | None, bool, tuple[Evidence, ...]]:
    """Return (CT, MR or None, whether modality and SOP class contradict one another, evidence)."""
    stated = next(iter(text.texts(tags, "Modality")), "").upper()
    by_class = _CLASSES.get(next(iter(text.texts(tags, "SOPClassUID")), ""))
    chain = []
    if stated in MODALITIES:
        chain.append(Evidence("Modality", stated, "modality", f"modality:{stated}", 4.0))
    if by_class is not None:
        chain.append(Evidence("SOPClassUID", shown(tags, "SOPClassUID"), "sop-class", f"modality:{by_class}", 3.0))
    if stated:
        return (stated if stated in MODALITIES else None), by_class not in (None, stated), tuple(chain)
    return by_class, False, tuple(chain)


def exclusions(tags: Tags, rules: Rules, found: str | None) -> tuple[tuple[Finding, ...], tuple[Evidence, ...]]:
    """Return the findings that mean "do not score" (each code once, modality first) and their evidence.

    A series that states neither modality nor SOP class (a NIfTI file, say) is not excluded for that.
    """
    findings: dict[FindingCode, Finding] = {}
    chain: list[Evidence] = []
    if found is None:
        tag = next((tag for tag in ("Modality", "SOPClassUID") if text.texts(tags, tag)), None)
        if tag is not None:
            value = shown(tags, tag)
            code = FindingCode.NOT_CT_OR_MR
            what = f"Modality {value}" if tag == "Modality" else f"SOP class {value}"
            findings[code] = Finding(code, Severity.SEVERE, f"{what}: only CT and MR are scored.")
            chain.append(Evidence(tag, value, "not-ct-or-mr", f"exclude:{code}", 4.0))
    facts = with_family(tags)
    own = dict(facts)
    if found == "CT" and text.texts(tags, "SeriesDescription"):
        own.pop("ProtocolName", None)  # there it is the protocol of the whole examination: "PE SmartPrep"
    for rule in rules.exclusions:
        hit = fires(rule, facts if rule.to == "phantom" else own, found)
        if hit is None:
            continue
        code = EXCLUSION_CODES[rule.to]
        chain.append(evidence(rule, hit, f"exclude:{code}", rule.weight))
        tag, value = hit
        findings.setdefault(code, Finding(code, Severity.SEVERE, f"{rule.says.rstrip('.')} ({tag} {value})."))
    return tuple(findings.values()), tuple(chain)
