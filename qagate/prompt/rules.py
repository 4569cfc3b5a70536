"""Rules: the shipped, versioned table of what each tag may say, with a site's own file merged over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import yaml

from qagate.domain.finding import UNSCORABLE, FindingCode
from qagate.domain.prompt import KERNELS, ORGANS, REGIONS, SEQUENCES
from qagate.errors import SettingsError
from qagate.prompt import text

SHIPPED = Path(__file__).with_name("rules.yaml")
_T = TypeVar("_T")
NO_SEQUENCE = "none"
"""What a sequence rule speaks for when the images are of none of the known kinds (a field map, say)."""


@dataclass(frozen=True, slots=True)
class Source:
    """A tag that tells the region. kind: code, term or text. trust: 0..1. trusted: may raise a conflict."""

    tag: str
    kind: str
    trust: float
    trusted: bool


@dataclass(frozen=True, slots=True)
class Target:
    """A region or organ and all that speaks for it.

    name: word of the domain. regions: where it lies. codes: "SCHEME:VALUE". terms: defined terms of BodyPartExamined,
    letters and digits only. words: pattern over `text.spaced`.
    """

    name: str
    regions: tuple[str, ...]
    codes: frozenset[str]
    terms: frozenset[str]
    words: re.Pattern[str] | None


@dataclass(frozen=True, slots=True)
class Veto:
    """A phrase that is taken out of a text before words are looked for, because it would mislead.

    drop: the regions and organs it would mislead about; empty means all.
    """

    id: str
    words: re.Pattern[str]
    drop: frozenset[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """What one tag (or one of several) must hold; every part that is given must be true."""

    tags: tuple[str, ...]
    any: frozenset[str] = frozenset()
    all: frozenset[str] = frozenset()
    none: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    but: re.Pattern[str] | None = None
    re: re.Pattern[str] | None = None
    gt: float | None = None
    lt: float | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """One piece of evidence: when all conditions hold, it speaks for `to` with `weight`."""

    id: str
    to: str
    weight: float
    when: tuple[Condition, ...]
    modality: str | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Kernel:
    """A vendor's reconstruction kernels. vendor: pattern over the manufacturer, None = any."""

    id: str
    vendor: re.Pattern[str] | None
    kernel: re.Pattern[str]
    to: str


@dataclass(frozen=True, slots=True)
class Implausible:
    """A region that a modality hardly ever shows: `weight` (negative) is added to it."""

    id: str
    modality: str
    region: str
    weight: float


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
    base, site = _read(SHIPPED), _read(site_file)
    version = str(site.pop("version", "site"))
    merged = _merged(base, site, str(site_file), "")
    merged["version"] = f"{base['version']}+{version}"
    return _Reader(str(site_file)).rules(merged)


@cache
def _shipped() -> Rules:
    return _Reader(SHIPPED.name).rules(_read(SHIPPED))


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"there is no rules file at {path}; correct model.rules_file or remove it") from None
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise SettingsError(f"{path}: the file must hold a mapping, got {type(data).__name__}")
    return data


def _merged(base: Any, site: Any, file: str, key: str) -> Any:
    if isinstance(base, dict) and isinstance(site, dict):
        out = dict(base)
        for name, value in site.items():
            out[name] = _merged(base[name], value, file, f"{key}.{name}".lstrip(".")) if name in base else value
        return out
    if isinstance(base, list) and isinstance(site, list):
        if all(isinstance(item, dict) and "id" in item for item in base) and base:
            return _merged_rules(base, site, file, key)
        out_of_it = {str(item)[1:] for item in site if str(item).startswith("!")}
        unknown = out_of_it - {str(item) for item in base}
        if unknown:
            raise SettingsError(f"{file}: {key}: only a shipped word can be taken out, got '!{min(unknown)}'")
        return [i for i in base if str(i) not in out_of_it] + [i for i in site if not str(i).startswith("!")]
    if isinstance(base, (dict, list)) or isinstance(site, (dict, list)):
        raise SettingsError(f"{file}: {key}: must be a {type(base).__name__}, got {site!r}")
    return site


def _merged_rules(base: list[Any], site: list[Any], file: str, key: str) -> list[Any]:
    rules = {rule["id"]: rule for rule in base}
    new: list[Any] = []
    for position, rule in enumerate(site):
        if not isinstance(rule, dict) or not isinstance(rule.get("id"), str):
            raise SettingsError(f"{file}: {key}[{position}]: a rule needs an id, got {rule!r}")
        if rule.get("remove") is True:
            if rules.pop(rule["id"], None) is None:
                raise SettingsError(
                    f"{file}: {key}[{position}]: there is no shipped rule to remove, got {rule['id']!r}"
                )
        elif rule["id"] in rules:
            rules[rule["id"]] = rule
        else:
            new.append(rule)
    return [*new, *rules.values()]  # a site's own come first: for kernels, the first match decides


