"""Settings of the DICOM side: who we are and who may talk to us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from qagate.settings.base import AeTitle, Patience, Port, Tree
from qagate.settings.delivering import DestinationTls


class Peer(Tree):
    """A system that may send to qagate."""

    ae_title: AeTitle = Field(description="calling AE title of the peer")
    host: str | None = Field(None, description="address the peer must come from; any when absent")
    port: Port | None = Field(
        None, description="port on which it takes the results of storage commitments that it asks for"
    )
    tls: DestinationTls | None = Field(
        None,
        description="TLS on that port, as {ca_file = ..., certificate_file, key_file, server_name, check_name, "
        "minimum_version}; results go in the clear when absent",
    )


class NodeTls(Tree):
    """TLS on the node's port; plain connections are then refused."""

    certificate_file: Path = Field(description="PEM file with our certificate and what is between it and its root")
    key_file: Path = Field(description="PEM file with its key, not encrypted; readable by qagate alone")
    ca_file: Path | None = Field(None, description="PEM file with the authorities whose peers we trust")
    require_client_certificate: bool | None = Field(
        None, description="refuse peers without a certificate; true when ca_file is set"
    )
    minimum_version: Literal["1.2", "1.3"] = Field("1.2", description="oldest TLS version we speak")

    @model_validator(mode="after")
    def _can_check(self) -> NodeTls:
        if self.require_client_certificate and self.ca_file is None:
            raise ValueError("require_client_certificate also needs ca_file")
        return self

    @property
    def asks_for_certificate(self) -> bool:
        """Whether a peer must show a certificate."""
        if self.require_client_certificate is None:
            return self.ca_file is not None
        return self.require_client_certificate


class Node(Tree):
    """The DICOM side: who we are and who may talk to us."""

    ae_title: AeTitle = Field("QAGATE", description="our AE title")
    host: str = Field("0.0.0.0", description="address to listen on")
    port: Port = Field(11112, description="port to listen on")
    peers: tuple[Peer, ...] = Field((), description="systems that may send")
    accept_unknown_peers: bool = Field(False, description="take objects from any calling AE title")
    check_called_ae_title: bool = Field(True, description="refuse associations that call us by another name")
    max_pdu_bytes: Annotated[int, Field(ge=0)] = Field(131072, description="largest PDU we take; 0 = no limit")
    max_associations: Annotated[int, Field(ge=1)] = Field(50, description="associations at one time")
    max_associations_per_minute: Annotated[int, Field(ge=0)] = Field(
        3000, description="associations of one peer (AE title and host) in a minute; 0 = no limit"
    )
    max_connections_per_host: Annotated[int, Field(ge=1)] = Field(
        100, description="connections of one host at one time, silent ones included"
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        400, description="connections at one time, silent ones included"
    )
    acse_timeout_seconds: Patience = Field(10, description="patience with a peer that connects and says nothing")
    dimse_timeout_seconds: Patience = Field(60, description="patience inside one message")
    network_timeout_seconds: Patience = Field(60, description="patience between two messages")
    receivers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="receiver processes on the one port")
    station_name: str = Field("QAGATE1", max_length=16, description="name of this node in its reports")
    tls: NodeTls | None = Field(None, description="TLS on the node's port")
