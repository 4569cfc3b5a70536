from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from qagate.errors import InputError
from qagate.train import __main__ as commands
from qagate.train import contrasts, table

from .test_evaluate import Sharpness


@pytest.fixture
def index(tmp_path: Path) -> Path:
    """Stripes of three contrasts, of three subjects: the stronger the contrast, the more gradient."""
    for subject in range(3):
        for name, contrast in (("strong", 120), ("middle", 60), ("faint", 20)):
            picture = np.full((32, 32), 100, np.uint8)
            picture[:, ::2] += contrast + subject
            Image.fromarray(picture).save(tmp_path / f"{name}{subject}.png")
    lines = ["better,worse,why,subject,modality"]
    lines += [f"strong{n}.png,faint{n}.png,less faint,s{n},CT" for n in range(3)]
    lines += ["strong0.png,middle0.png,less middling,s0,CT", "faint1.png,middle1.png,less middling,s1,CT"]
    (tmp_path / "pairs.csv").write_text("\n".join(lines))
    return tmp_path / "pairs.csv"


def test_pairs_are_counted_by_sign_and_reason(index: Path) -> None:
    found, problems = contrasts.measure(contrasts.read_pairs(index), Sharpness(), resamples=50)
    assert problems == []
    # four of five the right way round; of "less middling" one of two
    assert (found["n"], found["subjects"], found["sign"]["value"]) == (5, 3, 0.8)
    assert found["each"]["less faint"]["sign"]["value"] == 1.0
    assert found["each"]["less faint"]["points"]["value"] == pytest.approx(100.0)  # 120 + n less 20 + n
    assert found["each"]["less middling"]["sign"] == {"value": 0.5, "low": None, "high": None, "groups": 2}
    lines = table.contrasts(found)
    assert "| less middling | 2 | 2 | 0.500 | +10.0 |" in lines  # (60 - 40) / 2
    assert lines[-2].startswith("| all | 5 | 3 | 0.800 (")


def test_a_tie_is_half_right(index: Path) -> None:
    index.write_text("better,worse,why,subject\nstrong0.png,strong0.png,the same,s0\n")
    found, _ = contrasts.measure(contrasts.read_pairs(index), Sharpness(), resamples=10)
    assert found["sign"]["value"] == 0.5


def test_what_cannot_be_used_is_said(index: Path) -> None:
    index.write_text(index.read_text() + "\nstrong0.png,gone.png,less middling,s0,CT")
    found, problems = contrasts.measure(contrasts.read_pairs(index), Sharpness(), resamples=10)
    assert found["n"] == 5
    assert problems == [f"line 7: {index.parent / 'gone.png'} must exist, got no such file"]
    index.write_text("better,worse,why,subject\ngone.png,gone.png,none,s0\n")
    with pytest.raises(InputError, match="got none"):
        contrasts.measure(contrasts.read_pairs(index), Sharpness())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("better,worse,why\n", "subject.* got .better,worse,why"),
        ("better;worse;why;subject\na.png;;x;s\n", "what is worse"),
        ("better,worse,why,subject\na.png,,x,s\n", "got nothing in line 2"),
        ("better,worse,why,subject\na.png\n", "what is worse"),
        ("better,worse,why,subject,modality\na.png,b.png,x,s,XA\n", "got 'XA' in line 2"),
    ],
)
def test_a_wrong_index_is_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "pairs.csv").write_text(text)
    with pytest.raises(InputError, match=words):
        contrasts.read_pairs(tmp_path / "pairs.csv")
    with pytest.raises(InputError, match="readable CSV"):
        contrasts.read_pairs(tmp_path / "none.csv")


def test_the_command_writes_what_the_benchmark_takes(index: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = index.parent / "contrasts.json"
    assert commands.main(["contrasts", "--index", str(index), "--out", str(out)]) == 0
    assert "### T4" in capsys.readouterr().out
    written = json.loads(out.read_text())
    assert written["tests"]["T4"]["n"] == 5
    assert written["model"]["name"] == "qagate-iqa"
    assert commands.main(["contrasts", "--index", str(index.parent / "none.csv")]) == 2
