"""Settings: one typed tree, read from qagate.toml and the environment; unknown keys are refused.

Precedence: environment (`QAGATE__NODE__PORT=104`) over file over defaults. A value may stand in a file of its own:
`QAGATE__WEB__ADMIN_PASSWORD_FILE=/run/secrets/x` reads the secret from there.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from qagate.errors import SettingsError

ENVIRONMENT_PREFIX = "QAGATE__"

_TLS_FILES = ("certificate_file", "key_file", "ca_file")

AeTitle = Annotated[str, Field(min_length=1, max_length=16, pattern=r"^[ -\[\]-~]+$")]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Percent = Annotated[float, Field(ge=0, le=100)]


class _Tree(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Peer(_Tree):
    """A system that may send to qagate."""

    ae_title: AeTitle = Field(description="calling AE title of the peer")
    host: str | None = Field(None, description="address the peer must come from; any when absent")


class NodeTls(_Tree):
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


class DestinationTls(_Tree):
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


class Node(_Tree):
    """The DICOM side: who we are and who may talk to us."""

    ae_title: AeTitle = Field("QAGATE", description="our AE title")
    host: str = Field("0.0.0.0", description="address to listen on")
    port: Port = Field(11112, description="port to listen on")
    peers: tuple[Peer, ...] = Field((), description="systems that may send")
    accept_unknown_peers: bool = Field(False, description="take objects from any calling AE title")
    check_called_ae_title: bool = Field(True, description="refuse associations that call us by another name")
    max_pdu_bytes: Annotated[int, Field(ge=0)] = Field(131072, description="largest PDU we take; 0 = no limit")
    max_associations: Annotated[int, Field(ge=1)] = Field(50, description="associations at one time")
    max_connections_per_host: Annotated[int, Field(ge=1)] = Field(
        100, description="connections of one host at one time, silent ones included"
    )
    max_connections: Annotated[int, Field(ge=1)] = Field(
        400, description="connections at one time, silent ones included"
    )
    acse_timeout_seconds: Seconds = Field(10, description="patience with a peer that connects and says nothing")
    dimse_timeout_seconds: Seconds = Field(60, description="patience inside one message")
    network_timeout_seconds: Seconds = Field(60, description="patience between two messages")
    receivers: Annotated[int, Field(ge=1, le=64)] = Field(1, description="receiver processes on the one port")
    station_name: str = Field("QAGATE1", max_length=16, description="name of this node in its reports")
    tls: NodeTls | None = Field(None, description="TLS on the node's port")


class Storage(_Tree):
    """Where things lie on disk."""

    data_dir: Path = Field(Path("qagate-data"), description="folder for spool, outbox, pictures and SQLite files")
    database_url: str | None = Field(None, description="SQLAlchemy URL; SQLite under data_dir when absent")
    reserve_mb: Annotated[int, Field(ge=0)] = Field(1024, description="free disk below which objects are refused")
    keep_days: Annotated[float, Field(ge=0)] = Field(7, description="days the spool keeps what was delivered")
    max_object_mb: Annotated[int, Field(ge=1)] = Field(4096, description="largest object we take and decode")
    max_volume_mb: Annotated[int, Field(ge=1)] = Field(8192, description="largest volume we rebuild")


class Completion(_Tree):
    """When a series counts as complete."""

    quiet_seconds: Seconds = Field(10, description="quiet time after the association that carried it closed")
    open_quiet_seconds: Seconds = Field(30, description="quiet time while an association is still open")


class Model(_Tree):
    """The network."""

    folder: Path | None = Field(None, description="model folder; the shipped one when absent")
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    threads: Annotated[int, Field(ge=0)] = Field(0, description="CPU threads for the network; 0 = torch decides")
    rules_file: Path | None = Field(None, description="site rules merged over the shipped prompt rules")


class Destination(_Tree):
    """A peer we deliver to."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] = Field(
        description="our name for it"
    )
    kind: Literal["dimse", "stow"] = Field("dimse", description="C-STORE or STOW-RS")
    ae_title: AeTitle | None = Field(None, description="called AE title (dimse)")
    host: str | None = Field(None, description="address (dimse)")
    port: Port | None = Field(None, description="port (dimse)")
    url: str | None = Field(None, description="DICOMweb root (stow)")
    token: str | None = Field(None, description="bearer token (stow); better from the environment or a file")
    documents: tuple[Literal["SR", "SC", "KO"], ...] = Field(("SR", "SC", "KO"), description="what is sent there")
    commitment: bool = Field(False, description="ask for storage commitment after sending")
    timeout_seconds: Seconds = Field(30, description="patience with the peer")
    max_attempts: Annotated[int, Field(ge=1)] = Field(12, description="tries before a delivery is parked")
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
        if self.kind == "stow" and self.tls is not None and not str(self.url).startswith("https:"):
            raise ValueError(f"destination {self.name!r} with tls needs a url that begins with https:")
        return self


class Match(_Tree):
    """Which series a policy is for; an absent key matches all, a list matches any of its words.

    ae_title and protocol are matched with `*` and `?` as in file names, case ignored.
    """

    modality: tuple[str, ...] | None = None
    region: tuple[str, ...] | None = None
    organ: tuple[str, ...] | None = None
    sequence: tuple[str, ...] | None = None
    ae_title: tuple[str, ...] | None = None
    protocol: tuple[str, ...] | None = None


