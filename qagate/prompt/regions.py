"""Regions and organ: what part of the body the tags name, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from qagate.domain.prompt import Evidence
from qagate.domain.volume import Tags
from qagate.prompt import text
from qagate.prompt.match import shown
from qagate.prompt.rule import Source, Target, Veto, term
from qagate.prompt.rules import Rules

CODE_WEIGHT = 4.0
TERM_WEIGHT = 3.0
WORD_WEIGHT = 3.0
ONE_CHARACTER = 0.6  # a word of one Han or Hangul character is a weaker sign
NAMED_FROM = 1.0  # log-odds below which a region stays unknown: less than one tag's word
SHARED_FROM = 0.6  # a region with this share of the strongest one's weight is shown as well
PRIOR = -1.0  # log-odds of a region that one tag names before that tag is read
CONFLICT_FACTOR = 0.7
_OLD_SCHEMES = {"SNM3": "SRT", "99SDM": "SRT"}  # earlier names of the same codes. PS3.16 section 8


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What the tags say about the body. confidence 0..1; conflict: trusted tags contradict one another."""

    regions: tuple[str, ...]
    organ: str | None
    confidence: float
    conflict: bool
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class _Hit:
    """One tag's word for one target."""

    target: Target
    kind: str
    rule: str
    weight: float


def anatomy(tags: Tags, rules: Rules, modality: str | None) -> Anatomy:
    """Return regions, organ and confidence from all sources.

    Each tag counts once for each region, however often it names it, and a text that stands in several tags counts only
    in the most trusted one. A region is named when its weight reaches `NAMED_FROM`; all regions with at least
    `SHARED_FROM` of the strongest one's weight are named. Where trusted tags contradict one another, only those that
    go with the strongest one are.
    """
    regions: dict[str, float] = {}
    organs: dict[str, float] = {}
    chain: list[Evidence] = []
    named_by: list[tuple[Source, dict[str, float]]] = []
    seen: set[str] = set()
    for source in sorted(rules.sources, key=lambda s: -s.trust):
        said_regions: dict[str, tuple[float, str]] = {}
        said_organs: dict[str, tuple[float, str]] = {}
        for value in text.texts(tags, source.tag):
            spelled = text.normalise(value)
            if source.kind == "text" and spelled in seen:
                continue
            seen.add(spelled)
            for hit in _hits(value, source, rules):
                weight = round(hit.weight * source.trust, 3)
                if hit.kind == "organ":
                    _strongest(said_organs, (hit.target.name,), weight, hit.rule)
                _strongest(said_regions, hit.target.regions, weight, hit.rule)
        value = shown(tags, source.tag)
        for says, said, totals in (("region", said_regions, regions), ("organ", said_organs, organs)):
            for name, (weight, rule) in said.items():
                totals[name] = totals.get(name, 0.0) + weight
                chain.append(Evidence(source.tag, value, rule, f"{says}:{name}", weight))
        if said_regions:
            named_by.append((source, {name: weight for name, (weight, _) in said_regions.items()}))
    for item in rules.implausible:
        if item.modality == modality and item.region in regions:
            regions[item.region] += item.weight
            chain.append(Evidence("Modality", str(modality), item.id, f"region:{item.region}", item.weight))
    return _concluded(regions, organs, chain, named_by, rules)


def _concluded(
    regions: dict[str, float],
    organs: dict[str, float],
    chain: list[Evidence],
    named_by: list[tuple[Source, dict[str, float]]],
    rules: Rules,
) -> Anatomy:
    conflict = _contradict([(source, frozenset(said)) for source, said in named_by], rules)
    top = max(regions.values(), default=0.0)
    if top < NAMED_FROM:
        low = 0.0 if top <= 0 else min(0.3, _logistic(top + 2 * PRIOR))
        return Anatomy((), None, low, conflict, tuple(chain))
    order = [target.name for target in rules.regions]
    named = tuple(name for name in order if regions.get(name, 0.0) >= SHARED_FROM * top)
    believed = named
    if conflict:
        strongest = [name for name in named if regions[name] == top]
        said = [regions_said for _, regions_said in named_by]
        named = _going_with(strongest, named, said, rules)
        believed = _going_with(strongest[:1], named, said, rules)
    # a tag that names these and more does not speak against them; one that names only others does
    rest = sum(max(said.values()) for _, said in named_by if not said.keys() & set(believed))
    confidence = _logistic(top - rest + PRIOR) * (CONFLICT_FACTOR if conflict else 1.0)
    organ = _organ(named, organs, rules)
    whole = any(one.rule.startswith(f"region/{named[0]}/") for one in chain)  # and not only a part of it
    if organ is None and whole and len(named) == 1 and not _within(organs, named, rules):
        organ = rules.default_organs.get(named[0])
        if organ is not None:
            chain.append(Evidence("", "", "default_organs", f"organ:{organ}", 0.5))
    return Anatomy(named, organ, round(min(confidence, 0.99), 3), conflict, tuple(chain))


