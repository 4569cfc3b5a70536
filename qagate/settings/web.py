"""Settings of the pages and of the log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from qagate.settings.base import Port, Tree


class Web(Tree):
    """The pages and the API."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(8080, description="port to listen on")
    public_url: str | None = Field(None, description="address people use; stands in SR, SC and messages")
    store_unknown: bool = Field(True, description="whether an archive that asks may store what qagate knows nothing of")
    volumes_mb: Annotated[int, Field(ge=0)] = Field(2048, description="disk for volumes that people looked at")
    stow: bool = Field(False, description="take objects by STOW-RS too, at /dicom-web/studies")
    receiver: Annotated[str, Field(pattern=r"^.+:\d{1,5}$")] | None = Field(
        None, description="host:port of the receiver that the room page watches; this node's own when absent"
    )


class Logging(Tree):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least serious line that is shown")
    json_lines: bool = Field(False, description="one JSON object per line, for collectors")
