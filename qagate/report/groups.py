"""Groups: what is said about one volume, as measurement groups of PS3.16 TID 1501."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from highdicom.sr import (
    AlgorithmIdentification,
    CodeContentItem,
    ContentItem,
    ContentSequence,
    FindingSite,
    ImageContentItem,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    NumContentItem,
    QualitativeEvaluation,
    RelationshipTypeValues,
    SourceImageForMeasurement,
    SourceImageForMeasurementGroup,
    TextContentItem,
    TrackingIdentifier,
)
from pydicom.sr.codedict import codes as standard
from pydicom.uid import UID

import qagate
from qagate.domain.assessment import Assessment
from qagate.domain.verdict import Verdict
from qagate.report import uids
from qagate.report.alike import Alike, extend
from qagate.report.attribute import clean
from qagate.report.codes import Code, Vocabulary
from qagate.report.evidence import Origin
from qagate.report.measured import finite, grade_of, rounded, share
from qagate.report.numbering import counted
from qagate.report.observer import concept
from qagate.report.request import ReportRequest
from qagate.report.shell import MANUFACTURER, MODEL_NAME, short

WORTH_A_FINDING = ("moderate", "severe")

Group = MeasurementsAndQualitativeEvaluations
Related = RelationshipTypeValues


def volume_group(
    request: ReportRequest, assessment: Assessment, verdict: Verdict, origin: Origin, vocabulary: Vocabulary
) -> Group:
    """Return the group that says how good one volume is. PS3.16 TID 1501."""
    sources = _sources(request, assessment, origin)
    group = Group(
        tracking_identifier=_tracking(request, assessment, "volume"),
        finding_type=concept(vocabulary.concepts["image_quality"]),
        algorithm_id=_algorithm(assessment, verdict, vocabulary),
        finding_sites=_sites(assessment, vocabulary),
        measurements=list(_measurements(assessment, vocabulary)),
        qualitative_evaluations=list(_evaluations(assessment, verdict, origin, vocabulary)),
        source_images=[
            SourceImageForMeasurementGroup(UID(sop_class), UID(sop_instance), frames or None)
            for sop_class, sop_instance, frames in sources[:1]
        ],
    )
    if others := sources[1:]:
        like_first = Alike(group[0].ContentSequence[-1])
        extend(group[0], [like_first.image(*source) for source in others])
    comments = [*verdict.reasons, *(f.detail for f in assessment.findings if f.detail not in verdict.reasons)]
    comments += [counted(origin, assessment)] if any("slice" in one.lower() for one in verdict.reasons) else []
    comments += request.notes
    _comment(group, comments, vocabulary)
    return group


def slice_group(
    request: ReportRequest, assessment: Assessment, verdict: Verdict, origin: Origin, vocabulary: Vocabulary
) -> Group | None:
    """Return the group with one rating for each slice that has one, None when no slice has."""
    rating, unit = vocabulary.concepts["rating"], vocabulary.unit("{0:100}")
    known = {instance.sop_instance_uid: instance for instance in origin.instances}
    rows: list[tuple[float, str, str, list[int]]] = []
    for row in assessment.slices:
        instance = known.get(row.sop_instance_uid)
        if instance is None or row.score is None or not finite(row.score):
            continue
        # a reference without a frame number means all frames, so frame numbers stand only where there are several
        frames = [row.frame] if row.frame is not None and instance.frames > 1 else []
        rows.append((round(float(row.score), 1), instance.sop_class_uid, instance.sop_instance_uid, frames))
    if not rows:
        return None
    score, sop_class, sop_instance, frames = rows[0]
    image = SourceImageForMeasurement(UID(sop_class), UID(sop_instance), frames or None)
    first = Measurement(concept(rating), score, concept(unit), referenced_images=[image])
    scored = len(rows)
    counts = [
        Measurement(concept(vocabulary.concepts[name]), count, concept(vocabulary.unit("{slices}")))
        for name, count in (("slices_scored", scored), ("slices", len(assessment.slices)))
    ]
    group = Group(
        tracking_identifier=_tracking(request, assessment, "slices"),
        finding_type=concept(vocabulary.concepts["image_quality"]),
        algorithm_id=_algorithm(assessment, verdict, vocabulary),
        finding_sites=_sites(assessment, vocabulary),
        measurements=[*counts, first],
    )
    like_first = Alike(first[0])
    extend(group[0], [like_first.number(*row) for row in rows[1:]])
    _comment(group, [f"{scored} of {len(assessment.slices)} slices scored"], vocabulary)
    return group


def _measurements(assessment: Assessment, vocabulary: Vocabulary) -> Iterator[Measurement]:
    percent, plain = vocabulary.unit("{0:100}"), vocabulary.unit("1")
    modality = assessment.prompt.modality

    def number(code: Code, value: float, unit: Code) -> Measurement:
        return Measurement(concept(code), value, concept(unit))

    if assessment.score is not None:
        yield number(vocabulary.concepts["rating"], round(float(assessment.score), 1), percent)
        if assessment.interval is not None:
            low, high = assessment.interval
            yield number(vocabulary.concepts["rating_low"], round(float(low), 1), percent)
            yield number(vocabulary.concepts["rating_high"], round(float(high), 1), percent)
        for name, value in assessment.attributes.items():
            if finite(value):
                yield number(vocabulary.term(name, modality).code, round(share(value), 2), plain)
    if assessment.out_of_domain is not None and finite(assessment.out_of_domain):
        yield number(vocabulary.concepts["out_of_domain"], round(float(assessment.out_of_domain), 3), plain)
    for row in assessment.physics:
        if finite(row.value):
            yield number(vocabulary.measurement(row.name), rounded(row.value), vocabulary.unit(row.unit))


def _evaluations(
    assessment: Assessment, verdict: Verdict, origin: Origin, vocabulary: Vocabulary
) -> Iterator[QualitativeEvaluation]:
    """Yield the words: verdict, quality, grade of each artefact, and findings in the shape of TID 4014."""
    concepts, modality = vocabulary.concepts, assessment.prompt.modality
    answer = vocabulary.outcomes[str(verdict.outcome)]
    yield _says(concepts["verdict"], answer.code)
    if answer.quality and answer.assessment:
        yield _says(concepts["series_quality"], answer.quality)
        yield _says(concepts["quality_assessment"], answer.assessment)
        yield _says(concepts["quality_control_standard"], concepts["institutional"])
    if assessment.score is not None:
        graded = {name: value for name, value in assessment.attributes.items() if finite(value)}
        for name, value in graded.items():
            yield _says(vocabulary.term(name, modality).code, vocabulary.severities[grade_of(value)])
        for name, value in graded.items():
            if grade_of(value) in WORTH_A_FINDING:
                found = _says(concepts["quality_finding"], vocabulary.term(name, modality).code)
                below: list[ContentItem] = [_grade(grade_of(value), vocabulary)]
                if answer.assessment:
                    below += [
                        _property(concepts["quality_assessment"], answer.assessment),
                        _property(concepts["quality_control_standard"], concepts["institutional"]),
                    ]
                below.append(
                    NumContentItem(
                        name=concept(concepts["rating"]),
                        value=round(100.0 * (1.0 - share(value)), 1),
                        unit=concept(vocabulary.unit("{0:100}")),
                        relationship_type=Related.HAS_PROPERTIES,
                    )
                )
                found[0].ContentSequence = ContentSequence(below)
                yield found
    known = {instance.sop_instance_uid: instance for instance in origin.instances if instance.is_image}
    for finding in assessment.findings:
        found = _says(concepts["quality_finding"], vocabulary.term(str(finding.code), modality).code)
        images = [known[one] for one in dict.fromkeys(finding.sop_instance_uids) if one in known]
        found[0].ContentSequence = ContentSequence(
            [
                _grade(str(finding.severity), vocabulary),
                *(
                    ImageContentItem(
                        name=standard.DCM.SourceOfMeasurement,
                        referenced_sop_class_uid=UID(image.sop_class_uid),
                        referenced_sop_instance_uid=UID(image.sop_instance_uid),
                        relationship_type=Related.INFERRED_FROM,
                    )
                    for image in images
                ),
            ]
        )
        yield found


def _says(name: Code, value: Code) -> QualitativeEvaluation:
    return QualitativeEvaluation(concept(name), concept(value))


def _grade(severity: str, vocabulary: Vocabulary) -> CodeContentItem:
    return CodeContentItem(
        name=concept(vocabulary.concepts["severity"]),
        value=concept(vocabulary.severities[severity]),
        relationship_type=Related.HAS_CONCEPT_MOD,
    )


def _property(name: Code, value: Code) -> CodeContentItem:
    return CodeContentItem(name=concept(name), value=concept(value), relationship_type=Related.HAS_PROPERTIES)


def _comment(group: Group, sentences: Iterable[str], vocabulary: Vocabulary) -> None:
    """Add sentences to a group: highdicom offers no text evaluation, TID 1501 is extensible."""
    for sentence in dict.fromkeys(clean(sentence) for sentence in sentences):
        if sentence:
            item = TextContentItem(concept(vocabulary.concepts["comment"]), sentence, Related.CONTAINS)
            group[0].ContentSequence.append(item)


def _tracking(request: ReportRequest, assessment: Assessment, part: str) -> TrackingIdentifier:
    index, label = assessment.source.volume_index, assessment.source.label
    words = [f"qagate {part} {index + 1}", *([label] if label else [])]
    return TrackingIdentifier(
        uid=uids.derive(request.seed, "tracking", part, str(index)), identifier=clean(", ".join(words))
    )


def _algorithm(assessment: Assessment, verdict: Verdict, vocabulary: Vocabulary) -> AlgorithmIdentification:
    """Return which algorithm said it, with all that is needed to repeat it. PS3.16 TID 4019."""
    model, prompt = assessment.model, assessment.prompt
    parameters = [
        f"software={MODEL_NAME} {qagate.__version__}",
        *([f"model_sha256={model.sha256}"] if model else []),
        *([f"rules={prompt.rules_version}"] if prompt.rules_version else []),
        f"policy={verdict.policy}",
        *([f"limit={verdict.limit:g}"] if verdict.limit is not None else []),
        *(f"limit {name}={limit:g}" for name, limit in verdict.attribute_limits),
        f"codes={vocabulary.version}",
    ]
    words = {"modality": prompt.modality, "regions": ",".join(prompt.regions), "organ": prompt.organ}
    words |= {"sequence": prompt.sequence, "kernel": prompt.kernel, "plane": prompt.plane}
    parameters.append("prompt=" + " ".join(f"{name}:{word}" for name, word in words.items() if word))
    return AlgorithmIdentification(
        name=short(model.name if model else MODEL_NAME),
        version=short(model.version if model else qagate.__version__),
        manufacturer=MANUFACTURER,
        family=concept(vocabulary.concepts["artificial_intelligence"]),
        parameters=[clean(parameter) for parameter in parameters],
    )


def _sites(assessment: Assessment, vocabulary: Vocabulary) -> list[FindingSite] | None:
    """Return where in the body: regions, then the organ; None when it is not known."""
    prompt = assessment.prompt
    found = [vocabulary.regions[region] for region in prompt.regions if region in vocabulary.regions]
    if prompt.organ is not None and prompt.organ in vocabulary.organs:
        found.append(vocabulary.organs[prompt.organ])
    return [FindingSite(concept(code)) for code in dict.fromkeys(found)] or None


def _sources(request: ReportRequest, assessment: Assessment, origin: Origin) -> list[tuple[str, str, list[int]]]:
    """Return (SOP class UID, SOP instance UID, frame numbers) of the images of one volume.

    A volume that could not be built lists no slices: then all images that no other volume claims are meant.
    """
    if assessment.slices:
        frames: dict[str, list[int]] = {}
        for row in assessment.slices:
            frames.setdefault(row.sop_instance_uid, []).extend([row.frame] if row.frame else [])
    else:
        claimed = {row.sop_instance_uid for other, _ in request.assessments for row in other.slices}
        frames = {i.sop_instance_uid: [] for i in origin.instances if i.sop_instance_uid not in claimed}
    found = []
    for instance in origin.instances:
        if instance.is_image and instance.sop_instance_uid in frames:
            numbers = sorted(set(frames[instance.sop_instance_uid]))
            everything = len(numbers) >= instance.frames
            found.append((instance.sop_class_uid, instance.sop_instance_uid, [] if everything else numbers))
    return found
