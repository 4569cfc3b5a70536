"""Presentation contexts: which services and transfer syntaxes we take. Source: PS3.8 9.3.2, PS3.4."""

from __future__ import annotations

from typing import Any

from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom.presentation import PresentationContext, build_context

_VERIFICATION = "1.2.840.10008.1.1"
_MODALITY_PERFORMED_PROCEDURE_STEP = "1.2.840.10008.3.1.2.3.3"
_STORAGE_COMMITMENT_PUSH_MODEL = "1.2.840.10008.1.20.1"


def contexts_for(requested: list[Any], served: dict[str, PresentationContext]) -> list[PresentationContext]:
    """Return the presentation contexts to support for this request, one for each abstract syntax in it.

    `served` holds the services that are not storage, by SOP class; what it does not name is taken as storage, with the
    transfer syntaxes that the peer proposes: its first one, but explicit VR before the encodings that lose the VR or
    turn the bytes. Storing is all that happens to it, so nothing has to be known about it. Source: PS3.8 9.3.2.2.
    """
    supported: dict[str, PresentationContext] = {}
    for proposal in requested:
        abstract_syntax = str(proposal.abstract_syntax)
        if abstract_syntax in served:
            supported[abstract_syntax] = served[abstract_syntax]
            continue
        proposed = [str(uid) for uid in proposal.transfer_syntax]
        if not proposed:
            continue
        chosen = proposed[0]
        if chosen in (ImplicitVRLittleEndian, ExplicitVRBigEndian) and ExplicitVRLittleEndian in proposed:
            chosen = ExplicitVRLittleEndian
        context = supported.get(abstract_syntax)
        if context is None:
            context = supported[abstract_syntax] = PresentationContext()
            context.abstract_syntax = abstract_syntax
            context.scu_role = True
            context.scp_role = True
        if chosen not in context.transfer_syntax:
            context.add_transfer_syntax(chosen)
    return list(supported.values())


def served() -> dict[str, PresentationContext]:
    """Return the services beside storage, by SOP class."""
    syntaxes: list[Any] = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian]
    echo = build_context(_VERIFICATION, syntaxes)
    commitment = build_context(_STORAGE_COMMITMENT_PUSH_MODEL, syntaxes)
    # the result comes from the provider, which takes the SCP role on an association that it opens (PS3.4 J.3.3)
    commitment.scu_role = True
    commitment.scp_role = True
    steps = build_context(_MODALITY_PERFORMED_PROCEDURE_STEP, syntaxes)
    return {str(context.abstract_syntax): context for context in (echo, commitment, steps)}
