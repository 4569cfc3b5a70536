"""Card: put what benchmark.json says into card.md and draw it.

    python -m qagate.train card MODEL_DIR

Everything between the two marks in card.md is made from benchmark.json; the rest is written by people. Beside it come
srcc.svg (every test), doubt.svg (error of the surest) and calibration.svg (score against truth).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from qagate.errors import InputError
from qagate.train import svg
from qagate.train.benchmark import read
from qagate.train.heard import MODEL
from qagate.train.table import contrasts, controls, interval, number, usable, word
from qagate.train.unseen import NAMED

BEGIN, END = "<!-- made from benchmark.json by `qagate train card` -->", "<!-- end -->"
TREES, SAME = "47 features + ExtraTrees", "47 features + extra-trees, same samples"
MAIN = ("T0", "T1", "T1 new scanner or organ", "T3")
"""Tests of the shipped weights; T2 is of networks trained for it, and has a table of its own."""
REFERENCE, SHIPPED, AGAIN = "reference", "shipped", "fitted again, small"


def tables(found: dict[str, Any]) -> str:
    """Return the tables as Markdown."""
    tests = {name: found["tests"][name] for name in MAIN if isinstance(found["tests"].get(name), dict)}
    lines = [
        f"T0: {_size(tests, 'T0')}, same simulator, seen kinds of subjects.",
        f"T1: {_size(tests, 'T1')} that training never saw, most from scanners or organs it never saw.",
        f"T3: {_size(tests, 'T3')}, another simulator. SRCC with 95 % intervals over subjects:",
        "",
        *_main(tests),
        "",
        "The model in more detail (RMSE on 0-1):",
        "",
        "| | SRCC | PLCC | PLCC, logistic of T0 | KROCC | RMSE | RMSE/SD | pairs | SRCC within content |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name in (*MAIN, "T1 CT", "T1 MR", "T3 CT", "T3 MR"):
        if name in found["tests"]:
            row = found["tests"][name]["rows"][MODEL]
            cells = [
                interval(row["srcc"]), interval(row["plcc"]), number(row["plcc_fitted"]),
                number(row["krocc"]["value"]), *(number(row[k]) for k in ("rmse", "rmse_sd", "pair_accuracy")),
                number(row["srcc_within"]),
            ]  # fmt: skip
            lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", *_claims(found["claims"]), ""]
    if isinstance(found.get("judges"), dict):
        lines += _judges(found["judges"])
    if isinstance(found.get("unseen"), dict):
        lines += _unseen(found["unseen"])
    if isinstance(found.get("parts"), dict):
        lines += _parts(found["parts"])
    if isinstance(found.get("ablations"), dict):
        lines += _ablations(found["ablations"])
    if isinstance(found["tests"].get("T4"), dict):
        lines += contrasts(found["tests"]["T4"])
    if isinstance(found["tests"].get("T6"), dict):
        lines += controls(found["tests"]["T6"])
    if isinstance(found["tests"].get("T7"), dict):
        lines += usable(found["tests"]["T7"])
    lines += [f"{name}: {test}" for name, test in sorted(found["tests"].items()) if isinstance(test, str)]
    lines += [f"{name}: {why}" for name, why in found["baselines_not_run"].items()]
    return "\n".join(lines)


def pictures(found: dict[str, Any]) -> dict[str, str]:
    """Return file name → SVG."""
    tests = found["tests"]
    names = [name for name in MAIN if isinstance(tests.get(name), dict)]
    who = [n for n in (MODEL, TREES, "BRISQUE + SVR") if all(n in tests[name]["rows"] for name in names)]
    rows = []
    for name in names:
        each = [tests[name]["rows"][one]["srcc"] for one in who]
        rows.append((name, [(e["value"], e["low"], e["high"]) for e in each]))
    made = {
        "srcc.svg": svg.intervals(
            "Rank correlation with the labels", "SRCC", rows, who, (0.0, 1.0), {"0.7476": found["published"]["srcc"]}
        )
    }
    parts = {name: test for name, test in tests.get("T7", {}).items() if name.startswith("interval")}
    if parts:
        risk = {name[9:]: [(a, b) for a, b in part["risk_coverage"]] for name, part in parts.items()}
        most = max(b for points in risk.values() for _, b in points)
        made["doubt.svg"] = svg.curves(
            "Error when only the surest scores are kept",
            "share kept",
            "mean error",
            risk,
            (0.0, 1.0),
            (0.0, 1.2 * most),
        )
        fit = {name[9:]: [(a, b) for a, b, _ in part["calibration"]] for name, part in parts.items()}
        made["calibration.svg"] = svg.curves(
            "Mean label at each score", "score", "label", fit, (0.0, 100.0), (0.0, 100.0), diagonal=True
        )
    return made


def with_tables(card: str, made: str) -> str:
    """Return a card with its tables renewed. Raises InputError when it has no marks for them."""
    head, mark, rest = card.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not mark or not end:
        raise InputError(f"a card must have the lines {BEGIN} and {END}, got neither or one of them")
    return f"{head}{BEGIN}\n{made}\n{END}{tail}"


def _main(tests: dict[str, Any]) -> list[str]:
    names = list(tests)
    everybody = [MODEL, *(n for n in tests["T1"]["rows"] if n != MODEL)]
    lines = [
        f"| | {' | '.join(names)} |",
        "|---" * (len(names) + 1) + "|",
    ]
    for who in everybody:
        cells = [interval(tests[n]["rows"][who]["srcc"]) if who in tests[n]["rows"] else "-" for n in names]
        lines.append(f"| {who} | {' | '.join(cells)} |")
    if TREES in everybody:
        cells = [interval(tests[n]["rows"][TREES]["model_leads_by_srcc"]) for n in names]
        lines.append(f"| the model leads ExtraTrees by | {' | '.join(cells)} |")
    return lines


def _judges(found: dict[str, Any]) -> list[str]:
    lines = [
        "### What each judge says",
        "",
        "SRCC of each judge alone and of the model without one of them, whose share the others have:",
        "",
        "| | T1 | it lacks | T3 | it lacks |",
        "|---|---|---|---|---|",
    ]
    return [*lines, *_lacking(found, MODEL), ""]


def _lacking(tests: dict[str, Any], first: str, then: str | None = None) -> list[str]:
    """Return a row for each variant: SRCC of T1 and T3, and by how much `first`, after its own row `then`, leads."""
    lines, against = [], first
    for who in tests["T1"]["rows"]:
        cells = []
        for name in ("T1", "T3"):
            row = tests[name]["rows"][who]
            lead = row.get(f"{against}_leads_by_srcc")
            cells += [interval(row["srcc"]), interval(lead) if lead else ""]
        lines.append(f"| {who} | {' | '.join(cells)} |")
        against = who if who == then else against
    return lines


def _unseen(found: dict[str, Any]) -> list[str]:
    test = found["tests"]["T2"]
    lines = [
        "### T2: artefacts that the assessor never saw",
        "",
        f"The assessor was fitted again on those of {found['samples']} samples that have no artefact of a family, and",
        f"on {found['nameless']} with nameless faults, and judged that family alone: {test['n']} samples of the",
        "benchmark part in all. It stands alone: the others saw every family. The fit is smaller than the shipped one",
        "(one perceptron, fewer trees). ExtraTrees never saw the family either; it learned from what is left of",
        f"{found['baseline_samples']} samples, or of all that the assessor learned from.",
        "",
        f"| family left out | assessor | {NAMED} | they add | ExtraTrees | it leads by | {SAME} | it leads by |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rows in [*test["each"].items(), ("all together", test["rows"])]:
        cells = [interval(rows[MODEL]["srcc"])]
        for who in (NAMED, TREES, SAME):
            cells += [interval(rows[who][key]) if who in rows else "-" for key in ("srcc", "model_leads_by_srcc")]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return [*lines, ""]


def _parts(found: dict[str, Any]) -> list[str]:
    tests = found["tests"]
    lines = [
        "### What parts of the model are worth",
        "",
        f"SRCC on {tests['T1']['n']} (T1) and {tests['T3']['n']} (T3) samples, by version {found['model']}. Above what",
        "is fitted again: the shipped model without a part; below: assessors as small as that one, mixed as shipped.",
        "",
        "| | T1 | it lacks | T3 | it lacks |",
        "|---|---|---|---|---|",
    ]
    return [*lines, *_lacking(tests, SHIPPED, AGAIN), ""]


def _ablations(found: dict[str, Any]) -> list[str]:
    budget, tests = found["budget"], found["tests"]
    lines = [
        "### Parts of the model, and other networks",
        "",
        f"All trained alike from nothing: {budget['steps']} steps of {budget['pictures']} pictures from",
        f"{budget['made']} groups ({budget['learned']} samples for networks on resized slices), seed {budget['seed']}.",
        "That is far below the budget of the shipped weights: it says what a part is worth early in training.",
        *([f"Recipe: {found['recipe']}."] if "recipe" in found else []),
        f"SRCC, and by how much the reference leads, on {tests['T1']['n']} (T1) and {tests['T3']['n']} (T3) samples:",
        "",
        "| | T1 | reference leads | T3 | reference leads |",
        "|---|---|---|---|---|",
    ]
    lines += _lacking(tests, REFERENCE)
    if "T2" in tests:  # of networks; since 0.3.0 T2 is of the assessor, and comes from `parts`
        test = tests["T2"]
        lines += [
            "",
            "T2 on the same budget: the reference trained without a family of artefacts and judged on it alone,",
            f"{test['n']} samples in all; ExtraTrees never saw the family either.",
            "",
            "| family left out | the reference without it | ExtraTrees without it | model leads by |",
            "|---|---|---|---|",
        ]
        for name, rows in [*test["each"].items(), ("all together", test["rows"])]:
            cells = [interval(rows[one]["srcc"]) if one in rows else "-" for one in (MODEL, TREES)]
            cells.append(interval(rows[TREES]["model_leads_by_srcc"]) if TREES in rows else "-")
            lines.append(f"| {name} | {' | '.join(cells)} |")
    if found["not_run"]:
        lines += ["", f"Not run: {', '.join(found['not_run'])}."]
    return [*lines, ""]


def _claims(found: dict[str, Any]) -> list[str]:
    lines = ["| set before training | T1 | T2 | T3 |", "|---|---|---|---|"]
    for claim, answers in found.items():
        lines.append(f"| {claim} | {' | '.join(word(answers[test]) for test in ('T1', 'T2', 'T3'))} |")
    return lines


def _size(tests: dict[str, Any], name: str) -> str:
    return f"{tests[name]['n']} samples of {tests[name]['subjects']} subjects"


def main(arguments: list[str]) -> int:
    """Renew the tables and plots of one model."""
    parser = argparse.ArgumentParser(prog="qagate train card", description=str(__doc__).split("\n", 1)[0])
    parser.add_argument("model", type=Path, help="folder with card.md and benchmark.json")
    folder: Path = parser.parse_args(arguments).model
    found = read(folder / "benchmark.json")
    try:
        text = (folder / "card.md").read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder} must hold card.md, got {error}") from error
    (folder / "card.md").write_text(with_tables(text, tables(found)), encoding="utf-8")
    for name, picture in pictures(found).items():
        (folder / name).write_text(picture, encoding="utf-8")
    print(f"{folder}: renewed", file=sys.stderr)
    return 0
