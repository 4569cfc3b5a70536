"""How `qagate score` reads one input and shows what came out."""

from __future__ import annotations

from dataclasses import replace

from qagate.domain.finding import FindingCode
from qagate.domain.prompt import MODALITIES, ORGANS, REGIONS, Prompt, placed
from qagate.errors import InputError
from qagate.prompt.rules import Rules
from qagate.score.scorer import Scorer
from qagate.settings import Settings
from qagate.work.assessing import Judged, assess, limits
from qagate.work.inputs import Input, read
from qagate.work.reading import read_prompt

SHAPES = {"accept": "●", "review": "▲", "reject": "⬣", "unscored": "◌"}


def given_prompt(modality: str | None, region: str | None, organ: str | None) -> Prompt | None:
    """Return the words given on the command line as a prompt; None when there are none. Raises InputError."""
    region, organ = _spelt(region), _spelt(organ)
    for word, name, known in (
        (modality and modality.upper(), "modality", MODALITIES),
        (region, "region", REGIONS),
        (organ, "organ", (*ORGANS, *REGIONS)),
    ):
        if word and word not in known:
            raise InputError(f"--{name} must be one of {', '.join(known)}, got {word!r}")
    if not (modality or region or organ):
        return None
    regions, named = placed(organ)
    return Prompt(
        modality=modality.upper() if modality else None,
        regions=(region,) if region else regions,
        organ=named,
        confidence=1.0,
        rules_version="given",
    )


def _spelt(word: str | None) -> str | None:
    """Return a word as qagate spells it, however people write it: "Wrist/Hand", "lower extremity"."""
    return word and word.strip().lower().replace(" ", "_").replace("/", "_").replace("-", "_")


def judge_path(item: Input, rules: Rules, scorer: Scorer, settings: Settings, given: Prompt | None) -> list[Judged]:
    """Read and judge one input. Raises InputError when there is nothing in it that could be judged."""
    volumes = read(item, limits(settings))
    if not volumes.volumes:
        raise InputError(f"{item.path}: {volumes.why_empty.detail}")
    judged: list[Judged] = []
    for volume in volumes.volumes:
        prompt = _merged(read_prompt(volume, rules, given.modality if given else None), given)
        if prompt.modality is None:
            raise InputError(f"{item.path}: say what it is with --modality CT or --modality MR; the file does not")
        one = replace(volumes, volumes=(volume,))
        judged += assess(one, rules, scorer, settings, prompt=prompt, path=str(item.path))
    return judged


def _merged(read_off: Prompt, given: Prompt | None) -> Prompt:
    if given is None:
        return read_off
    return replace(
        read_off,
        modality=read_off.modality or given.modality,  # what the scanner wrote is known better
        regions=given.regions or read_off.regions,
        organ=given.organ or read_off.organ,
        confidence=1.0,
        exclusions=tuple(f for f in read_off.exclusions if f.code is not FindingCode.NOT_CT_OR_MR),
    )


def text(judged: Judged) -> str:
    """Return what a person reads: verdict, score, what it was taken for, reasons, artefacts, measurements."""
    assessment, verdict = judged.assessment, judged.verdict
    prompt = assessment.prompt
    words = " ".join(filter(None, (prompt.modality, *prompt.regions, prompt.organ, prompt.sequence)))
    score = "  –" if assessment.score is None else f"{assessment.score:3.0f}"
    interval = f" ({assessment.interval[0]:.0f}-{assessment.interval[1]:.0f})" if assessment.interval else ""
    shape = "x".join(map(str, assessment.geometry.shape)) if assessment.geometry else ""
    label = f" [{assessment.source.label}]" if assessment.source.label else ""
    head = f"{SHAPES[verdict.outcome]} {verdict.word:8} {score}{interval}"
    lines = [f"{head}  {words} · {shape}{label} · {assessment.source.path}"]
    said_by = {one.tag for one in prompt.evidence if one.says.startswith("modality:")}
    if said_by == {"PixelData"}:
        lines.append(f"    taken for {prompt.modality} by its values alone; --modality says what it is")
    lines += [f"    {reason}" for reason in verdict.reasons]
    grades = sorted(assessment.attributes.items(), key=lambda item: -item[1])[:4]
    if grades:
        lines.append("    artefacts  " + "  ".join(f"{name} {value:.2f}" for name, value in grades))
    if assessment.physics:
        lines.append("    measured   " + "  ".join(f"{m.name} {m.value:.3g} {m.unit}" for m in assessment.physics))
    return "\n".join(lines)
