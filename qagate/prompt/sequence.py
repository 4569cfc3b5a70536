"""Sequence: which kind of MR images these are, from what the scanner did first, then from words."""

from __future__ import annotations

from qagate.domain.prompt import Evidence
from qagate.domain.volume import Tags, TagValue
from qagate.prompt import text
from qagate.prompt.match import evidence, fires
from qagate.prompt.rules import NO_SEQUENCE, Rules

NAMED_FROM = 2.0  # one hard fact, or one word and a fact
MARGIN = 0.5  # how much more the first must weigh than the second

_ENHANCED = (  # Enhanced MR says in several attributes what ScanningSequence says in one. PS3.3 C.8.13.4
    ("EchoPulseSequence", "SPIN", "SE"),
    ("EchoPulseSequence", "GRADIENT", "GR"),
    ("EchoPulseSequence", "BOTH", "SE"),
    ("EchoPulseSequence", "BOTH", "GR"),
    ("InversionRecovery", "YES", "IR"),
    ("EchoPlanarPulseSequence", "YES", "EP"),
)
# Enhanced MR says in an attribute of its own that it shows magnitude, classic MR in Image Type; VELOCITY in the latter
# is then the purpose, of magnitude images too. PS3.3 C.8.13.3.1
_FRAME_TYPES = ("ImageType", "FrameType", "MRImageFrameTypeSequence", "ComplexImageComponent")


def sequence(tags: Tags, rules: Rules) -> tuple[str | None, tuple[Evidence, ...]]:
    """Return (word of domain.prompt.SEQUENCES or None, evidence).

    The weights of all rules that fire add up. Nothing is named below `NAMED_FROM` or without a `MARGIN` to the second.
    """
    facts = with_family(tags)
    total: dict[str, float] = {}
    chain = []
    for rule in rules.sequences:
        found = fires(rule, facts, "MR")
        if found and rule.weight:
            total[rule.to] = total.get(rule.to, 0.0) + rule.weight
            chain.append(evidence(rule, found, f"sequence:{rule.to}", rule.weight))
    ranked = sorted(((weight, name) for name, weight in total.items()), reverse=True)
    if not ranked or ranked[0][0] < NAMED_FROM or ranked[0][1] == NO_SEQUENCE:
        return None, tuple(chain)
    if len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN:
        return None, tuple(chain)
    return ranked[0][1], tuple(chain)


def with_family(tags: Tags) -> dict[str, TagValue]:
    """Return tags with FAMILY beside them: SE, GR, IR, EP and RM, whichever attributes say it; times in one place."""
    family = {value.upper() for value in text.texts(tags, "ScanningSequence")}
    for tag, value, name in _ENHANCED:
        if value in {said.upper() for said in text.texts(tags, tag)}:
            family.add(name)
    facts = dict(tags)
    if family:
        facts["FAMILY"] = tuple(sorted(family))
    for enhanced, classic in (("EffectiveEchoTime", "EchoTime"), ("InversionTimes", "InversionTime")):
        if classic not in facts and enhanced in facts:
            facts[classic] = facts[enhanced]
    if text.number(facts, "InversionTime") == 0:  # GE writes 0 for "none"
        del facts["InversionTime"]
    types = [value for tag in _FRAME_TYPES for value in text.texts(tags, tag)]
    if types:
        facts["ImageType"] = tuple(types)
    return facts
