"""Workers of an older version of the pipeline are replaced while images come; the full check takes another release.

`python -m tests.crash.test_upgrade --old FOLDER`: with the source tree of another release as the old one.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import pytest

from tests.crash.ledger import say
from tests.crash.upgrade import HERE, upgrade
from tests.peers import postgres


@pytest.mark.slow
@pytest.mark.peers
@pytest.mark.skipif(not postgres.available(), reason="needs PostgreSQL")
def test_what_an_old_version_had_begun_is_continued_by_the_new_one(tmp_path: Path) -> None:
    with postgres.Postgres() as server:
        ledger = upgrade(tmp_path, server.url, old_version="qagate-0")
    assert ledger.faults == [], str(ledger)


def main() -> int:
    """Upgrade once, and print the ledger; returns 1 when it has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--old", type=Path, default=HERE, help="source tree of the older release")
    parser.add_argument("--version", default="", help="version of the old pipeline, instead of its own")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, postgres.Postgres() as server:
        ledger = upgrade(Path(folder), server.url, old_tree=asked.old.absolute(), old_version=asked.version)
    say(ledger, f"from {asked.old} {asked.version}".rstrip())
    return 1 if ledger.faults else 0


if __name__ == "__main__":
    sys.exit(main())
