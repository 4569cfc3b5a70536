"""The benchmark's JSON as a table to read."""

from __future__ import annotations

from typing import Any


def table(found: dict[str, Any]) -> str:
    """Return the document of `benchmark` as plain text, Markdown tables where there are rows."""
    model = found["model"]
    lines = [f"{model['name']} {model['version']}; baselines learned from {found['baseline_samples']} samples", ""]
    tests = found["tests"]
    for name in sorted(tests):
        test = tests[name]
        if isinstance(test, str):
            lines += [f"{name}: {test}", ""]
        elif "rows" in test:
            lines += _rows(name, test)
    if isinstance(tests.get("T4"), dict):
        lines += contrasts(tests["T4"])
    if isinstance(tests.get("T6"), dict):
        lines += controls(tests["T6"])
    if isinstance(tests.get("T7"), dict):
        lines += usable(tests["T7"])
    for claim, answers in found["claims"].items():
        lines.append(f"{claim}: " + ", ".join(f"{test} {word(answer)}" for test, answer in answers.items()))
    lines += ["", *(f"{name}: {why}" for name, why in found["baselines_not_run"].items())]
    return "\n".join(lines)


def _rows(name: str, test: dict[str, Any]) -> list[str]:
    lines = [
        f"### {name}: {test['n']} samples, {test['subjects']} subjects",
        "",
        "| | SRCC (95 %) | PLCC (95 %) | KROCC | RMSE | RMSE/SD | pairs | within | model leads by (95 %) |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for who, row in test["rows"].items():
        lead = interval(row["model_leads_by_srcc"]) if "model_leads_by_srcc" in row else ""
        cells = (
            who, interval(row["srcc"]), interval(row["plcc"]), number(row["krocc"]["value"]), number(row["rmse"]),
            f"{row['rmse_sd']:.2f}", number(row["pair_accuracy"]), number(row["srcc_within"]), lead,
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def contrasts(test: dict[str, Any]) -> list[str]:
    """Return T4 as lines."""
    lines = [
        "### T4: real pairs, one better than the other", "",
        "| what makes it better | pairs | subjects | scored higher (95 %) | by points (95 %) |",
        "|---|---|---|---|---|",
    ]  # fmt: skip
    for why, row in [*test["each"].items(), ("all", test)]:
        lines.append(f"| {why} | {row['n']} | {row['subjects']} | {interval(row['sign'])} | {points(row['points'])} |")
    return [*lines, ""]


def controls(test: dict[str, Any]) -> list[str]:
    """Return T6 as lines."""
    lines = ["### T6: controls", "", "| change | mean | 9 in 10 below | largest | holds |", "|---|---|---|---|---|"]
    for name, row in test["unmoved"].items():
        far = " | ".join(f"{row[key]:.1f}" for key in ("mean_absolute", "p90_absolute", "largest"))
        lines.append(f"| {name} | {far} | {word(row['holds'])} |")
    lines.append("")
    for name, row in test["prompts"].items():
        lines.append(f"{name}: SRCC {row['srcc']:.3f}, costs {interval(row['costs_srcc'])}")
    shuffled = test["labels shuffled"]
    return [*lines, f"labels shuffled: SRCC {shuffled['srcc_mean']:.3f} ± {shuffled['srcc_sd']:.3f}", ""]


def usable(test: dict[str, Any]) -> list[str]:
    """Return T7 as lines."""
    lines = ["### T7: intervals, artefacts, slices", ""]
    for name, row in test.items():
        if name.startswith("interval"):
            lines.append(
                f"{name}: {row['coverage']:.2f} of {row['nominal']:.2f} covered, mean width {row['mean_width']:.0f}, "
                f"mean error {row['mean_error']:.1f} ({row['mean_error_of_the_surer_half']:.1f} in the surer half), "
                f"out of domain {row['out_of_domain_share']:.2f}"
            )
    each = test["attribute_auc"]["each"]
    lines.append(
        f"artefact AUC: mean {number(test['attribute_auc']['mean'])}; "
        + ", ".join(f"{name} {number(row['auc'])} ({row['present']})" for name, row in each.items())
    )
    slices = test["slice_auc"]
    return [*lines, f"slice AUC: {number(slices['mean'])} over {slices['volumes']} volumes", ""]


def interval(row: dict[str, Any]) -> str:
    """Return a figure with its interval."""
    if row["low"] is None:
        return f"{row['value']:.3f}"
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"


def points(row: dict[str, Any]) -> str:
    """Return points of 100 with their interval."""
    if row["low"] is None:
        return f"{row['value']:+.1f}"
    return f"{row['value']:+.1f} ({row['low']:+.1f} to {row['high']:+.1f})"


def number(value: float | None) -> str:
    """Return a number, or a dash for none."""
    return "-" if value is None else f"{value:.3f}"


def word(answer: Any) -> str:
    """Return yes, no, not run, or the answer itself."""
    return {True: "yes", False: "no", None: "not run"}.get(answer, str(answer))
