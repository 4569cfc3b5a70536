"""Logging in with the password of an LDAP directory: find the person, bind as them, read their groups.

The only file that knows ldap3, which is an extra. Source: RFC 4511, RFC 4513 section 5.1.2 (a bind without a password
proves nothing), RFC 4515 (filters).
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from qagate.errors import DirectoryError, SettingsError
from qagate.settings import Ldap
from qagate.store.people import LDAP
from qagate.web.vouching import Vouched, highest

PATIENCE_SECONDS = 5
GROUPS = "groups"


class LdapDirectory:
    """The directory that the settings name."""

    def __init__(self, settings: Ldap) -> None:
        """Raises SettingsError without ldap3."""
        self.settings = settings
        try:
            self._ldap: Any = import_module("ldap3")
            self._errors: Any = import_module("ldap3.core.exceptions")
            self._escaped = import_module("ldap3.utils.conv").escape_filter_chars
        except ImportError:
            raise SettingsError("people.ldap needs ldap3: pip install 'qagate[ldap]'; got no such package") from None

    def vouch(self, name: str, password: str) -> Vouched | None:
        """Return the person of this name when the password is theirs, else None.

        Raises DirectoryError when the directory cannot be asked, or gives the person no role here.
        """
        if not name or not password:
            return None
        try:
            with self._connection(self.settings.bind_dn, self._secret()) as asking:
                if not asking.bind():
                    raise DirectoryError("the directory refuses people.ldap.bind_dn; its password may have changed")
                found = self._find(asking, name)
                if found is None:
                    return None
                dn, entry = found
                with self._connection(dn, password) as person:
                    if not person.bind():
                        return None
                groups = [*entry[self.settings.member_attribute], *self._memberships(asking, dn)]
        except self._errors.LDAPException as error:
            raise DirectoryError(f"the directory cannot be asked now: {type(error).__name__}") from error
        roles = {group.casefold(): role for group, role in self.settings.roles.items()}
        role = highest([str(group).casefold() for group in groups], roles, where=GROUPS)
        subject = next(iter(entry[self.settings.id_attribute]), None)
        if not subject:
            raise DirectoryError(
                f"the directory does not say who this is for good, got no {self.settings.id_attribute}"
            )
        return Vouched(f"{LDAP}{subject}"[:255], name, role)

    def _secret(self) -> str | None:
        secret = self.settings.bind_password
        return None if secret is None else secret.get_secret_value()

    @contextmanager
    def _connection(self, dn: str | None, password: str | None) -> Iterator[Any]:
        """Yield a connection that is not bound yet."""
        wanted = self.settings
        tls = self._ldap.Tls(
            validate=ssl.CERT_REQUIRED, ca_certs_file=str(wanted.ca_file) if wanted.ca_file else None
        )  # fmt: skip
        server = self._ldap.Server(wanted.url, tls=tls, get_info=self._ldap.NONE, connect_timeout=PATIENCE_SECONDS)
        connection = self._ldap.Connection(
            server, user=dn, password=password, receive_timeout=PATIENCE_SECONDS, auto_referrals=False, read_only=True
        )
        try:
            if wanted.start_tls:
                connection.open()
                connection.start_tls()
            yield connection
        finally:
            connection.unbind()  # and closes it

    def _find(self, asking: Any, name: str) -> tuple[str, Any] | None:
        """Return distinguished name and attributes of the one person of this name."""
        wanted = self.settings
        asking.search(
            wanted.people, wanted.find.replace("{name}", self._escaped(name)), self._ldap.SUBTREE,
            attributes=[wanted.member_attribute, wanted.id_attribute], size_limit=2,
        )  # fmt: skip
        entries = [one for one in asking.response or () if one.get("type") == "searchResEntry"]
        return (entries[0]["dn"], _Listed(entries[0]["attributes"])) if len(entries) == 1 else None

    def _memberships(self, asking: Any, dn: str) -> list[str]:
        """Return the groups that name a person as their member, where the directory is asked so."""
        if not self.settings.groups:
            return []
        member = self._escaped(dn)
        asking.search(self.settings.groups, f"(|(member={member})(uniqueMember={member}))", self._ldap.SUBTREE)
        return [str(one["dn"]) for one in asking.response or () if one.get("type") == "searchResEntry"]


class _Listed(dict[str, Any]):
    """Attributes, each as a list; those that are absent are empty."""

    def __getitem__(self, key: str) -> list[Any]:
        value = self.get(key, [])
        return list(value) if isinstance(value, list) else [value]
