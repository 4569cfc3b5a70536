"""Commands that look at files: score, process, explain, train."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qagate.cli import BAD_INPUT, plain_errors
from qagate.cli.options import Config, settings_from
from qagate.errors import InputError

if TYPE_CHECKING:
    from qagate.work.inputs import Input

Paths = Annotated[list[Path], typer.Argument(help="DICOM files or folders, NIfTI, PNG, JPEG, TIFF, BMP or GIF.")]


@plain_errors
def score(
    paths: Paths,
    json_lines: Annotated[bool, typer.Option("--json", help="One qagate.assessment/1 object per line.")] = False,
    modality: Annotated[str | None, typer.Option(help="CT or MR, where the file cannot say it.")] = None,
    region: Annotated[str | None, typer.Option(help="Region in qagate's words, as chest or abdomen.")] = None,
    organ: Annotated[str | None, typer.Option(help="Organ or region in qagate's words, as brain or chest.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model folder; the shipped one when absent.")] = None,
    config: Config = None,
) -> None:
    """Score files and folders; several series in one folder are told apart."""
    from qagate.cli.scoring import given_prompt, judge_path, text
    from qagate.domain.assessment import document
    from qagate.prompt.rules import load_rules
    from qagate.score.scorer import Scorer
    from qagate.store.assessments import verdict_document

    settings = settings_from(config)
    prompt = given_prompt(modality, region, organ)
    items = _found(paths)
    scorer = Scorer.load(model or settings.model.folder, settings.model.device, settings.model.threads)
    rules = load_rules(settings.model.rules_file)
    unusable = 0
    for item in _with_progress(items):
        try:
            judged = judge_path(item, rules, scorer, settings, prompt)
        except InputError as error:
            typer.echo(f"qagate: {error}", err=True)
            unusable += 1
            continue
        for one in judged:
            if json_lines:
                typer.echo(
                    json.dumps({**document(one.assessment), **verdict_document(one.verdict)}, ensure_ascii=False)
                )
            else:
                typer.echo(text(one))
    if unusable:
        raise typer.Exit(BAD_INPUT)


def _found(paths: list[Path]) -> list[Input]:
    """Return what the paths hold. Raises InputError when that is nothing at all."""
    from qagate.work.inputs import find

    items = list(find(paths))
    if not items:
        raise InputError(f"there is no file to look at, got {', '.join(map(str, paths))}")
    return items


def _with_progress(items: list[Input]) -> Iterator[Input]:
    """Yield items under a bar on standard error, where a person is watching more than one."""
    if len(items) < 2 or not sys.stderr.isatty():
        yield from items
        return
    with typer.progressbar(items, label="scoring", file=sys.stderr) as bar:
        yield from bar


@plain_errors
def process(
    source: Annotated[Path, typer.Argument(metavar="IN", envvar="MERCURE_IN_DIR", help="Folder of DICOM files.")],
    target: Annotated[
        Path, typer.Argument(metavar="OUT", envvar="MERCURE_OUT_DIR", help="Folder for the answers; made if absent.")
    ],
    model: Annotated[Path | None, typer.Option(help="Model folder; the shipped one when absent.")] = None,
    config: Config = None,
) -> None:
    """Judge a folder into a folder, for routers: SR, SC and KO of each series, and qagate.json about all of them."""
    from qagate.clock import SystemClock
    from qagate.prompt.rules import load_rules
    from qagate.score.scorer import Scorer
    from qagate.work.folder import process as judge_folder

    settings = settings_from(config)
    scorer = Scorer.load(model or settings.model.folder, settings.model.device, settings.model.threads)
    answers = judge_folder(source, target, load_rules(settings.model.rules_file), scorer, settings, SystemClock())
    for answer in answers:
        typer.echo(f"{answer.outcome:9} {answer.path}" + (f" · {answer.reasons[0]}" if answer.reasons else ""))
    if not answers:
        raise InputError(f"there is no file to judge, got {source}")
    if any(answer.outcome == "unusable" for answer in answers):
        raise typer.Exit(BAD_INPUT)


@plain_errors
def explain(
    path: Annotated[Path, typer.Argument(help="A DICOM file or a folder of them, a NIfTI file or a picture.")],
    config: Config = None,
) -> None:
    """Say what a file is taken for, how sure that is, and which tag (or the look of its pixels) said so."""
    from qagate.prompt.explain import explain as words
    from qagate.prompt.infer import infer
    from qagate.prompt.rules import load_rules
    from qagate.work.assessing import limits
    from qagate.work.inputs import read
    from qagate.work.reading import read_prompt

    settings = settings_from(config)
    rules = load_rules(settings.model.rules_file)
    pages = []
    unusable = 0
    for item in _found([path]):
        try:
            series = read(item, limits(settings))
        except InputError as error:
            typer.echo(f"qagate: {error}", err=True)
            unusable += 1
            continue
        for volume in series.volumes:
            title = f"{item.path} [{volume.label}]\n" if volume.label else ""
            pages.append(title + words(read_prompt(volume, rules)))
        if not series.volumes:
            pages.append(words(infer(series.tags, rules)))
    if pages:
        typer.echo("\n\n".join(pages))
    if unusable:
        raise typer.Exit(BAD_INPUT)


def train(context: typer.Context) -> None:
    """Make, measure and adapt models: pack, fit, export, benchmark, ablate, card, evaluate, finetune, trial."""
    from qagate.cli.labelled import read
    from qagate.train.__main__ import main

    raise typer.Exit(main(context.args, read))
