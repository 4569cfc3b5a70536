"""The whole tree of settings."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from qagate.settings.alerting import Alerts
from qagate.settings.audit import Audit
from qagate.settings.base import Tree
from qagate.settings.completion import Completion
from qagate.settings.delivering import Destination, Report
from qagate.settings.holding import Holding
from qagate.settings.judging import DEFAULT_POLICIES, Model, Policy
from qagate.settings.node import Node
from qagate.settings.people import People
from qagate.settings.review import Review
from qagate.settings.storage import Storage
from qagate.settings.web import Logging, Web


class Settings(Tree):
    """The whole tree."""

    node: Node = Field(default_factory=Node)
    storage: Storage = Field(default_factory=Storage)
    completion: Completion = Field(default_factory=Completion)
    model: Model = Field(default_factory=Model)
    destinations: tuple[Destination, ...] = Field((), description="peers we deliver to")
    policies: tuple[Policy, ...] = Field(DEFAULT_POLICIES, description="thresholds and actions, first match decides")
    holding: Holding = Field(default_factory=Holding)
    web: Web = Field(default_factory=Web)
    alerts: Alerts = Field(default_factory=Alerts)
    people: People = Field(default_factory=People)
    review: Review = Field(default_factory=Review)
    report: Report = Field(default_factory=Report)
    logging: Logging = Field(default_factory=Logging)
    audit: Audit = Field(default_factory=Audit)

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

    @property
    def labelled_dir(self) -> Path:
        """Where volumes that people judged are kept for fine-tuning."""
        return self.storage.data_dir.absolute() / "labelled"
