"""Settings of the audit messages to a syslog server."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from qagate.settings.base import Patience, Port, Tree
from qagate.settings.delivering import DestinationTls


class Audit(Tree):
    """Audit messages (PS3.15 A.5) to a syslog server; the trail in the database is kept in any case."""

    syslog: Literal["off", "udp", "tcp", "tls"] = Field("off", description="how they are sent; tls is PS3.15 A.6")
    host: str | None = Field(None, description="address of the audit record repository")
    port: Port | None = Field(None, description="its port; 6514 with tls, else 514 when absent")
    enterprise_site_id: str = Field("", max_length=64, description="name of the site in the messages")
    patient_ids: bool = Field(
        True, description="name the patient by Patient ID, as the standard wants; the repository must be fit for it"
    )
    timeout_seconds: Patience = Field(5, description="patience with the server")
    tls: DestinationTls | None = Field(None, description="TLS as for destinations")

    @model_validator(mode="after")
    def _complete(self) -> Audit:
        if self.syslog != "off" and not self.host:
            raise ValueError("syslog also needs host")
        return self

    @property
    def server_port(self) -> int:
        """The port to send to."""
        return self.port or (6514 if self.syslog == "tls" else 514)
