"""Settings of the people at the page: who may come in, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from qagate.settings.base import Hours, Minutes, Tree

RoleName = Literal["viewer", "reviewer", "physicist", "admin"]


class Oidc(Tree):
    """A directory that vouches for people (OpenID Connect); they need no password here."""

    issuer: Annotated[str, Field(pattern=r"^(https://|http://(127\.0\.0\.1|localhost)[:/]).+")] = Field(
        description="address of the provider, as it calls itself"
    )
    client_id: str = Field(min_length=1, description="what the provider calls this node")
    client_secret: SecretStr | None = Field(None, description="the node's secret there, when it has one")
    scopes: tuple[str, ...] = Field(("openid", "profile", "email"), description="what to ask for")
    name_claim: str = Field("preferred_username", description="claim that holds the name people have here")
    role_claim: str = Field("groups", description="claim that holds the groups of a person")
    roles: dict[str, RoleName] = Field(description="group → role; the highest counts; without any nobody comes in")
    label: str = Field("the directory", description="what the login page calls it")


class Ldap(Tree):
    """A directory whose passwords let people in (LDAP); needs the extra `ldap`. OpenID Connect is the better way."""

    url: Annotated[str, Field(pattern=r"^(ldaps://.+|ldap://.+)")] = Field(description="ldaps:// or ldap:// address")
    start_tls: bool = Field(True, description="with ldap://: encrypt before anything is said")
    ca_file: Path | None = Field(None, description="PEM file with the authorities to trust; the system's when absent")
    bind_dn: str | None = Field(None, description="who looks people up; nobody in particular when absent")
    bind_password: SecretStr | None = Field(None, description="the password of bind_dn")
    people: str = Field(min_length=1, description="below which entry people are found")
    find: Annotated[str, Field(pattern=r"^\(.*\{name\}.*\)$")] = Field(
        "(uid={name})", description="filter that finds the one who logs in; (sAMAccountName={name}) in Active Directory"
    )
    id_attribute: str = Field("entryUUID", description="what names a person for good; objectGUID in Active Directory")
    member_attribute: str = Field("memberOf", description="attribute of a person that holds their groups")
    groups: str = Field("", description="below which entry groups are looked up, when people do not hold them")
    roles: dict[str, RoleName] = Field(
        description="distinguished name of a group → role; the highest counts; without any nobody comes in"
    )

    @model_validator(mode="after")
    def _private(self) -> Ldap:
        here = urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")
        if self.url.startswith("ldaps://"):
            self.__dict__["start_tls"] = False
        elif not self.start_tls and not here:
            raise ValueError("passwords must not cross the network in the clear: use ldaps:// or start_tls = true")
        return self


class People(Tree):
    """The people at the page and programs at the API."""

    anonymous_role: RoleName | None = Field(
        None, description="role of everybody who has not logged in; nobody comes in without logging in when absent"
    )
    session_idle_minutes: Annotated[Minutes, Field(gt=0)] = Field(
        120, description="minutes without a click after which a person must log in again"
    )
    session_hours: Hours = Field(12, description="hours after which a person must log in again in any case")
    password_min_length: Annotated[int, Field(ge=8, le=128)] = Field(
        12, description="characters a password has at least"
    )
    oidc: Oidc | None = Field(None, description="a directory that vouches for people")
    ldap: Ldap | None = Field(None, description="a directory whose passwords let people in")
