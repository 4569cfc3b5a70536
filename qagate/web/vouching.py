"""Whom a directory vouches for, whichever way it is asked, and the role that its groups give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from qagate.domain.person import Role
from qagate.errors import DirectoryError


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom the directory vouches for. subject: what it calls them for good; name may change."""

    subject: str
    name: str
    role: Role


def highest(groups: Iterable[object], roles: Mapping[str, str], *, where: str) -> Role:
    """Return the highest role that the groups of a person give. Raises DirectoryError when none does."""
    found = [Role(roles[group]) for group in groups if isinstance(group, str) and group in roles]
    if not found:
        raise DirectoryError(f"the directory gives you no role here: none of your {where} has one")
    return max(found, key=list(Role).index)
