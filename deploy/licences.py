"""Fail when anything that qagate imports is under a licence we do not take. Run by `make lint`."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata

from packaging.requirements import Requirement

REFUSED = ("GPL", "AGPL", "Affero")
WEAK_COPYLEFT = ("LGPL", "Lesser General Public", "GNU Lesser", "Library or Lesser")
DUAL = {"pyjpegls", "docutils"}
"""Packages whose metadata names several licences of which we take the permissive one."""


def needed(name: str, extras: tuple[str, ...], seen: dict[str, str]) -> None:
    """Collect name and all its run-time requirements."""
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return
    key = distribution.metadata["Name"].lower().replace("_", "-")
    if key in seen:
        return
    seen[key] = distribution.metadata["Name"]
    for line in distribution.requires or []:
        requirement = Requirement(line)
        wanted = any(requirement.marker.evaluate({"extra": e}) for e in ("", *extras)) if requirement.marker else True
        if wanted:
            needed(requirement.name, tuple(requirement.extras), seen)


def main() -> int:
    """Return 1 and name the packages when one is refused."""
    seen: dict[str, str] = {}
    needed("qagate", (), seen)
    answer = subprocess.run(
        [sys.executable, "-m", "piplicenses", "--format=json", "--with-system"],
        check=True,
        capture_output=True,
        text=True,
    )
    bad = []
    for package in json.loads(answer.stdout):
        key = package["Name"].lower().replace("_", "-")
        if key not in seen or key in DUAL:
            continue
        parts = [part.strip() for part in package["License"].split(";")]
        refused = [p for p in parts if any(r in p for r in REFUSED) and not any(w in p for w in WEAK_COPYLEFT)]
        if refused and len(refused) == len(parts):
            bad.append(f"{package['Name']} {package['Version']}: {package['License']}")
    print(f"licences of {len(seen)} imported packages looked at, {len(bad)} refused")
    for line in bad:
        print(f"  {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