class Policy(_Tree):
    """A site's thresholds and actions for a kind of series; the first policy that matches decides."""

    name: str = Field(description="name shown with every verdict")
    match: Match = Field(default_factory=Match, description="which series it is for")
    action: Literal["shadow", "advise"] = Field(
        "advise", description="shadow: only the database and the page know; advise: documents go to the destinations"
    )
    review_below: Percent = Field(50, description="score below which a person should look")
    reject_below: Percent = Field(0, description="score below which the verdict is reject; 0 = never")
    attributes: dict[str, Fraction] = Field(default_factory=dict, description="artefact severities above which to look")
    findings: tuple[str, ...] = Field(
        ("missing_slices", "unreadable_slice", "incomplete_series", "conflicting_copy"),
        description="findings for which a person should look, unless mild",
    )


class Web(_Tree):
    """The pages and the API."""

    host: str = Field("127.0.0.1", description="address to listen on")
    port: Port = Field(8080, description="port to listen on")
    public_url: str | None = Field(None, description="address people use; stands in SR, SC and messages")
    volumes_mb: Annotated[int, Field(ge=0)] = Field(2048, description="disk for volumes that people looked at")
    receiver: Annotated[str, Field(pattern=r"^.+:\d{1,5}$")] | None = Field(
        None, description="host:port of the receiver that the room page watches; this node's own when absent"
    )


class Report(_Tree):
    """What stands in the documents we write."""

    series_number: Annotated[int, Field(ge=1)] = Field(9901, description="number of the SR series; SC and KO follow")
    language: Literal["en"] = Field("en", description="language of the documents")
    secondary_capture: bool = Field(True, description="write the one-page picture beside the SR")
    key_object: bool = Field(True, description="write a Quality Issue note for flagged series")


class Logging(_Tree):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least serious line that is shown")
    json_lines: bool = Field(False, description="one JSON object per line, for collectors")


DEFAULT_POLICIES = (Policy(name="default", attributes={"motion": 0.7, "metal": 0.9}),)


class Settings(_Tree):
    """The whole tree."""

    node: Node = Field(default_factory=Node)
    storage: Storage = Field(default_factory=Storage)
    completion: Completion = Field(default_factory=Completion)
    model: Model = Field(default_factory=Model)
    destinations: tuple[Destination, ...] = Field((), description="peers we deliver to")
    policies: tuple[Policy, ...] = Field(DEFAULT_POLICIES, description="thresholds and actions, first match decides")
    web: Web = Field(default_factory=Web)
    report: Report = Field(default_factory=Report)
    logging: Logging = Field(default_factory=Logging)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        names = [d.name for d in self.destinations]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise ValueError(f"destination names must differ, got {', '.join(twice)} twice")
        return self

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the database."""
        return self.storage.database_url or f"sqlite:///{self.storage.data_dir.absolute() / 'qagate.db'}"

    @property
    def spool_dir(self) -> Path:
        """Where received objects lie."""
        return self.storage.data_dir.absolute() / "spool"

    @property
    def outbox_dir(self) -> Path:
        """Where documents wait for delivery."""
        return self.storage.data_dir.absolute() / "outbox"

    @property
    def previews_dir(self) -> Path:
        """Where the pictures of slices lie."""
        return self.storage.data_dir.absolute() / "previews"

    @property
    def volumes_dir(self) -> Path:
        """Where volumes that people looked at are kept for a while; all of it can be made again."""
        return self.storage.data_dir.absolute() / "volumes"


def load(path: Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Read settings from a TOML file (optional) and the environment.

    Relative paths in the file are relative to the file. Raises SettingsError with one line per fault, naming the key.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise SettingsError(f"no settings file at {path}; `qagate init` writes one") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path} is not valid TOML: {error}") from None
        except OSError as error:
            raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
        _anchor(data, path.absolute().parent)
    for name, value in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            _overlay(data, name, value)
    try:
        return Settings.model_validate(data)
    except ValidationError as error:
        where = str(path) if path else "settings"
        lines = [f"{where}: {_key(e['loc'])}: {_sentence(e)}" for e in error.errors()]
        raise SettingsError("\n".join(lines)) from None


def _anchor(data: dict[str, Any], base: Path) -> None:
    trees = [(data.get("storage"), ("data_dir",)), (data.get("model"), ("folder", "rules_file"))]
    destinations = data.get("destinations")
    holders = [data.get("node"), *(destinations if isinstance(destinations, list) else [])]
    trees += [(holder.get("tls"), _TLS_FILES) for holder in holders if isinstance(holder, dict)]
    for tree, keys in trees:
        for key in keys:
            if isinstance(tree, dict) and isinstance(tree.get(key), str):
                tree[key] = str(base / tree[key])


def _overlay(data: dict[str, Any], name: str, value: str) -> None:
    keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    if keys[-1].endswith("_file") and keys[-1] not in ("rules_file", *_TLS_FILES):
        keys[-1] = keys[-1].removesuffix("_file")
        try:
            value = Path(value).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise SettingsError(f"{name}: {value} cannot be read: {error.strerror}") from None
    tree = data
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
        if not isinstance(tree, dict):
            raise SettingsError(f"{name}: {key} is not a section that can be set from the environment")
    tree[keys[-1]] = _parsed(value)


def _parsed(value: str) -> Any:
    try:
        return tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value


def _key(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "(top level)"


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting; `qagate init --print` shows all of them"
    if error["type"] == "missing":
        return "this must be set"
    return f"{error['msg']}, got {error['input']!r}"
