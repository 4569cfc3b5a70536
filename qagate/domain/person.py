"""A person or program at the page, and what each role may do. What is not granted is denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """Who somebody is to qagate; each may do what the one before may, and more."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    PHYSICIST = "physicist"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a route or command asks for."""

    READ = "read"  # worklist, series, trends
    DECIDE = "decide"  # agree, disagree, reject, release one series
    TUNE = "tune"  # thresholds, alert budget, annotations, acknowledging alerts
    ADMINISTER = "administer"  # people, tokens, audit page, releasing everything
    SEND = "send"  # images by STOW-RS; only for programs that an administrator gave a token


_STEPS = (
    (Role.VIEWER, frozenset({Permission.READ})),
    (Role.REVIEWER, frozenset({Permission.DECIDE})),
    (Role.PHYSICIST, frozenset({Permission.TUNE})),
    (Role.ADMIN, frozenset({Permission.ADMINISTER, Permission.SEND})),
)

GRANTS: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        role: frozenset[Permission]().union(*(more for _, more in _STEPS[: step + 1]))
        for step, (role, _) in enumerate(_STEPS)
    }
)
"""What each role may do."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who asked for a page. name: unique, as in the audit trail; `person/token` when a program asks.

    scopes: what a token is limited to; None: no limit but the role's.
    """

    name: str
    role: Role
    scopes: frozenset[Permission] | None = None

    def may(self, permission: Permission) -> bool:
        """Whether this is granted."""
        return permission in GRANTS[self.role] and (self.scopes is None or permission in self.scopes)
