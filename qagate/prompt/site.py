"""Site: a hospital's own rules file, read and merged over the shipped one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from qagate.errors import SettingsError


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what a YAML file holds. Raises SettingsError when it is no mapping, or cannot be read."""
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


def merged(base: Any, site: Any, file: str, key: str = "") -> Any:
    """Return `base` with a site's data over it, as `rules.load_rules` describes. key: where in the file this lies."""
    if isinstance(base, dict) and isinstance(site, dict):
        out = dict(base)
        for name, value in site.items():
            out[name] = merged(base[name], value, file, f"{key}.{name}".lstrip(".")) if name in base else value
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
