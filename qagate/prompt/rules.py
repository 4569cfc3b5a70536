"""Rules: the shipped, versioned table of what each tag may say, with a site's own file merged over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from qagate.domain.finding import UNSCORABLE, FindingCode
from qagate.domain.prompt import ORGANS, REGIONS, SEQUENCES
from qagate.prompt.reader import Reader
from qagate.prompt.rule import Implausible, Kernel, Rule, Source, Target, Veto
from qagate.prompt.site import merged, read_mapping

SHIPPED = Path(__file__).with_name("rules.yaml")
NO_SEQUENCE = "none"
"""What a sequence rule speaks for when the images are of none of the known kinds (a field map, say)."""
EXCLUSION_CODES = {code.value: code for code in FindingCode if code in UNSCORABLE}


@dataclass(frozen=True, slots=True)
class Rules:
    """Everything `infer` goes by."""

    version: str
    sources: tuple[Source, ...]
    regions: tuple[Target, ...]
    organs: tuple[Target, ...]
    default_organs: Mapping[str, str]
    groups: tuple[Target, ...]
    vetoes: tuple[Veto, ...]
    neighbours: frozenset[frozenset[str]]
    implausible: tuple[Implausible, ...]
    exclusions: tuple[Rule, ...]
    sequences: tuple[Rule, ...]
    kernels: tuple[Kernel, ...]
    contrast: tuple[Rule, ...]
    planes: tuple[Rule, ...]


def load_rules(site_file: Path | None = None) -> Rules:
    """Return the shipped rules, with a site's file merged over them.

    Mappings merge key by key; lists of words are added to, and "!word" takes a shipped word out; rules with an id
    replace the shipped rule of that id, and `remove: true` takes it out. Raises SettingsError with file, key and what
    was got, for unknown keys, wrong types and patterns that do not compile.
    """
    if site_file is None:
        return _shipped()
    base, site = read_mapping(SHIPPED), read_mapping(site_file)
    version = str(site.pop("version", "site"))
    whole = merged(base, site, str(site_file))
    whole["version"] = f"{base['version']}+{version}"
    return _rules(Reader(str(site_file)), whole)


@cache
def _shipped() -> Rules:
    return _rules(Reader(SHIPPED.name), read_mapping(SHIPPED))


def _rules(reader: Reader, data: dict[str, Any]) -> Rules:
    keys = tuple(Rules.__dataclass_fields__)
    reader.keys(data, keys, keys, "")
    regions = reader.targets(data["regions"], "regions", REGIONS, organs=False)
    return Rules(
        version=str(data["version"]),
        sources=tuple(reader.source(tag, item) for tag, item in reader.mapping(data["sources"], "sources").items()),
        regions=regions,
        organs=reader.targets(data["organs"], "organs", ORGANS, organs=True),
        default_organs={
            reader.one_of(k, REGIONS, "default_organs"): reader.one_of(v, ORGANS, f"default_organs.{k}")
            for k, v in reader.mapping(data["default_organs"], "default_organs").items()
        },
        groups=reader.targets(data["groups"], "groups", None, organs=True),
        vetoes=reader.each(data["vetoes"], "vetoes", reader.veto),
        neighbours=frozenset(
            frozenset(reader.one_of(name, REGIONS, f"neighbours[{i}]") for name in reader.items(pair, "neighbours"))
            for i, pair in enumerate(reader.items(data["neighbours"], "neighbours"))
        ),
        implausible=reader.each(data["implausible"], "implausible", reader.implausible),
        exclusions=reader.rules(data, "exclusions", tuple(sorted(code.value for code in UNSCORABLE))),
        sequences=reader.rules(data, "sequences", (*SEQUENCES, NO_SEQUENCE)),
        kernels=reader.each(data["kernels"], "kernels", reader.kernel),
        contrast=reader.rules(data, "contrast", ("yes", "no")),
        planes=reader.rules(data, "planes", ("axial", "coronal", "sagittal", "oblique")),
    )
