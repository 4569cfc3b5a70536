"""Decide: an assessment and a site's policies in, a verdict with reasons out."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

from qagate.domain.assessment import Assessment
from qagate.domain.finding import Finding, Severity
from qagate.domain.limit import SiteLimit, covering
from qagate.domain.prompt import Prompt
from qagate.domain.verdict import Action, Outcome, Verdict
from qagate.judge.extent import bad_range
from qagate.judge.words import (
    ATTRIBUTE_WORDS,
    FINDING_WORDS,
    LOWEST_AT,
    LOWEST_WITHIN,
    NO_REASON,
    SCORE_BELOW,
    Phrase,
)
from qagate.settings import DEFAULT_POLICIES, Match, Policy

FALLBACK = DEFAULT_POLICIES[0].model_copy(update={"name": "built-in"})
"""What decides when no policy of the site matches."""

EXPLAINS_FROM = 0.45  # moderate: an artefact from here on is named as a reason for a low score
MOST_CAUSES = 3  # reasons beyond the limits' own are only named up to this many

_COUNTS = {Severity.MODERATE: 0.6, Severity.SEVERE: 0.9}  # weight of a finding beside artefacts in 0..1


def decide(
    assessment: Assessment,
    policies: Sequence[Policy],
    *,
    calling_ae_title: str = "",
    protocol: str = "",
    site_limits: Sequence[SiteLimit] = (),
) -> Verdict:
    """Return the verdict of the first policy that matches. Pure: no clock, no database.

    A site limit for the modality and protocol stands over that policy's review_below and changes nothing else of it.

    Without a score, or with any finding that means "do not score", the outcome is UNSCORED and the reasons are the
    findings' sentences. REJECT needs reject_below > 0 and a score below it. REVIEW is given for a score below
    review_below, an artefact above its limit, or a finding on the policy's list that is moderate or severe. Reasons
    name causes first, the weightiest first, and the score last.
    """
    policy = select(assessment.prompt, policies, calling_ae_title=calling_ae_title, protocol=protocol)
    policy = limited(policy, covering(site_limits, assessment.prompt.modality or "", protocol))
    action, version = Action(policy.action), fingerprint(policy)
    score = assessment.score
    blocking = assessment.unscored_because or tuple(f for f in assessment.prompt.exclusions if f.unscorable)
    if blocking or score is None or not math.isfinite(score):
        return Verdict(Outcome.UNSCORED, _unscored(assessment, blocking), policy.name, action, policy_version=version)
    limits = tuple(sorted(policy.attributes.items()))
    limit = _limit(score, policy)
    flags = [_finding_reason(finding) for finding in _listed(assessment, policy)]
    over = {name for name, limit_ in limits if assessment.attributes.get(name, 0.0) > limit_}
    if limit is None and not flags and not over:
        return Verdict(Outcome.ACCEPT, (), policy.name, action, policy.review_below, limits, version)
    reasons = _reasons(assessment, policy, flags, over, limit)
    outcome = Outcome.REJECT if policy.reject_below > 0 and score < policy.reject_below else Outcome.REVIEW
    return Verdict(outcome, reasons, policy.name, action, policy.review_below, limits, version)


def select(prompt: Prompt, policies: Sequence[Policy], *, calling_ae_title: str = "", protocol: str = "") -> Policy:
    """Return the first policy that matches, the built-in one when none does."""
    return next((p for p in policies if _matches(p.match, prompt, calling_ae_title, protocol)), FALLBACK)


def limited(policy: Policy, limit: SiteLimit | None) -> Policy:
    """Return the policy under a site's own limit; its name tells of it."""
    if limit is None:
        return policy
    name = f"{policy.name}, limit {limit.id}"
    return policy.model_copy(update={"name": name, "review_below": limit.review_below})


