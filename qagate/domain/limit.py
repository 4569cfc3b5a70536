"""Limit: a score that a site set for one protocol, over what its settings say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SiteLimit:
    """A person's limit: series of this modality and protocol are flagged below this score.

    id: number of the decision that set it. protocol as in ProtocolName, case ignored. review_below: 0-100.
    """

    id: int
    modality: str
    protocol: str
    review_below: float

    def covers(self, modality: str, protocol: str) -> bool:
        """Whether it is about such a series."""
        return _plain(self.modality) == _plain(modality) and _plain(self.protocol) == _plain(protocol)


def covering(limits: Sequence[SiteLimit], modality: str, protocol: str) -> SiteLimit | None:
    """Return the limit for such a series; None when the settings' own applies. Series without protocol have none."""
    return next((one for one in limits if protocol.strip() and one.covers(modality, protocol)), None)


def _plain(text: str) -> str:
    return text.strip().casefold()
