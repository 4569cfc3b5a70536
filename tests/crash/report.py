"""What came of a part of the run, on disk: parts run side by side, and what was cut short goes on where it was."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

from tests.crash.ledger import Ledger


@dataclass(slots=True)
class Report:
    """Ledger, number of deaths, and (name, kind of database) of the scenarios that were played."""

    ledger: Ledger = field(default_factory=Ledger)
    deaths: int = 0
    played: list[tuple[str, str]] = field(default_factory=list)

    def __add__(self, other: Report) -> Report:
        """Return both as one."""
        return Report(self.ledger + other.ledger, self.deaths + other.deaths, [*self.played, *other.played])

    def __str__(self) -> str:
        names = {name for name, _ in self.played}
        return f"{self.deaths} deaths, {len(names)} scenarios, {len(self.played)} plays\n{self.ledger}"

    def write(self, path: Path) -> None:
        """Write it to a file."""
        ledger = {one.name: getattr(self.ledger, one.name) for one in fields(self.ledger)}
        path.write_text(
            json.dumps({"ledger": ledger, "deaths": self.deaths, "played": self.played}, indent=1), encoding="utf-8"
        )

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read what `write` wrote."""
        tree = json.loads(path.read_text(encoding="utf-8"))
        values = {key: Counter(value) if isinstance(value, dict) else value for key, value in tree["ledger"].items()}
        return cls(Ledger(**values), tree["deaths"], [(name, kind) for name, kind in tree["played"]])