def fingerprint(policy: Policy) -> str:
    """Return eight hex digits that change whenever anything of a policy does."""
    text = json.dumps(policy.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _matches(match: Match, prompt: Prompt, calling_ae_title: str, protocol: str) -> bool:
    words = (
        (match.modality, (prompt.modality,)),
        (match.region, prompt.regions),
        (match.organ, (prompt.organ,)),
        (match.sequence, (prompt.sequence,)),
    )
    for wanted, have in words:
        if wanted is not None and not {w.strip().casefold() for w in wanted} & {h.casefold() for h in have if h}:
            return False
    patterns = ((match.ae_title, calling_ae_title), (match.protocol, protocol))
    return all(
        wanted is None or any(fnmatchcase(text.strip().casefold(), w.strip().casefold()) for w in wanted)
        for wanted, text in patterns
    )


def _unscored(assessment: Assessment, blocking: Sequence[Finding]) -> tuple[str, ...]:
    told = [f for f in assessment.findings if f.severity in _COUNTS]
    reasons = [_sentence(finding) for finding in (blocking or told)]
    return tuple(dict.fromkeys(reasons)) or (NO_REASON,)


def _limit(score: float, policy: Policy) -> float | None:
    """Return the limit that the score is below, the lower of the two when it is below both."""
    if policy.reject_below > 0 and score < policy.reject_below:
        return policy.reject_below
    return policy.review_below if score < policy.review_below else None


def _listed(assessment: Assessment, policy: Policy) -> list[Finding]:
    names = {name.casefold() for name in policy.findings}
    return [f for f in assessment.findings if f.code.value in names and f.severity in _COUNTS]


def _reasons(
    assessment: Assessment, policy: Policy, flags: list[tuple[float, str]], over: set[str], limit: float | None
) -> tuple[str, ...]:
    named = dict(sorted(assessment.attributes.items(), key=lambda item: (-item[1], item[0])))
    causes = [name for name, value in named.items() if limit is not None and value >= EXPLAINS_FROM]
    told = [name for name in named if name in over or name in causes[:MOST_CAUSES]]
    part = bad_range([s.score for s in assessment.slices], policy.review_below)
    weighed = list(flags)
    for name in told:
        phrase = ATTRIBUTE_WORDS.get(name) or Phrase(name.replace("_", " ").capitalize())
        sentence, local = _attribute_sentence(phrase, assessment, part)
        if local:
            part = None  # one part of the stack is blamed on one artefact, the weightiest
        weighed.append((named[name], sentence))
    reasons = [sentence for _, sentence in sorted(weighed, key=lambda item: -item[0])]
    if limit is not None and assessment.score is not None:
        if part is not None and not told:
            reasons.append(_where(LOWEST_WITHIN, LOWEST_AT, part))
        reasons.append(SCORE_BELOW.format(score=_below(assessment.score, limit), limit=f"{limit:g}"))
    return tuple(dict.fromkeys(reasons))


def _attribute_sentence(phrase: Phrase, assessment: Assessment, part: tuple[int, int] | None) -> tuple[str, bool]:
    """Return (sentence, whether it names a part of the stack): measured in units before a part, before the whole."""
    values = {m.name: m.value for m in assessment.physics if math.isfinite(m.value)}
    for name, sentence in phrase.measured:
        if name in values:
            return sentence.format(value=values[name]), False
    if part is not None and phrase.within is not None and phrase.at is not None:
        return _where(phrase.within, phrase.at, part), True
    return phrase.whole, False


def _where(within: str, at: str, part: tuple[int, int]) -> str:
    first, last = part
    return at.format(slice=first) if first == last else within.format(first=first, last=last)


def _below(score: float, limit: float) -> str:
    """Return a score that reads as below the limit: whole, with a tenth where it is shown as the limit elsewhere."""
    return f"{math.floor(10 * score) / 10:g}" if round(score) >= limit else f"{score:.0f}"


def _finding_reason(finding: Finding) -> tuple[float, str]:
    return _COUNTS[finding.severity], _sentence(finding)


def _sentence(finding: Finding) -> str:
    return finding.detail.strip().rstrip(".") or FINDING_WORDS[finding.code]
