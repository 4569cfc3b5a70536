"""Each role may do what the one before may, and one thing more."""

from __future__ import annotations

import pytest

from qagate.domain.person import Permission, Person, Role


@pytest.mark.parametrize(
    ("role", "granted"),
    [
        (Role.VIEWER, {Permission.READ}),
        (Role.REVIEWER, {Permission.READ, Permission.DECIDE}),
        (Role.PHYSICIST, {Permission.READ, Permission.DECIDE, Permission.TUNE}),
        (Role.ADMIN, set(Permission)),
    ],
)
def test_role_grants(role: Role, granted: set[Permission]) -> None:
    assert {permission for permission in Permission if Person("ada", role).may(permission)} == granted
