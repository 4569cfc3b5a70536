"""Measure how soon a person sees a CT of 300 slices of 512 x 512 in Chromium, on this machine, over loopback.

    python tests/bench/bench_viewer.py [--slices 300] [--repeats 3]

The series lies in the spool as it came; nobody has looked at it before the first opening, which rebuilds the volume.
Printed is the time from asking for the page to its first picture (the worst slice) and to the first slice in the
viewer, with the drawing that a machine without a graphics card gets. Exit code 1 when the first took over 2 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from qagate.store.database import Database  # noqa: E402
from tests.bench.bench_worklist import served  # noqa: E402
from tests.peers import chromium  # noqa: E402
from tests.web import seeds  # noqa: E402

LIMIT_SECONDS = 2.0
FIRST_PICTURE = (
    "() => { const p = document.getElementById('poster'); return !p || (p.complete && p.naturalWidth > 0); }"
)


def main() -> int:
    """Write, open, print; 1 when it took too long."""
    parser = argparse.ArgumentParser(description="how soon a large series is seen")
    parser.add_argument("--slices", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    seeds.SIZE, seeds.SLICES = 512, options.slices
    with tempfile.TemporaryDirectory(prefix="qagate-bench-") as folder:
        settings = seeds.settings_in(Path(folder))
        database = Database.open(settings.database_url)
        uid = seeds.seed(database, settings, seeds.Seed("large", "review", 41.0, reasons=("Noise 24 HU",), images=True))
        with served(settings, database) as port, chromium.launched() as browser:
            address = f"http://127.0.0.1:{port}/series/{uid}?viewer=canvas"
            taken = [opened(browser, address) for _ in range(options.repeats + 1)]
        database.close()
    print(f"{options.slices} slices of 512 x 512    first picture   first slice in the viewer")
    print(f"{'never opened before':28}{taken[0][0]:11.2f} s {taken[0][1]:24.2f} s")
    again = [statistics.median(values) for values in zip(*taken[1:], strict=True)]
    print(f"{'opened again':28}{again[0]:11.2f} s {again[1]:24.2f} s")
    return 1 if taken[0][0] > LIMIT_SECONDS else 0


def opened(browser, address: str) -> tuple[float, float]:
    """Return the seconds to the first picture and to the first slice in the viewer, in a browser that kept nothing."""
    page = browser.new_context(viewport={"width": 1280, "height": 800}).new_page()
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#poster, #viewer[data-ready=true]", state="attached")
    page.wait_for_function(FIRST_PICTURE)
    first = time.perf_counter() - began
    page.wait_for_selector("#viewer[data-ready=true]", timeout=120_000)
    ready = time.perf_counter() - began
    page.context.close()
    return first, ready


if __name__ == "__main__":
    sys.exit(main())
