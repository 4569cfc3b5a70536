"""Key object selection: a note that points at images. PS3.16 TID 2010.

`quality_issue` flags and has no side effects. `rejection_note` asks IOCM-aware archives to hide or delete the images:
it is only for an action that a person confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from highdicom.sr import (
    CodeContentItem,
    CompositeContentItem,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    ImageContentItem,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom import Dataset
from pydicom.uid import UID, KeyObjectSelectionDocumentStorage

from qagate.domain.assessment import Assessment
from qagate.domain.finding import Severity
from qagate.domain.verdict import Verdict
from qagate.errors import ReportError
from qagate.report import uids
from qagate.report.alike import Alike, extend
from qagate.report.attribute import clean
from qagate.report.codes import Code, Vocabulary
from qagate.report.document import Document
from qagate.report.evidence import Instance, Origin
from qagate.report.measured import finite, grade_of
from qagate.report.numbering import counted
from qagate.report.observer import concept, device_observer
from qagate.report.request import ReportRequest
from qagate.report.shell import evidence_sequence, request_sequence, series_uids, shell

GRADES = tuple(str(severity) for severity in Severity)  # none < mild < moderate < severe


def quality_issue(request: ReportRequest, origin: Origin, vocabulary: Vocabulary) -> Document:
    """Return a note (113010, DCM, "Quality Issue") on the images of the flagged volumes."""
    title = vocabulary.concepts["quality_issue"]
    reason = dominant_reason(request, vocabulary)
    words, frames = _description(request, origin), _frames(request)
    return _note(request, origin, vocabulary, title, reason, words, "quality issue", frames)


def rejection_note(
    request: ReportRequest, origin: Origin, vocabulary: Vocabulary, *, confirmed_by: str, reason: Code | None = None
) -> Document:
    """Return a note (113001, DCM, "Rejected for Quality Reasons"): the receiver may hide or delete the images.

    confirmed_by: who decided, as it may stand in the note. reason: of CID 7011; the dominant one when None. Raises
    ReportError when nobody confirmed.
    """
    who = clean(confirmed_by)
    if not who:
        raise ReportError("a rejection note needs the name of the person who confirmed it, got an empty one")
    title = vocabulary.concepts["rejected_for_quality"]
    words = f"Rejected by {who}. {_description(request, origin)}"
    return _note(request, origin, vocabulary, title, reason or dominant_reason(request, vocabulary), words, "rejection")


def withdrawal_note(request: ReportRequest, origin: Origin, vocabulary: Vocabulary, *, by: str) -> Document:
    """Return a note (131360, DCM, "Rejection Withdrawn") on the images of an earlier rejection note.

    by: who decided, as it may stand in the note. Raises ReportError when nobody did.
    """
    who = clean(by)
    if not who:
        raise ReportError("a withdrawal needs the name of the person who decided it, got an empty one")
    title = vocabulary.concepts["rejection_withdrawn"]
    words = f"The rejection of these images was withdrawn by {who}"
    return _note(request, origin, vocabulary, title, None, words, "withdrawal")


def dominant_reason(request: ReportRequest, vocabulary: Vocabulary) -> Code:
    """Return the one reason of CID 7011 that weighs most among the flagged volumes.

    What is over the policy's limit goes before what is not; then the higher grade; then the higher severity.
    """
    found: list[tuple[tuple[bool, int, float], Code]] = []
    for assessment, verdict in _flagged(request):
        modality, limits = assessment.prompt.modality, dict(verdict.attribute_limits)
        for finding in assessment.findings:
            grade = GRADES.index(str(finding.severity))
            if grade >= GRADES.index("moderate"):
                weight = grade / (len(GRADES) - 1)
                found.append(((True, grade, weight), vocabulary.term(str(finding.code), modality).reason))
        for name, value in assessment.attributes.items():
            if not finite(value):
                continue
            over, grade = value > limits.get(name, 1.0), GRADES.index(grade_of(value))
            if over or grade >= GRADES.index("moderate"):
                found.append(((over, grade, float(value)), vocabulary.term(name, modality).reason))
    return max(found, key=lambda pair: pair[0])[1] if found else vocabulary.reasons["other"]


def _flagged(request: ReportRequest) -> list[tuple[Assessment, Verdict]]:
    """Return the flagged volumes; all of them when none is, because then a person decided otherwise."""
    return [pair for pair in request.assessments if pair[1].flagged] or list(request.assessments)


def _description(request: ReportRequest, origin: Origin) -> str:
    lines = []
    for assessment, verdict in _flagged(request):
        score = "no score" if assessment.score is None else f"{assessment.score:.0f} of 100"
        head = f"{verdict.word}, {score}"
        reasons = list(verdict.reasons)
        if any("slice" in reason.lower() for reason in reasons) and (how := counted(origin, assessment)):
            reasons.append(how)
        lines.append(f"{head}: {'; '.join(reasons)}" if reasons else head)
    return clean(" | ".join(lines)) + " (AI, not for diagnosis)"


def _note(
    request: ReportRequest,
    origin: Origin,
    vocabulary: Vocabulary,
    title: Code,
    reason: Code | None,
    description: str,
    part: str,
    frames: Mapping[str, list[int]] = MappingProxyType({}),
) -> Document:
    instances = _instances(request, origin)
    if not instances:
        raise ReportError("a key object note needs at least one source instance, got none with a SOP Instance UID")
    document = shell(
        request,
        origin,
        sop_class_uid=KeyObjectSelectionDocumentStorage,
        sop_instance_uid=uids.derive(request.seed, "KO", part),
        modality="KO",
        series_instance_uid=series_uids(request)[2],
        series_number=request.settings.series_number + 2,
    )
    document.ReferencedPerformedProcedureStepSequence = []
    document.CurrentRequestedProcedureEvidenceSequence = evidence_sequence(origin, instances)
    if requests := request_sequence(origin):
        document.ReferencedRequestSequence = requests
    root = ContainerContentItem(name=concept(title), is_content_continuous=False, template_id="2010")
    try:
        root.ContentSequence = ContentSequence(_items(request, vocabulary, reason, description))
    except (AttributeError, TypeError, ValueError) as error:
        raise ReportError(f"the content of the note cannot be built: got {error}") from error
    extend(root, _references(instances, frames))
    for element in root:
        document.add(element)
    return Document("KO", (document,))


def _items(request: ReportRequest, vocabulary: Vocabulary, reason: Code | None, description: str) -> list[ContentItem]:
    modifiers = [
        CodeContentItem(
            name=concept(vocabulary.concepts["title_modifier"]),
            value=concept(code),
            relationship_type=RelationshipTypeValues.HAS_CONCEPT_MOD,
        )
        for code in (reason,)
        if code is not None
    ]
    words = TextContentItem(
        concept(vocabulary.concepts["object_description"]), description, RelationshipTypeValues.CONTAINS
    )
    return [*modifiers, *device_observer(request.station_name), words]


def _references(instances: Iterable[Instance], frames: Mapping[str, list[int]]) -> Iterator[Dataset]:
    alike: dict[bool, Alike] = {}
    for instance in instances:
        if instance.is_image not in alike:
            alike[instance.is_image] = Alike(_reference(instance))
        numbers = frames.get(instance.sop_instance_uid, [])
        some = numbers if 0 < len(numbers) < instance.frames else []
        yield alike[instance.is_image].image(instance.sop_class_uid, instance.sop_instance_uid, some)


def _reference(instance: Instance) -> Dataset:
    item = (ImageContentItem if instance.is_image else CompositeContentItem)(
        name=concept(Code("DCM", "113010", "Quality Issue")),
        referenced_sop_class_uid=UID(instance.sop_class_uid),
        referenced_sop_instance_uid=UID(instance.sop_instance_uid),
        relationship_type=RelationshipTypeValues.CONTAINS,
    )
    del item.ConceptNameCodeSequence  # TID 2010 rows 8-10: no purpose of reference; highdicom insists on one
    return item


def _frames(request: ReportRequest) -> dict[str, list[int]]:
    """Return the frames of the flagged volumes by object: one object may hold good volumes beside them.

    Only to flag them: what is rejected is always a whole object.
    """
    found: dict[str, set[int]] = {}
    for assessment, _ in _flagged(request):
        for row in assessment.slices:
            found.setdefault(row.sop_instance_uid, set()).update([row.frame] if row.frame is not None else [])
    return {uid: sorted(numbers) for uid, numbers in found.items()}


def _instances(request: ReportRequest, origin: Origin) -> tuple[Instance, ...]:
    """Return the instances of the flagged volumes; all of them when that is not known."""
    flagged = _flagged(request)
    if len(flagged) < len(request.assessments) and all(assessment.slices for assessment, _ in flagged):
        wanted = {row.sop_instance_uid for assessment, _ in flagged for row in assessment.slices}
        return tuple(i for i in origin.instances if i.sop_instance_uid in wanted)
    return origin.instances
