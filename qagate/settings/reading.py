"""Reading the settings: environment over file over defaults."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from qagate.errors import SettingsError
from qagate.settings.tree import Settings

ENVIRONMENT_PREFIX = "QAGATE__"

_TLS_FILES = ("certificate_file", "key_file", "ca_file")


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
    holders = [data.get("node"), data.get("audit"), *(destinations if isinstance(destinations, list) else [])]
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
