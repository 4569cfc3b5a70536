"""The commented settings file, made from the settings themselves so that the two cannot differ."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from qagate.settings import Destination, DestinationTls, Ldap, Match, NodeTls, Oidc, Peer, Policy, Settings

HEAD = """\
# qagate settings. Every key is shown with its default; take the # away to change it. Unknown keys are refused.
# Each key can also come from the environment: QAGATE__NODE__PORT=104; secrets from a file: QAGATE__X__Y_FILE=/path;
# keys of a destination by its name: QAGATE__DESTINATIONS__PACS__TOKEN_FILE=/path.
"""

TABLES: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "peers": (Peer, {"ae_title": "CT1", "host": "10.0.0.21"}),
    "destinations": (Destination, {"name": "PACS", "ae_title": "PACS", "host": "10.0.0.5", "port": 104}),
    "policies": (
        Policy,
        {"name": "ct-abdomen", "match": {"modality": ["CT"], "region": ["abdomen"]}, "review_below": 55,
         "attributes": {"noise": 0.6, "motion": 0.5}},
    ),
}  # fmt: skip
"""Lists of tables and an example entry for each."""

OPTIONAL: dict[str, tuple[type[BaseModel], dict[str, Any]]] = {
    "node.tls": (NodeTls, {"certificate_file": "qagate.crt", "key_file": "qagate.key", "ca_file": "hospital-ca.crt"}),
    "audit.tls": (DestinationTls, {"ca_file": "hospital-ca.crt"}),
    "people.oidc": (
        Oidc,
        {"issuer": "https://login.hospital.example", "client_id": "qagate", "roles": {"radiology": "reviewer"}},
    ),
    "people.ldap": (
        Ldap,
        {
            "url": "ldaps://ldap.hospital.example",
            "people": "ou=people,dc=hospital,dc=example",
            "roles": {"cn=radiology,ou=groups,dc=hospital,dc=example": "reviewer"},
        },
    ),
}
"""Tables that may be absent as a whole, and an example of each."""


def settings_template() -> str:
    """Return the text of a settings file that loads as it stands and means the defaults."""
    lines = [HEAD]
    later = []
    for name, field in Settings.model_fields.items():
        if name in TABLES:
            later += ["", *_example(name, name)]
            continue
        section = field.annotation
        assert isinstance(section, type)
        assert issubclass(section, BaseModel)
        lines += [f"# {(section.__doc__ or '').splitlines()[0]}", f"[{name}]"]
        for key, entry in section.model_fields.items():
            if key in TABLES or f"{name}.{key}" in OPTIONAL:
                later += ["", *_example(key, f"{name}.{key}")]
                continue
            lines.append(f"# {entry.description}")
            lines.append(f"# {key} = {_toml(_shown(entry))}")
        lines.append("")
    return "\n".join([*lines[:-1], *later]) + "\n"


def _example(key: str, path: str) -> list[str]:
    repeated = key in TABLES
    model, example = TABLES[key] if repeated else OPTIONAL[path]
    lines = [f"# {(model.__doc__ or '').splitlines()[0]}{' Repeat the block for each.' if repeated else ''}"]
    for name, entry in model.model_fields.items():
        default = "" if entry.is_required() else f" (default {_toml(_shown(entry))})"
        lines.append(f"#   {name}: {entry.description or (Match.__doc__ or '').splitlines()[0]}{default}")
    lines.append(f"# [[{path}]]" if repeated else f"# [{path}]")
    lines += [f"# {name} = {_toml(value)}" for name, value in example.items()]
    return lines


def _shown(field: FieldInfo) -> Any:
    return field.get_default(call_default_factory=True, validated_data={})


def _toml(value: Any) -> str:
    if value is None:
        return '""  # not set'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Path):
        return json.dumps(str(value))
    if isinstance(value, BaseModel):
        value = value.model_dump(exclude_none=True)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_bare(k)} = {_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _bare(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key, ensure_ascii=False)
