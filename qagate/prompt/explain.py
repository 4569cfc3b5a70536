"""Explain: a prompt as a calm table for the terminal, with the chain of evidence."""

from __future__ import annotations

from collections.abc import Sequence

from qagate.domain.prompt import Evidence, Prompt

_PARTS = ("modality", "region", "organ", "sequence", "kernel", "plane", "contrast", "exclude")
_UNKNOWN = "unknown"


def explain(prompt: Prompt) -> str:
    """Return what was concluded, how surely, and which tag said so, as lines of plain text."""
    concluded = [
        ("modality", prompt.modality or _UNKNOWN),
        ("region", ", ".join(prompt.regions) or _UNKNOWN),
        ("organ", prompt.organ or _UNKNOWN),
        ("sequence", prompt.sequence or _UNKNOWN) if prompt.modality != "CT" else ("kernel", prompt.kernel or _UNKNOWN),
        ("plane", prompt.plane or _UNKNOWN),
        ("contrast", {True: "given", False: "not given", None: _UNKNOWN}[prompt.contrast]),
        ("confidence", f"{prompt.confidence:.0%}" + ("; the tags contradict one another" if prompt.conflict else "")),
    ]
    lines = ["Concluded", *_table(concluded)]
    values = [(_title(name), f"{value:g}{unit}") for name, value, unit in _values(prompt)]
    if values:
        lines += ["", "Acquisition", *_table(values)]
    if prompt.exclusions:
        lines += ["", "Not scored", *(f"  {finding.detail}" for finding in prompt.exclusions)]
    if prompt.findings:
        lines += ["", "Noticed", *(f"  {finding.detail}" for finding in prompt.findings)]
    lines += ["", "Evidence", *(_evidence(prompt.evidence) or ["  none: the tags say nothing about this series"])]
    return "\n".join([*lines, "", f"Rules {prompt.rules_version or 'of unknown version'}"])


def _evidence(chain: tuple[Evidence, ...]) -> list[str]:
    def order(item: Evidence) -> tuple[int, str, float]:
        part, _, word = item.says.partition(":")
        return (_PARTS.index(part) if part in _PARTS else len(_PARTS), word, -abs(item.weight))

    rows = []
    for item in sorted(chain, key=order):
        why = f'{item.tag} "{item.value}"' if item.tag else "follows from the region"
        rows.append((item.says.replace(":", " ", 1), f"{item.weight:+.1f}", why, item.rule))
    return _table(rows)


def _values(prompt: Prompt) -> list[tuple[str, float, str]]:
    units = {"_mm": " mm", "_mas": " mAs", "_mgy": " mGy", "_ms": " ms", "_degrees": "°", "_t": " T"}
    out = []
    for name, value in prompt.acquisition.present().items():
        suffix = next((s for s in units if name.endswith(s)), "")
        unit = {"kvp": " kV", "diffusion_b_value": " s/mm²"}.get(name, units.get(suffix, ""))
        out.append((name.removesuffix(suffix), value, unit))
    return out


def _title(name: str) -> str:
    return {"kvp": "tube voltage", "ctdi_vol": "CTDIvol"}.get(name, name.replace("_", " "))


def _table(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))] if rows else []
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
