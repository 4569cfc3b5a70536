"""Settings: one typed tree, read from qagate.toml and the environment; unknown keys are refused.

Precedence: environment (`QAGATE__NODE__PORT=104`) over file over defaults. A value may stand in a file of its own:
`QAGATE__STORAGE__DATABASE_URL_FILE=/run/secrets/x` reads the secret from there. An entry of a list goes by its name:
`QAGATE__DESTINATIONS__PACS__TOKEN_FILE=/run/secrets/y`.
"""

from __future__ import annotations

from qagate.settings.audit import Audit
from qagate.settings.base import AeTitle, Fraction, Patience, Percent, Port, Seconds, Tree
from qagate.settings.completion import Completion
from qagate.settings.delivering import Destination, DestinationTls, Report
from qagate.settings.holding import Holding
from qagate.settings.judging import DEFAULT_POLICIES, Match, Model, Policy
from qagate.settings.node import Node, NodeTls, Peer
from qagate.settings.people import Ldap, Oidc, People
from qagate.settings.reading import ENVIRONMENT_PREFIX, load
from qagate.settings.review import Review
from qagate.settings.storage import Storage
from qagate.settings.tree import Settings
from qagate.settings.web import Logging, Web

__all__ = [
    "DEFAULT_POLICIES",
    "ENVIRONMENT_PREFIX",
    "AeTitle",
    "Audit",
    "Completion",
    "Destination",
    "DestinationTls",
    "Fraction",
    "Holding",
    "Ldap",
    "Logging",
    "Match",
    "Model",
    "Node",
    "NodeTls",
    "Oidc",
    "Patience",
    "Peer",
    "People",
    "Percent",
    "Policy",
    "Port",
    "Report",
    "Review",
    "Seconds",
    "Settings",
    "Storage",
    "Tree",
    "Web",
    "load",
]
