"""Settings of what is written and where it goes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_serializer, model_validator

from qagate.settings.base import AeTitle, Patience, Port, Tree


class DestinationTls(Tree):
    """TLS towards a destination."""

    ca_file: Path | None = Field(None, description="PEM file with the authorities to trust; the system's when absent")
    certificate_file: Path | None = Field(None, description="PEM file with our certificate, for peers that ask for one")
    key_file: Path | None = Field(None, description="PEM file with its key, not encrypted")
    server_name: str | None = Field(None, description="name in the peer's certificate; its host when absent")
    check_name: bool = Field(True, description="refuse a certificate that is for another name")
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="oldest TLS version we speak")

    @model_validator(mode="after")
    def _complete(self) -> DestinationTls:
        if (self.certificate_file is None) is not (self.key_file is None):
            raise ValueError("certificate_file and key_file belong together")
        return self


class Destination(Tree):
    """A peer we deliver to."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        description="our name for it"
    )
    kind: Literal["dimse", "stow"] = Field("dimse", description="C-STORE or STOW-RS")
    ae_title: AeTitle | None = Field(None, description="called AE title (dimse)")
    host: str | None = Field(None, description="address (dimse)")
    port: Port | None = Field(None, description="port (dimse)")
    url: str | None = Field(None, description="DICOMweb root (stow)")
    token: str | None = Field(
        None, description="bearer token (stow); better from a file: QAGATE__DESTINATIONS__NAME__TOKEN_FILE"
    )
    documents: tuple[Literal["SR", "SC", "KO"], ...] = Field(("SR", "SC", "KO"), description="what is sent there")
    originals: bool = Field(False, description="forward the received images there, untouched (inline topology)")
    commitment: bool = Field(False, description="ask for storage commitment after sending")
    sent_is_kept: bool = Field(
        False, description="where it has no storage commitment: take its Success for a promise to keep originals"
    )
    rejection_notes: bool = Field(
        False, description="send a rejection note (113001) when a person rejects a series; some archives then delete it"
    )
    withdrawal_notes: bool = Field(
        False, description="send a note titled Rejection Withdrawn (131360) when a rejected series is released"
    )
    counts: bool = Field(False, description="ask it how many images a series has before judging (C-FIND or QIDO-RS)")
    retrieve: Literal["no", "c-move", "c-get", "wado-rs"] = Field(
        "no", description="fetch from it images that are missing; c-move needs us among its peers, and it among ours"
    )
    reconcile: bool = Field(False, description="compare with it once a day what it has and what we have")
    timeout_seconds: Patience = Field(30, description="patience with the peer")
    max_attempts: Annotated[int, Field(ge=1)] = Field(
        12, description="tries of a document at growing waits, 5 at least; afterwards it is tried once an hour"
    )
    tls: DestinationTls | None = Field(
        None,
        description="TLS as {ca_file = ..., certificate_file, key_file, server_name, check_name, minimum_version}",
    )

    @model_validator(mode="after")
    def _complete(self) -> Destination:
        needed = ("ae_title", "host", "port") if self.kind == "dimse" else ("url",)
        missing = [name for name in needed if getattr(self, name) is None]
        if missing:
            raise ValueError(f"destination {self.name!r} of kind {self.kind} also needs {', '.join(missing)}")
        by = {"c-move": "dimse", "c-get": "dimse", "wado-rs": "stow"}.get(self.retrieve, self.kind)
        if by != self.kind:
            raise ValueError(f"destination {self.name!r} of kind {self.kind} cannot retrieve by {self.retrieve}")
        if self.kind == "stow" and self.tls is not None and not str(self.url).startswith("https:"):
            raise ValueError(f"destination {self.name!r} with tls needs a url that begins with https:")
        if self.kind == "stow" and self.originals:
            raise ValueError(f"destination {self.name!r} with originals must be of kind dimse")
        return self

    @property
    def address(self) -> str:
        """Where it is, for people: without the name and password that may stand in a URL."""
        return _without_login(self.url) or f"{self.ae_title} at {self.host}:{self.port}"

    @field_serializer("url", when_used="json")
    def _without_password(self, url: str | None) -> str | None:
        return _without_login(url)


def _without_login(url: str | None) -> str | None:
    return url and re.sub(r"//[^/?#]*@", "//", url)


class Report(Tree):
    """What stands in the documents we write."""

    series_number: Annotated[int, Field(ge=1)] = Field(9901, description="number of the SR series; SC and KO follow")
    language: Literal["en"] = Field("en", description="language of the documents")
    secondary_capture: bool = Field(True, description="write the one-page picture beside the SR")
    key_object: bool = Field(True, description="write a Quality Issue note for flagged series")
