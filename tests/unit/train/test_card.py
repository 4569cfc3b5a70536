from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from qagate.errors import InputError
from qagate.score.digest import sha256
from qagate.train import card, svg

MODELS = Path(__file__).resolve().parents[3] / "models"


def ends(value: float) -> dict[str, Any]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1, "groups": 9}


def row(value: float, lead: str | None = None) -> dict[str, Any]:
    plain = dict.fromkeys(("rmse", "rmse_sd", "pair_accuracy", "srcc_within", "plcc_fitted"), value)
    found = {**{key: ends(value) for key in ("srcc", "plcc", "krocc")}, **plain}
    return found | ({lead: ends(0.05)} if lead else {})


def measured(**rows: dict[str, Any]) -> dict[str, Any]:
    return {"n": 10, "subjects": 9, "sd": 0.2, "rows": rows}


@pytest.fixture
def found() -> dict[str, Any]:
    both = {"model": row(0.8), card.TREES: row(0.7, "model_leads_by_srcc")}
    part = {
        "coverage": 0.9, "nominal": 0.9, "mean_width": 40.0, "mean_error": 9.0, "mean_error_of_the_surer_half": 7.0,
        "out_of_domain_share": 0.0, "risk_coverage": [[0.5, 7.0], [1.0, 9.0]],
        "calibration": [[20, 30, 5], [80, 70, 5]],
    }  # fmt: skip
    t7 = {"interval T1": part, "attribute_auc": {"mean": 0.8, "each": {}}, "slice_auc": {"mean": None, "volumes": 0}}
    small = measured(reference=row(0.5), **{"no 2D": row(0.45, "reference_leads_by_srcc")})
    variants = measured(
        shipped=row(0.8), **{"no prompt": row(0.75, "shipped_leads_by_srcc")},
        **{card.AGAIN: row(0.78, "shipped_leads_by_srcc"), "no marks": row(0.71, f"{card.AGAIN}_leads_by_srcc")},
    )  # fmt: skip
    judges = measured(model=row(0.8), **{"network alone": row(0.62, "model_leads_by_srcc")})
    budget = {"steps": 40, "pictures": 12, "made": 80, "learned": 200, "seed": 0}
    never = {**both, card.NAMED: row(0.66, "model_leads_by_srcc")}
    t2 = {**measured(**never), "each": {"noise": never}}
    return {
        "published": {"srcc": 0.7476},
        "tests": {
            "T0": measured(**both),
            "T1": measured(**both),
            "T2": t2,
            "T3": measured(**both),
            "T4": "not run: why",
            "T7": t7,
        },
        "judges": {"T1": judges, "T3": judges},
        "parts": {
            "model": "0.6.0",
            "samples": 900,
            "tests": {"T1": variants, "T3": variants},
        },
        "unseen": {"samples": 900, "nameless": 70, "baseline_samples": 300, "tests": {"T2": t2}},
        "ablations": {"budget": budget, "tests": {"T1": small, "T3": small}, "not_run": ["no prompt"]},
        "claims": {"lower ends": {"T1": False, "T2": "not run", "T3": True}},
        "baselines_not_run": {"CLIP-IQA": "not run"},
    }


def test_everything_that_was_measured_is_in_the_tables(found: dict[str, Any]) -> None:
    text = card.tables(found)
    for words in (
        "| model | 0.800 (0.700 to 0.900) |", "the model leads ExtraTrees by", "| lower ends | no | not run | yes |",
        "40 steps of 12 pictures", "| no 2D | 0.450", "| noise |", "Not run: no prompt.",
        "| no marks | 0.710 (0.610 to 0.810) | 0.050 (-0.050 to 0.150) |", "of 900 samples",
        "70 with nameless", "0.660 (0.560 to 0.760)", "by version 0.6.0",
        "| network alone | 0.620 (0.520 to 0.720) | 0.050 (-0.050 to 0.150) |", "T4: not run: why",
        "0.90 of 0.90 covered",
    ):  # fmt: skip
        assert words in text


def test_plots_are_well_formed(found: dict[str, Any]) -> None:
    made = card.pictures(found)
    assert set(made) == {"srcc.svg", "doubt.svg", "calibration.svg"}
    for picture in made.values():
        root = ElementTree.fromstring(picture)
        assert root.tag.endswith("svg")
        assert len(list(root.iter())) > 10


def test_only_what_lies_between_the_marks_changes() -> None:
    text = f"before\n{card.BEGIN}\nold\n{card.END}\nafter\n"
    assert card.with_tables(text, "new") == f"before\n{card.BEGIN}\nnew\n{card.END}\nafter\n"
    with pytest.raises(InputError, match="must have the lines"):
        card.with_tables("no marks", "new")


def test_points_lie_where_they_should() -> None:
    picture = svg.curves("t", "x", "y", {"a": [(0.0, 0.0), (1.0, 1.0)]}, (0.0, 1.0), (0.0, 1.0))
    # left bottom corner of the frame, then right top: 60, 320 - 44 and 560 - 150, 34
    assert 'd="M60.0 276.0L410.0 34.0"' in picture
    assert "&lt;b&gt;" in svg.curves("<b>", "x", "y", {}, (0.0, 1.0), (0.0, 1.0))


@pytest.mark.parametrize("folder", [path.parent for path in MODELS.glob("*/card.md")], ids=lambda path: path.name)
def test_cards_show_what_their_benchmark_says(folder: Path) -> None:
    text = (folder / "card.md").read_text()
    if card.BEGIN not in text:
        pytest.skip("a card from before tables were made")
    document = json.loads((folder / "benchmark.json").read_text())
    assert text == card.with_tables(text, card.tables(document))
    assert document["model"]["sha256"] == sha256(folder / "bundle.toml")
    for name, picture in card.pictures(document).items():
        assert (folder / name).read_text() == picture
