"""Match: whether a rule's conditions hold for the tags, and which tag made it hold."""

from __future__ import annotations

from qagate.domain.prompt import Evidence
from qagate.domain.volume import Tags
from qagate.prompt import text
from qagate.prompt.rule import Condition, Rule

_PRIVATE = frozenset({"PatientName", "PatientID", "PatientComments"})  # read for "phantom", never shown


def fires(rule: Rule, tags: Tags, modality: str | None) -> tuple[str, str] | None:
    """Return (tag, value) of the first condition when all of a rule's conditions hold, else None."""
    if rule.modality is not None and rule.modality != modality:
        return None
    first: tuple[str, str] | None = None
    for condition in rule.when:
        hit = next((tag for tag in condition.tags if _holds(condition, tags, tag)), None)
        if hit is None:
            return None
        first = first or (hit, shown(tags, hit))
    return first


def evidence(rule: Rule, found: tuple[str, str], says: str, weight: float) -> Evidence:
    """Return what a rule that fired adds to the chain of evidence."""
    tag, value = found
    return Evidence(tag, value, rule.id, says, weight)


def shown(tags: Tags, tag: str) -> str:
    """Return a tag's value for people, without patient data, at most 80 characters."""
    if tag in _PRIVATE:
        return "(not shown)"
    value = "\\".join(text.texts(tags, tag))
    return value if len(value) <= 80 else value[:79] + "…"


def _holds(condition: Condition, tags: Tags, tag: str) -> bool:
    values = text.texts(tags, tag)
    if not values:
        return False
    upper = {value.upper() for value in values}
    if condition.any and not condition.any & upper:
        return False
    if not condition.all <= upper or condition.none & upper:
        return False
    if condition.gt is not None or condition.lt is not None:
        low = -float("inf") if condition.gt is None else condition.gt
        high = float("inf") if condition.lt is None else condition.lt
        if not any(low < number < high for number in text.numbers(tags, tag)):
            return False
    if condition.words is not None:
        words = text.spaced(" ".join(values))
        if condition.but is not None:
            words = condition.but.sub(" ", words)
        if not condition.words.search(words):
            return False
    return condition.re is None or condition.re.search(text.symbols(" ".join(values))) is not None
