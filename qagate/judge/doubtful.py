"""Doubtful: what of a site's policies can never have an effect, as a word that is misspelt."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from qagate.domain.assessment import ATTRIBUTES
from qagate.domain.finding import FindingCode
from qagate.domain.prompt import MODALITIES, ORGANS, REGIONS, SEQUENCES
from qagate.settings import Policy

WORDS = {"modality": MODALITIES, "region": REGIONS, "organ": ORGANS, "sequence": SEQUENCES}
"""Key of a match → the words that a series can have there."""


def doubtful(policies: Sequence[Policy]) -> tuple[str, ...]:
    """Return a sentence for everything in the policies that never counts, in their order."""
    return tuple(f"{policy.name}: {words}" for policy in policies for words in _of(policy))


def _of(policy: Policy) -> Iterator[str]:
    for key, wanted in policy.match:
        if wanted is not None and not wanted:
            yield f"match.{key} is an empty list, which no series matches"
    for key, known in WORDS.items():
        yield from _unknown(f"match.{key}", getattr(policy.match, key) or (), {word.casefold() for word in known})
    yield from _unknown("attributes", policy.attributes, ATTRIBUTES)
    yield from _unknown("findings", policy.findings, {str(code) for code in FindingCode})
    if policy.reject_below > policy.review_below:
        yield f"reject_below {policy.reject_below:g} does nothing above review_below {policy.review_below:g}"


def _unknown(where: str, found: Iterable[str], known: Collection[str]) -> Iterator[str]:
    for word in found:
        name = word.strip().casefold() if where.startswith("match.") else word
        if name not in known:
            yield f"{where} knows no {word!r}"