class _Reader:
    """Turns plain data into Rules and says exactly what is wrong with it."""

    def __init__(self, file: str) -> None:
        self._file = file

    def rules(self, data: dict[str, Any]) -> Rules:
        keys = tuple(Rules.__dataclass_fields__)
        self._keys(data, keys, keys, "")
        regions = self._targets(data["regions"], "regions", REGIONS, organs=False)
        return Rules(
            version=str(data["version"]),
            sources=tuple(self._source(tag, item) for tag, item in self._map(data["sources"], "sources").items()),
            regions=regions,
            organs=self._targets(data["organs"], "organs", ORGANS, organs=True),
            default_organs={
                self._one_of(k, REGIONS, "default_organs"): self._one_of(v, ORGANS, f"default_organs.{k}")
                for k, v in self._map(data["default_organs"], "default_organs").items()
            },
            groups=self._targets(data["groups"], "groups", None, organs=True),
            vetoes=self._each(data["vetoes"], "vetoes", self._veto),
            neighbours=frozenset(
                frozenset(self._one_of(name, REGIONS, f"neighbours[{i}]") for name in self._list(pair, "neighbours"))
                for i, pair in enumerate(self._list(data["neighbours"], "neighbours"))
            ),
            implausible=self._each(data["implausible"], "implausible", self._implausible),
            exclusions=self._rules(data, "exclusions", tuple(sorted(code.value for code in UNSCORABLE))),
            sequences=self._rules(data, "sequences", (*SEQUENCES, NO_SEQUENCE)),
            kernels=self._each(data["kernels"], "kernels", self._kernel),
            contrast=self._rules(data, "contrast", ("yes", "no")),
            planes=self._rules(data, "planes", ("axial", "coronal", "sagittal", "oblique")),
        )

    def _source(self, tag: str, item: Any) -> Source:
        key = f"sources.{tag}"
        self._keys(item, ("kind", "trust", "trusted"), ("kind", "trust"), key)
        trust = self._number(item["trust"], f"{key}.trust")
        if not 0 <= trust <= 1:
            self._fail(f"{key}.trust", "must lie between 0 and 1", trust)
        kind = self._one_of(item["kind"], ("code", "term", "text"), f"{key}.kind")
        return Source(tag, kind, trust, bool(item.get("trusted", True)))

    def _targets(self, data: Any, key: str, names: tuple[str, ...] | None, *, organs: bool) -> tuple[Target, ...]:
        out = []
        for name, item in self._map(data, key).items():
            here = f"{key}.{name}"
            if names is not None:
                self._one_of(name, names, key)
            allowed = ("codes", "terms", "words", *(("regions",) if organs else ()))
            self._keys(item, allowed, ("regions",) if organs else (), here)
            where = tuple(
                self._one_of(r, REGIONS, f"{here}.regions") for r in self._list(item.get("regions", []), here)
            )
            words = self._list(item.get("words", []), f"{here}.words")
            out.append(
                Target(
                    name=name,
                    regions=where if organs else (name,),
                    codes=frozenset(str(c).upper() for c in self._list(item.get("codes", []), f"{here}.codes")),
                    terms=frozenset(term(str(t)) for t in self._list(item.get("terms", []), f"{here}.terms")),
                    words=self._words(words, f"{here}.words"),
                )
            )
        return tuple(out)

    def _veto(self, item: Any, key: str) -> Veto:
        self._keys(item, ("id", "words", "drop"), ("id", "words"), key)
        names = self._list(item.get("drop", []), f"{key}.drop")
        drop = frozenset(self._one_of(name, (*REGIONS, *ORGANS), f"{key}.drop") for name in names)
        words = self._words(self._list(item["words"], f"{key}.words"), f"{key}.words")
        return Veto(str(item["id"]), words, drop) if words else self._fail(f"{key}.words", "must name a word", [])

    def _implausible(self, item: Any, key: str) -> Implausible:
        names = ("id", "modality", "region", "weight")
        self._keys(item, names, names, key)
        region = self._one_of(item["region"], REGIONS, f"{key}.region")
        return Implausible(
            str(item["id"]), str(item["modality"]), region, self._number(item["weight"], f"{key}.weight")
        )

    def _kernel(self, item: Any, key: str) -> Kernel:
        self._keys(item, ("id", "vendor", "kernel", "to"), ("id", "kernel", "to"), key)
        vendor = self._regex(item["vendor"], f"{key}.vendor") if "vendor" in item else None
        kernel = self._regex(item["kernel"], f"{key}.kernel")
        return Kernel(str(item["id"]), vendor, kernel, self._one_of(item["to"], KERNELS, f"{key}.to"))

    def _rules(self, data: dict[str, Any], key: str, targets: tuple[str, ...]) -> tuple[Rule, ...]:
        def rule(item: Any, here: str) -> Rule:
            self._keys(item, ("id", "to", "weight", "when", "modality", "says"), ("id", "to", "when"), here)
            when = tuple(
                self._condition(tag, c, f"{here}.when.{tag}") for tag, c in self._map(item["when"], here).items()
            )
            if not when:
                self._fail(f"{here}.when", "must name a tag", item["when"])
            weight = self._number(item.get("weight", 1), f"{here}.weight")
            to = self._one_of(item["to"], targets, f"{here}.to")
            modality = (
                None if "modality" not in item else self._one_of(item["modality"], ("CT", "MR"), f"{here}.modality")
            )
            return Rule(str(item["id"]), to, weight, when, modality, str(item.get("says", "")))

        return self._each(data[key], key, rule)

    def _condition(self, tags: str, item: Any, key: str) -> Condition:
        self._keys(item, ("any", "all", "none", "words", "but", "re", "gt", "lt"), (), key)
        if not item:
            self._fail(key, "must say any, all, none, words, re, gt or lt", item)

        def upper(name: str) -> frozenset[str]:
            return frozenset(str(v).upper() for v in self._list(item.get(name, []), f"{key}.{name}"))

        def words(name: str) -> re.Pattern[str] | None:
            return self._words(self._list(item.get(name, []), f"{key}.{name}"), f"{key}.{name}")

        return Condition(
            tags=tuple(tags.split()),
            any=upper("any"),
            all=upper("all"),
            none=upper("none"),
            words=words("words"),
            but=words("but"),
            re=self._regex(item["re"], f"{key}.re") if "re" in item else None,
            gt=self._number(item["gt"], f"{key}.gt") if "gt" in item else None,
            lt=self._number(item["lt"], f"{key}.lt") if "lt" in item else None,
        )

    def _each(self, data: Any, key: str, make: Callable[[Any, str], _T]) -> tuple[_T, ...]:
        made = []
        seen: set[str] = set()
        for position, item in enumerate(self._list(data, key)):
            name = item.get("id", position) if isinstance(item, dict) else position
            if str(name) in seen:
                self._fail(f"{key}[{name}]", "ids must differ", name)
            seen.add(str(name))
            made.append(make(item, f"{key}[{name}]"))
        return tuple(made)

    def _words(self, words: list[Any], key: str) -> re.Pattern[str] | None:
        for word in words:
            if isinstance(word, bool) or not isinstance(word, (str, int, float)):
                self._fail(key, "must be words; quote those that YAML takes for something else", word)
        try:
            return text.pattern(str(word) for word in words)
        except ValueError as error:
            raise SettingsError(f"{self._file}: {key}: {error}") from None

    def _regex(self, value: Any, key: str) -> re.Pattern[str]:
        try:
            return re.compile(str(value), re.IGNORECASE)
        except re.error as error:
            return self._fail(key, f"is not a regular expression ({error})", value)

    def _number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._fail(key, "must be a number", value)
        return float(value)

    def _map(self, value: Any, key: str) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            self._fail(key, "must be a mapping with names as keys", value)
        return dict(value)

    def _list(self, value: Any, key: str) -> list[Any]:
        if not isinstance(value, list):
            self._fail(key, "must be a list", value)
        return list(value)

    def _one_of(self, value: Any, allowed: tuple[str, ...], key: str) -> str:
        if value not in allowed:
            self._fail(key, f"must be one of {', '.join(allowed)}", value)
        return str(value)

    def _keys(self, item: Any, allowed: tuple[str, ...], needed: tuple[str, ...], key: str) -> None:
        names = self._map(item, key)
        for name in names:
            if name not in allowed:
                self._fail(f"{key}.{name}".lstrip("."), f"is not known; known here are {', '.join(allowed)}", name)
        for name in needed:
            if name not in names:
                self._fail(f"{key}.{name}".lstrip("."), "must be given", sorted(names))

    def _fail(self, key: str, sentence: str, got: object) -> NoReturn:
        raise SettingsError(f"{self._file}: {key or '(top level)'}: {sentence}, got {got!r}")


def term(value: str) -> str:
    """Return a BodyPartExamined value as a defined term is compared: letters and digits only, capitals."""
    return re.sub(r"[^A-Z0-9]", "", value.upper())


EXCLUSION_CODES = {code.value: code for code in FindingCode if code in UNSCORABLE}
