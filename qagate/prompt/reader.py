"""Reader: plain data of a rules file → rules, with every mistake named by file, key and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from qagate.domain.prompt import KERNELS, ORGANS, REGIONS
from qagate.errors import SettingsError
from qagate.prompt import text
from qagate.prompt.rule import Condition, Implausible, Kernel, Rule, Source, Target, Veto, term

_T = TypeVar("_T")


class Reader:
    """Turns plain data into rules and says exactly what is wrong with it. key: where the data lies in the file."""

    def __init__(self, file: str) -> None:
        self._file = file

    def source(self, tag: str, item: Any) -> Source:
        """Return the source of one tag."""
        key = f"sources.{tag}"
        self.keys(item, ("kind", "trust", "trusted"), ("kind", "trust"), key)
        trust = self._number(item["trust"], f"{key}.trust")
        if not 0 <= trust <= 1:
            self._fail(f"{key}.trust", "must lie between 0 and 1", trust)
        kind = self.one_of(item["kind"], ("code", "term", "text"), f"{key}.kind")
        return Source(tag, kind, trust, bool(item.get("trusted", True)))

    def targets(self, data: Any, key: str, names: tuple[str, ...] | None, *, organs: bool) -> tuple[Target, ...]:
        """Return regions, organs or groups. names: the only ones there are, None for any."""
        out = []
        for name, item in self.mapping(data, key).items():
            here = f"{key}.{name}"
            if names is not None:
                self.one_of(name, names, key)
            allowed = ("codes", "terms", "words", *(("regions",) if organs else ()))
            self.keys(item, allowed, ("regions",) if organs else (), here)
            where = tuple(self.one_of(r, REGIONS, f"{here}.regions") for r in self.items(item.get("regions", []), here))
            words = self.items(item.get("words", []), f"{here}.words")
            out.append(
                Target(
                    name=name,
                    regions=where if organs else (name,),
                    codes=frozenset(
                        self._code(c, f"{here}.codes") for c in self.items(item.get("codes", []), f"{here}.codes")
                    ),
                    terms=frozenset(term(str(t)) for t in self.items(item.get("terms", []), f"{here}.terms")),
                    words=self._words(words, f"{here}.words"),
                )
            )
        return tuple(out)

    def veto(self, item: Any, key: str) -> Veto:
        """Return one veto."""
        self.keys(item, ("id", "words", "drop"), ("id", "words"), key)
        names = self.items(item.get("drop", []), f"{key}.drop")
        drop = frozenset(self.one_of(name, (*REGIONS, *ORGANS), f"{key}.drop") for name in names)
        words = self._words(self.items(item["words"], f"{key}.words"), f"{key}.words")
        return Veto(str(item["id"]), words, drop) if words else self._fail(f"{key}.words", "must name a word", [])

    def implausible(self, item: Any, key: str) -> Implausible:
        """Return what a modality hardly shows."""
        names = ("id", "modality", "region", "weight")
        self.keys(item, names, names, key)
        region = self.one_of(item["region"], REGIONS, f"{key}.region")
        return Implausible(
            str(item["id"]), str(item["modality"]), region, self._number(item["weight"], f"{key}.weight")
        )

    def kernel(self, item: Any, key: str) -> Kernel:
        """Return one kernel rule."""
        self.keys(item, ("id", "vendor", "kernel", "to"), ("id", "kernel", "to"), key)
        vendor = self._regex(item["vendor"], f"{key}.vendor") if "vendor" in item else None
        kernel = self._regex(item["kernel"], f"{key}.kernel")
        return Kernel(str(item["id"]), vendor, kernel, self.one_of(item["to"], KERNELS, f"{key}.to"))

    def rules(self, data: dict[str, Any], key: str, targets: tuple[str, ...]) -> tuple[Rule, ...]:
        """Return the rules of one part; targets: what they may speak for."""

        def rule(item: Any, here: str) -> Rule:
            self.keys(item, ("id", "to", "weight", "when", "modality", "says"), ("id", "to", "when"), here)
            when = tuple(
                self._condition(tag, c, f"{here}.when.{tag}") for tag, c in self.mapping(item["when"], here).items()
            )
            if not when:
                self._fail(f"{here}.when", "must name a tag", item["when"])
            weight = self._number(item.get("weight", 1), f"{here}.weight")
            to = self.one_of(item["to"], targets, f"{here}.to")
            modality = (
                None if "modality" not in item else self.one_of(item["modality"], ("CT", "MR"), f"{here}.modality")
            )
            return Rule(str(item["id"]), to, weight, when, modality, str(item.get("says", "")))

        return self.each(data[key], key, rule)

    def _condition(self, tags: str, item: Any, key: str) -> Condition:
        self.keys(item, ("any", "all", "none", "words", "but", "re", "gt", "lt"), (), key)
        if not item:
            self._fail(key, "must say any, all, none, words, re, gt or lt", item)

        def upper(name: str) -> frozenset[str]:
            return frozenset(str(v).upper() for v in self.items(item.get(name, []), f"{key}.{name}"))

        def words(name: str) -> re.Pattern[str] | None:
            return self._words(self.items(item.get(name, []), f"{key}.{name}"), f"{key}.{name}")

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

    def each(self, data: Any, key: str, make: Callable[[Any, str], _T]) -> tuple[_T, ...]:
        """Return what `make` makes of each item of a list; their ids must differ."""
        made = []
        seen: set[str] = set()
        for position, item in enumerate(self.items(data, key)):
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

    def _code(self, value: Any, key: str) -> str:
        scheme, _, number = str(value).upper().replace(" ", "").partition(":")
        if not scheme or not number:
            self._fail(key, 'must be "SCHEME:VALUE", as "SCT:10200004"', value)
        return f"{scheme}:{number}"

    def _number(self, value: Any, key: str) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._fail(key, "must be a number", value)
        return float(value)

    def mapping(self, value: Any, key: str) -> dict[str, Any]:
        """Return a mapping with names as keys."""
        if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
            self._fail(key, "must be a mapping with names as keys", value)
        return dict(value)

    def items(self, value: Any, key: str) -> list[Any]:
        """Return the items of a list."""
        if not isinstance(value, list):
            self._fail(key, "must be a list", value)
        return list(value)

    def one_of(self, value: Any, allowed: tuple[str, ...], key: str) -> str:
        """Return a word that must be one of a few."""
        if value not in allowed:
            self._fail(key, f"must be one of {', '.join(allowed)}", value)
        return str(value)

    def keys(self, item: Any, allowed: tuple[str, ...], needed: tuple[str, ...], key: str) -> None:
        """Raise SettingsError for keys that are not known, and for absent ones that are needed."""
        names = self.mapping(item, key)
        for name in names:
            if name not in allowed:
                self._fail(f"{key}.{name}".lstrip("."), f"is not known; known here are {', '.join(allowed)}", name)
        for name in needed:
            if name not in names:
                self._fail(f"{key}.{name}".lstrip("."), "must be given", sorted(names))

    def _fail(self, key: str, sentence: str, got: object) -> NoReturn:
        raise SettingsError(f"{self._file}: {key or '(top level)'}: {sentence}, got {got!r}")
