"""Page: the one-page picture of an assessment, 1024 x 1024, for viewers that cannot show a structured report."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

import qagate
from qagate.domain import measurement
from qagate.domain.assessment import Assessment
from qagate.domain.finding import UNSCORABLE
from qagate.domain.verdict import Outcome, Verdict
from qagate.report.canvas import LINE, OUTCOME_COLOURS, QUIET, TEXT, Canvas, drawable
from qagate.report.evidence import Origin
from qagate.report.measured import finite, grade_of
from qagate.report.numbering import counted, images_of
from qagate.report.request import ReportRequest
from qagate.report.shell import local

SIDE = 1024
MARGIN = 40
WIDTH = SIDE - 2 * MARGIN
PICTURE = 220
GAP = (WIDTH - 4 * PICTURE) // 3
NOTICE = "Image quality (AI). Not for diagnosis."
_MOMENT = re.compile(r"(\d{8})(\d{4})?")
ROWS = 8
LINES = 5


def page(request: ReportRequest, origin: Origin) -> npt.NDArray[np.uint8]:
    """Return the page on the volume that decided the verdict, uint8 (1024, 1024, 3)."""
    assessment, verdict = speaker(request)
    canvas = Canvas(SIDE, SIDE)
    y = _head(canvas, assessment, verdict)
    y = _words(canvas, y, request, origin, assessment)
    y = _reasons(canvas, y, assessment, verdict)
    y = _pictures(canvas, y, request, origin, assessment, verdict)
    _tables(canvas, y, assessment, verdict)
    _foot(canvas, request, origin, assessment, verdict)
    return canvas.pixels()


def speaker(request: ReportRequest) -> tuple[Assessment, Verdict]:
    """Return the volume that the page is about: of those with the overall verdict the one with the lowest score."""
    same = [pair for pair in request.assessments if pair[1].outcome is request.overall.outcome]
    candidates = same or list(request.assessments)
    return min(candidates, key=lambda pair: 101.0 if pair[0].score is None else pair[0].score)


def shown_slices(request: ReportRequest, assessment: Assessment) -> list[tuple[int, bool]]:
    """Return up to four (0-based slice index, is the good one) among the pictures: three worst, then the best.

    Without scores the first four pictures are shown, in the order of the slices.
    """
    volume = assessment.source.volume_index
    there = sorted(index for number, index in request.pictures if number == volume)
    scores = {i: s.score for i, s in enumerate(assessment.slices) if s.score is not None}
    ranked = sorted((i for i in there if i in scores), key=lambda i: (scores[i], i))
    if not ranked:
        return [(index, False) for index in there[:4]]
    if len(ranked) == 1:
        return [(ranked[0], False)]
    return [(index, False) for index in ranked[:-1][:3]] + [(ranked[-1], True)]


def _head(canvas: Canvas, assessment: Assessment, verdict: Verdict) -> int:
    colour = OUTCOME_COLOURS[verdict.outcome]
    canvas.mark(MARGIN, 36, 92, verdict.outcome)
    x = MARGIN + 92 + 28
    x += canvas.text(x, 48, verdict.word, 64, colour) + 32
    if assessment.score is None:
        return 152
    x += canvas.text(x, 48, f"{assessment.score:.0f}", 64, TEXT) + 14
    canvas.text(x, 84, "of 100", 24, QUIET)
    left, width = 604, SIDE - MARGIN - 604
    low, high = assessment.interval or (assessment.score, assessment.score)
    limit = None if verdict.limit is None else verdict.limit / 100
    canvas.span(left, 66, width, low / 100, high / 100, assessment.score / 100, colour, limit)
    canvas.text(left, 92, f"likely {low:.0f} to {high:.0f}", 20, QUIET)
    if verdict.limit is not None:
        canvas.text(left + width, 92, f"limit {verdict.limit:.0f}", 20, QUIET, anchor="ra")
    return 152


def _words(canvas: Canvas, y: int, request: ReportRequest, origin: Origin, assessment: Assessment) -> int:
    prompt = assessment.prompt
    place = [prompt.organ] if prompt.organ else [*prompt.regions]
    what = " ".join(word for word in (prompt.modality or origin.modality, *place, prompt.sequence) if word)
    label = drawable(origin.words["SeriesDescription"]) or drawable(origin.words["ProtocolName"])
    parts = [what.replace("_", " "), label, assessment.source.label]
    canvas.text(
        MARGIN, y, "  ·  ".join(part for part in parts if part) or "Series without a description", 26, TEXT, WIDTH
    )
    details = [f"accession {origin.attributes['AccessionNumber']}"] if origin.attributes["AccessionNumber"] else []
    if when := _when(origin):
        details.append(when)
    details.append(f"{assessment.source.instances} images")
    if counted(origin, assessment):
        details.append(f"slice 1 is image {images_of(origin, assessment)[0]}")
    canvas.text(MARGIN, y + 38, "  ·  ".join(details), 20, QUIET, WIDTH)
    if len(request.assessments) > 1:
        number, every = assessment.source.volume_index + 1, len(request.assessments)
        scores = [v.word if a.score is None else f"{v.word} {a.score:.0f}" for a, v in request.assessments]
        y += 30
        canvas.text(MARGIN, y + 38, f"volume {number} of {every}: {', '.join(scores)}", 20, QUIET, WIDTH)
    canvas.rule(MARGIN, y + 76, WIDTH)
    return y + 92


def _when(origin: Origin) -> str:
    """Return when the images were acquired, else when the study began; Enhanced objects say the former in one value."""
    moment = _MOMENT.match(origin.words["AcquisitionDateTime"])
    day, time = origin.words["AcquisitionDate"], origin.words["AcquisitionTime"]
    if moment and not (day and time):
        day, time = moment[1], moment[2] or ""
    if day:
        return f"acquired {_moment(day, time)}"
    day, time = origin.attributes["StudyDate"], origin.attributes["StudyTime"]
    return f"study of {_moment(day, time)}" if day else ""


def _moment(day: str, time: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:]}" + (f" {time[:2]}:{time[2:4]}" if len(time) >= 4 else "")


def _reasons(canvas: Canvas, y: int, assessment: Assessment, verdict: Verdict) -> int:
    reasons = list(verdict.reasons)
    if verdict.outcome is Outcome.UNSCORED and not reasons:
        reasons = [finding.detail for finding in assessment.findings if finding.code in UNSCORABLE]
    if not reasons:
        words = "Meets the standard of this site." if verdict.outcome is Outcome.ACCEPT else "No reason was given."
        canvas.text(MARGIN, y, words, 22, QUIET, WIDTH)
        return y + 46
    room, indent = LINES, 36 if len(reasons) > 1 else 0
    for number, reason in enumerate(reasons, 1):
        last = room == 1 and number < len(reasons)
        if last:
            reason = f"and {len(reasons) - number + 1} more reasons, in the structured report"
        if indent and not last:
            canvas.text(MARGIN, y, str(number), 22, OUTCOME_COLOURS[verdict.outcome])
        # two lines a reason, but the last line is kept for saying that there are more
        lines = canvas.wrap(reason, 22, WIDTH - indent, min(2, room - (number < len(reasons) and room > 1)))
        for line in lines:
            canvas.text(MARGIN + indent, y, line, 22, QUIET if last else TEXT)
            y += 30
        y += 2
        room -= len(lines)
        if room <= 0:
            break
    if verdict.outcome is Outcome.UNSCORED:
        canvas.text(MARGIN, y + 8, "This says nothing about how good the images are.", 20, QUIET, WIDTH)
        y += 38
    return y + 16


def _pictures(
    canvas: Canvas, y: int, request: ReportRequest, origin: Origin, assessment: Assessment, verdict: Verdict
) -> int:
    shown = shown_slices(request, assessment)
    if not shown:
        return y
    images = images_of(origin, assessment) if counted(origin, assessment) else ()
    spacing = assessment.geometry.spacing_mm if assessment.geometry else (1.0, 1.0, 1.0)
    aspect = spacing[1] / spacing[2]
    for column, (index, is_good) in enumerate(shown):
        x = MARGIN + column * (PICTURE + GAP)
        grey = request.pictures[assessment.source.volume_index, index]
        score = assessment.slices[index].score if index < len(assessment.slices) else None
        # the best slice of a bad series is not good: only what meets the limit is shown as such
        good = is_good and score is not None and score >= (verdict.limit or 0.0)
        colour = OUTCOME_COLOURS[Outcome.ACCEPT] if good else QUIET
        canvas.picture(x, y, PICTURE, grey, aspect, colour if good else LINE)
        total = len(assessment.slices)
        other = index < len(images) and images[index] not in (None, index + 1)
        more = f", image {images[index]}" if other else f" of {total}" if total else ""
        canvas.text(x, y + PICTURE + 8, f"slice {index + 1}{more}", 18, TEXT, PICTURE)
        canvas.text(x, y + PICTURE + 32, _caption(assessment, index, is_good), 18, colour, PICTURE)
    return y + PICTURE + 72


def _caption(assessment: Assessment, index: int, is_good: bool) -> str:
    if index >= len(assessment.slices):
        return ""
    row = assessment.slices[index]
    score = "no score" if row.score is None else f"score {row.score:.0f}"
    if is_good:
        return f"{score}, for comparison"
    named = next((f for f in assessment.findings if row.sop_instance_uid in f.sop_instance_uids), None)
    return f"{score}, {str(named.code).replace('_', ' ')}" if named else score


def _tables(canvas: Canvas, y: int, assessment: Assessment, verdict: Verdict) -> None:
    bottom = SIDE - 128
    rows = min(ROWS, (bottom - y - 34) // 30)
    if rows < 1:
        return
    graded = sorted(((v, n) for n, v in assessment.attributes.items() if finite(v)), reverse=True)
    if graded and assessment.score is not None:
        _artefacts(canvas, y, graded[:rows], verdict)
    measured = [row for row in assessment.physics if finite(row.value)]
    if measured:
        left = MARGIN + 560 if graded and assessment.score is not None else MARGIN
        canvas.text(left, y, "Measured", 18, QUIET)
        for place, row in enumerate(measured[:rows]):
            top = y + 32 + place * 30
            value = f"{measurement.number(row.name, row.value)} {measurement.unit(row.name, row.unit)}".strip()
            canvas.text(left, top, measurement.words(row.name), 18, TEXT, 220)
            canvas.text(left + 384, top, value, 18, TEXT, 150, anchor="ra")


def _artefacts(canvas: Canvas, y: int, graded: list[tuple[float, str]], verdict: Verdict) -> None:
    limits = dict(verdict.attribute_limits)
    canvas.text(MARGIN, y, "Artefacts", 18, QUIET)
    if any(name in limits for _, name in graded):
        canvas.text(MARGIN + 480, y, "tick = limit", 18, QUIET, anchor="ra")
    for place, (value, name) in enumerate(graded):
        top = y + 32 + place * 30
        limit = limits.get(name)
        over = limit is not None and value > limit
        colour = OUTCOME_COLOURS[Outcome.REVIEW] if over else QUIET
        canvas.text(MARGIN, top, name.replace("_", " "), 18, TEXT, 160)
        canvas.bar(MARGIN + 170, top + 6, 200, 10, value, colour, limit)
        canvas.text(MARGIN + 480, top, grade_of(value), 18, colour if over else TEXT, anchor="ra")


def _foot(canvas: Canvas, request: ReportRequest, origin: Origin, assessment: Assessment, verdict: Verdict) -> None:
    top = SIDE - 112
    canvas.rule(MARGIN, top, WIDTH)
    canvas.text(MARGIN, top + 14, NOTICE, 22, TEXT)
    now = local(request.created_at, origin.timezone)
    stamp = f"{now:%Y-%m-%d %H:%M} UTC{now:%z}".replace("UTC+0000", "UTC")
    canvas.text(SIDE - MARGIN, top + 17, stamp, 18, QUIET, anchor="ra")
    model = f"{assessment.model.name} {assessment.model.version}" if assessment.model else "no model"
    parts = [f"qagate {qagate.__version__}", model, f"policy {verdict.policy}", f"revision {request.revision}"]
    canvas.text(MARGIN, top + 46, "  ·  ".join([*parts, request.station_name]), 18, QUIET, WIDTH)
    if request.public_url:
        canvas.text(MARGIN, top + 72, request.public_url, 18, QUIET, WIDTH)
