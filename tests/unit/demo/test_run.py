from __future__ import annotations

import io
import json
import threading
from pathlib import Path

import numpy as np
import pytest

from qagate.demo import phantom
from qagate.demo.run import run
from qagate.demo.sample import Expect, Sample, Way
from qagate.demo.write import uid, write_series
from qagate.errors import InputError
from qagate.settings import Settings
from tests.unit.demo.fake_node import FakeNode


def small(folder: Path) -> list[Sample]:
    """Return one tiny series for each way of sending, and one that is no CT or MR."""
    scan = phantom.abdomen((6, 32, 32))
    made = []
    for series, way in enumerate(Way, 1):
        paths = write_series(scan.voxels, scan.spacing_mm, folder / way, modality="CT", description="x", series=series)
        made.append(
            Sample(f"ct-{way}", f"CT {way}", tuple(paths), way, late=2 if way is Way.LATE else 0,
                   series_instance_uid=uid("series", "0", "1", series))
        )  # fmt: skip
    tags = {"Modality": "OT"}
    paths = write_series(
        np.zeros((1, 8, 8)), (1, 1, 1), folder / "ot", modality="CT", description="x", series=9, tags=tags
    )
    made.append(
        Sample("other", "a picture", tuple(paths), expect=Expect.EXCLUDED,
               series_instance_uid=uid("series", "0", "1", 9))
    )  # fmt: skip
    return made


class TestOnce:
    def test_all_arrive(self, tmp_path: Path) -> None:
        nodes: list[FakeNode] = []

        def make(settings: Settings) -> FakeNode:
            nodes.append(FakeNode(settings))
            return nodes[-1]

        out = io.StringIO()
        code = run(make, once=True, make_samples=small, data_dir=tmp_path, web_port=0, timeout_seconds=120,
                   quiet_seconds=1.0, out=out)  # fmt: skip
        text = out.getvalue()
        assert code == 0, text
        assert nodes[0].stopped
        lines = [line for line in text.splitlines() if line.startswith(("●", "▲", "–"))]
        # normal, aborted, duplicate: one line each; late: one for each revision; other: excluded with its rule
        assert len(lines) == 6, text
        assert sum("revision 2" in line for line in lines) == 1
        assert any(line.startswith("▲ Look") and "CT aborted" in line and "3 slices only" in line for line in lines)
        assert any(line.startswith("– Excluded") and "rule not-ct-or-mr" in line for line in lines)
        assert "5 series: 3 good · 1 look · 1 excluded by rule · 5 documents" in text
        assert "\x1b[" not in text  # not a terminal

    def test_json(self, tmp_path: Path) -> None:
        out = io.StringIO()
        code = run(FakeNode, once=True, as_json=True, make_samples=lambda f: small(f)[:1], data_dir=tmp_path,
                   web_port=0, timeout_seconds=120, quiet_seconds=0.2, out=out)  # fmt: skip
        record = json.loads(out.getvalue())
        assert code == 0
        assert record["schema"] == "qagate.demo/1"
        assert record["complete"] is True
        row = record["series"][0]
        assert (row["state"], row["revision"], row["verdict"], row["missing"]) == ("delivered", 1, "accept", None)
        assert [d["in_pacs"] for d in row["documents"]] == [True]

    def test_lost_document_is_named(self, tmp_path: Path) -> None:
        out = io.StringIO()
        code = run(lambda s: FakeNode(s, never_delivers=True), once=True, make_samples=lambda f: small(f)[:1],
                   data_dir=tmp_path, web_port=0, timeout_seconds=2, quiet_seconds=0.2, out=out)  # fmt: skip
        assert code == 1
        assert "missing: CT normal: SR not in the mini PACS" in out.getvalue()

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pynetdicom leaves the socket open
    def test_deaf_node_is_named(self, tmp_path: Path) -> None:
        class Deaf(FakeNode):
            def start(self) -> None:
                self.thread.start()

        out = io.StringIO()
        code = run(Deaf, once=True, make_samples=lambda f: small(f)[:1], data_dir=tmp_path, web_port=0,
                   timeout_seconds=2, out=out)  # fmt: skip
        assert code == 1
        assert (
            "missing: CT normal: it could not be sent: nobody took the association of DEMOCT1 at 127.0.0.1:"
            in out.getvalue()
        )


def test_page_stays_open_until_stopped(tmp_path: Path) -> None:
    stop, out, codes = threading.Event(), io.StringIO(), []

    def go() -> None:
        codes.append(
            run(FakeNode, make_samples=lambda f: small(f)[:1], data_dir=tmp_path, web_port=0, timeout_seconds=120,
                quiet_seconds=0.2, out=out, stop=stop)
        )  # fmt: skip

    thread = threading.Thread(target=go)
    thread.start()
    while "Ctrl-C" not in out.getvalue() and thread.is_alive():
        thread.join(0.05)
    assert thread.is_alive()
    stop.set()
    thread.join()
    assert codes == [0]
    assert "Open http://127.0.0.1:" in out.getvalue()


def test_own_folder(tmp_path: Path) -> None:
    small(tmp_path / "own")
    (tmp_path / "own" / "notes.txt").write_text("not DICOM")
    out = io.StringIO()
    code = run(FakeNode, once=True, as_json=True, folder=tmp_path / "own", data_dir=tmp_path / "d", web_port=0,
               timeout_seconds=120, quiet_seconds=0.2, out=out)  # fmt: skip
    assert code == 0
    assert len(json.loads(out.getvalue())["series"]) == 5


def test_empty_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no DICOM file"):
        run(FakeNode, folder=tmp_path, data_dir=tmp_path / "d", out=io.StringIO())
