"""Reading the settings: environment over file over defaults."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qagate.errors import SettingsError
from qagate.settings.tree import Settings

ENVIRONMENT_PREFIX = "QAGATE__"

_TLS_FILES = ("certificate_file", "key_file", "ca_file")
_SECRETS = {"token", "client_secret", "bind_password", "database_url", "urls"}
_NOT_A_VALUE = {"model_type", "tuple_type", "list_type", "dict_type"}  # kinds of error: text stands for a whole table


def load(path: Path | None = None, environment: dict[str, str] | None = None) -> Settings:
    """Read settings from a TOML file (optional) and the environment.

    Relative paths in the file are relative to the file. Raises SettingsError with one line per fault, naming the key
    and never a secret.
    """
    data: dict[str, Any] = {}
    if path is not None:
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
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
    node, destinations = data.get("node"), data.get("destinations")
    peers = node.get("peers") if isinstance(node, dict) else None
    lists = [each for each in (destinations, peers) if isinstance(each, list)]
    holders = [node, data.get("audit"), *(entry for entries in lists for entry in entries)]
    trees += [(holder.get("tls"), _TLS_FILES) for holder in holders if isinstance(holder, dict)]
    people = data.get("people")
    trees.append((people.get("ldap") if isinstance(people, dict) else None, ("ca_file",)))
    for tree, keys in trees:
        for key in keys:
            if isinstance(tree, dict) and isinstance(tree.get(key), str):
                tree[key] = str(base / tree[key])


def _overlay(data: dict[str, Any], name: str, value: str) -> None:
    keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
    if keys[-1].endswith("_file") and keys[-1] not in ("rules_file", *_TLS_FILES):
        keys[-1] = keys[-1].removesuffix("_file")
        try:
            value = Path(value).read_text(encoding="utf-8-sig").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"{name}: {value} cannot be read: {reason}") from None
    tree: Any = data
    for key in keys[:-1]:
        tree = _entry(name, tree, key) if isinstance(tree, list) else tree.setdefault(key, {})
        if not isinstance(tree, dict | list):
            raise SettingsError(f"{name}: {key} is not a section that can be set from the environment")
    if isinstance(tree, list):
        raise SettingsError(f"{name}: {keys[-2]} is a list; a key of one entry is {keys[-2]}__NAME__KEY")
    tree[keys[-1]] = _parsed(value)


def _entry(variable: str, tables: list[Any], key: str) -> Any:
    """Return the table of a list that a variable names; what is neither letter nor digit in a name is one _ there."""
    named = [(str(t.get("name") or t.get("ae_title")), t) for t in tables if isinstance(t, dict)]
    found = [(name, t) for name, t in named if re.sub(r"[^a-z0-9]+", "_", name.lower()) == key]
    if not found:
        known = ", ".join(name for name, _ in named) or "none"
        raise SettingsError(f"{variable}: there is no entry of this name (known: {known})")
    if len(found) > 1:  # a secret of one must not go to the other
        names = " and ".join(name for name, _ in found)
        raise SettingsError(f"{variable}: names must differ in letters and digits to be set from here, got {names}")
    return found[0][1]


def _parsed(value: str) -> Any:
    """Return a list or a table written as in TOML; all else stays text, of which its setting makes a number."""
    try:
        read = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return value
    return read if isinstance(read, str | list | dict) else value  # a password of digits is no number


def _key(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc) or "(top level)"


def _sentence(error: Any) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting; `qagate init --print` shows all of them"
    if error["type"] == "missing":
        return "this must be set"
    return f"{error['msg'].removeprefix('Value error, ')}{_got(error)}"


def _got(error: Any) -> str:
    """Say what was found, unless it is a secret or may hold one, as a whole table may."""
    found = error["input"]
    if isinstance(found, dict | list) or error["type"] in _NOT_A_VALUE:
        kind = "a table" if isinstance(found, dict) else "a list" if isinstance(found, list) else "a single value"
        return "" if error["type"] == "value_error" else f", got {kind}"
    return ", got a value that is not shown" if _SECRETS & set(error["loc"]) else f", got {found!r}"
