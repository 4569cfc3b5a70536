"""docs/conformance.md: the DICOM Conformance Statement, from a text and tables of the code. Source: PS3.2 Annex A."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from pydicom.uid import UID

TEMPLATE = Path(__file__).with_name("conformance.md.j2")

AS_USER = {
    "1.2.840.10008.1.1": "destinations, in `qagate check`",
    "1.2.840.10008.1.20.1": "destinations with `commitment = true`",
    "1.2.840.10008.5.1.4.1.2.2.1": "destinations with `counts`, `retrieve` or `reconcile`",
    "1.2.840.10008.5.1.4.1.2.2.2": 'destinations with `retrieve = "c-move"`',
    "1.2.840.10008.5.1.4.1.2.2.3": 'destinations with `retrieve = "c-get"`',
}
"""SOP classes beside storage that we use, and towards whom; a test holds them against the rooms that use them."""

NEGOTIATED = ("max_pdu_bytes", "max_associations", "acse_timeout_seconds", "dimse_timeout_seconds")
"""Settings of the node that a peer meets when it opens an association."""


def conformance_page(note: str) -> str:
    """Return docs/conformance.md. note: says that it is made."""
    import qagate
    from qagate.domain.implementation import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
    from qagate.receive.contexts import served
    from qagate.report.codes import PRIVATE_DESIGNATOR, load
    from qagate.settings import Node
    from qagate.work.preflight import DOCUMENT_CLASSES

    services, vocabulary = served(), load()
    node = {name: field for name, field in Node.model_fields.items() if isinstance(field.default, int | float | str)}
    overview = [(UID(uid).name, uid, AS_USER.get(uid, ""), "yes") for uid in services]
    overview += [(UID(uid).name, uid, towhom, "no") for uid, towhom in AS_USER.items() if uid not in services]
    overview += [(name, uid, "destinations", "kept, not scored") for uid, name in DOCUMENT_CLASSES.items()]
    private = {
        code.value: code.meaning
        for group in (vocabulary.concepts, vocabulary.measurements, vocabulary.severities, vocabulary.reasons)
        for code in group.values()
        if code.scheme == PRIVATE_DESIGNATOR
    }
    private |= {
        term.code.value: term.code.meaning
        for term in vocabulary.terms.values()
        if term.code.scheme == PRIVATE_DESIGNATOR
    }
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        note=note.strip(),
        version=qagate.__version__,
        class_uid=IMPLEMENTATION_CLASS_UID,
        version_name=IMPLEMENTATION_VERSION_NAME,
        overview=_rows(overview),
        parameters=_rows((node[name].description, f"{node[name].default} (`node.{name}`)") for name in NEGOTIATED),
        served=_rows(
            (UID(uid).name, uid, ", ".join(UID(s).name for s in context.transfer_syntax), _roles(context), "")
            for uid, context in services.items()
        ),
        documents=_rows(
            (name, uid, "Explicit VR Little Endian, Implicit VR Little Endian")
            for uid, name in DOCUMENT_CLASSES.items()
        ),
        settings=_rows((f"`node.{name}`", field.default, field.description) for name, field in node.items()),
        designator=PRIVATE_DESIGNATOR,
        scheme_name=vocabulary.private_name,
        vocabulary_version=vocabulary.version,
        private_codes=_rows(sorted(private.items())),
    )


def _roles(context: object) -> str:
    return "SCP, SCU" if getattr(context, "scu_role", None) else "SCP"


def _rows(rows: Iterable[Iterable[object]]) -> str:
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)