def _going_with(
    strongest: list[str], named: tuple[str, ...], said: list[dict[str, float]], rules: Rules
) -> tuple[str, ...]:
    """Return those of the named regions that are the strongest, lie beside one of them or are named by the same tag."""

    def goes(name: str, one: str) -> bool:
        return (
            name == one or frozenset((name, one)) in rules.neighbours or any({name, one} <= tag.keys() for tag in said)
        )

    return tuple(name for name in named if any(goes(name, one) for one in strongest))


def _organ(named: tuple[str, ...], organs: Mapping[str, float], rules: Rules) -> str | None:
    """Return the one organ that stands out within the named regions, None when several are named alike."""
    inside = sorted(((organs[name], name) for name in _within(organs, named, rules)), reverse=True)
    if not inside or inside[0][0] < NAMED_FROM:
        return None
    if len(inside) > 1 and inside[1][0] > SHARED_FROM * inside[0][0]:
        return None
    return inside[0][1]


def _within(organs: Iterable[str], named: tuple[str, ...], rules: Rules) -> list[str]:
    lies = {target.name: target.regions for target in rules.organs}
    return [name for name in organs if not lies[name] or set(lies[name]) & set(named)]


def _hits(value: str, source: Source, rules: Rules) -> list[_Hit]:
    if source.kind == "code":
        scheme, _, number = value.upper().replace(" ", "").partition(":")
        code = f"{_OLD_SCHEMES.get(scheme, scheme)}:{number}"
        return _found(rules, CODE_WEIGHT, "code", lambda target: code if code in target.codes else None)
    if source.kind == "term":
        spelled = term(value)
        hits = _found(rules, TERM_WEIGHT, "term", lambda target: spelled if spelled in target.terms else None)
        if hits:
            return hits
    words = text.spaced(value)
    return _found(rules, WORD_WEIGHT, "word", lambda target: _word(target, words, rules.vetoes))


def _found(rules: Rules, weight: float, how: str, look: Callable[[Target], str | None]) -> list[_Hit]:
    hits = []
    for kind, targets in (("region", rules.regions), ("group", rules.groups), ("organ", rules.organs)):
        for target in targets:
            found = look(target)
            if found is not None:
                weak = how == "word" and len(found) == 1 and text.is_glued(found)
                rule = f"{kind}/{target.name}/{how}:{found}"
                hits.append(_Hit(target, kind, rule, weight * (ONE_CHARACTER if weak else 1.0)))
    return hits


def _word(target: Target, words: str, vetoes: tuple[Veto, ...]) -> str | None:
    if target.words is None or not target.words.search(words):
        return None  # the common case, before any veto is tried
    for veto in vetoes:
        if not veto.drop or target.name in veto.drop:
            words = veto.words.sub("|", words)
    found = target.words.search(words)
    return found.group().strip() if found else None


def _strongest(said: dict[str, tuple[float, str]], names: Iterable[str], weight: float, rule: str) -> None:
    for name in names:
        if name not in said or said[name][0] < weight:
            said[name] = (weight, rule)


def _contradict(named_by: list[tuple[Source, frozenset[str]]], rules: Rules) -> bool:
    trusted = [names for source, names in named_by if source.trusted and "whole_body" not in names]
    return any(
        not first & second and not any(frozenset((a, b)) in rules.neighbours for a in first for b in second)
        for i, first in enumerate(trusted)
        for second in trusted[i + 1 :]
    )


def _logistic(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-log_odds))
