"""Settings of the people at the page: who may come in, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from qagate.settings.base import Tree

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


class People(Tree):
    """The people at the page and programs at the API."""

    anonymous_role: RoleName | None = Field(
        None, description="role of everybody who has not logged in; nobody comes in without logging in when absent"
    )
    session_idle_minutes: Annotated[float, Field(gt=0)] = Field(
        120, description="minutes without a click after which a person must log in again"
    )
    session_hours: Annotated[float, Field(gt=0)] = Field(
        12, description="hours after which a person must log in again in any case"
    )
    password_min_length: Annotated[int, Field(ge=8, le=128)] = Field(
        12, description="characters a password has at least"
    )
    oidc: Oidc | None = Field(None, description="a directory that vouches for people")
