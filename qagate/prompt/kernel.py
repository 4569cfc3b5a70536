"""Kernel and contrast agent: how sharply a CT was reconstructed, and whether an agent was given."""

from __future__ import annotations

from qagate.domain.prompt import Evidence
from qagate.domain.volume import Tags
from qagate.prompt import text
from qagate.prompt.match import evidence, fires, shown
from qagate.prompt.rules import Rules

_KERNEL_TAGS = ("ConvolutionKernel", "ConvolutionKernelGroup")
_CONTRAST_ORDER = (  # the series itself before the agent, which is often filled in for the whole examination
    ("SeriesDescription",),
    ("ProtocolName",),
    ("ContrastBolusAgent", "ContrastBolusAgentSequence"),
    ("StudyDescription", "RequestedProcedureDescription", "PerformedProcedureStepDescription"),
)


def kernel(tags: Tags, rules: Rules) -> tuple[str | None, tuple[Evidence, ...]]:
    """Return (soft, medium, sharp or None, evidence) by the vendor's own table; the first rule that fits decides."""
    vendor = text.symbols(" ".join(text.texts(tags, "Manufacturer")))
    if vendor in ("unknown", "unknown manufacturer", "anonymous", "removed"):
        vendor = ""
    for tag in _KERNEL_TAGS:
        for value in text.texts(tags, tag)[:1]:
            name = value.replace("_", " ").strip()
            for rule in rules.kernels:
                if (rule.vendor is None or rule.vendor.search(vendor)) and rule.kernel.search(name):
                    return rule.to, (Evidence(tag, shown(tags, tag), rule.id, f"kernel:{rule.to}", 1.0),)
    return None, ()


def contrast(tags: Tags, rules: Rules) -> tuple[bool | None, tuple[Evidence, ...]]:
    """Return (whether a contrast agent was given or None, evidence): the first tag that is of one mind decides.

    A text that says both ("with and without") says nothing, and so does an empty agent.
    """
    for group in _CONTRAST_ORDER:
        for tag in group:
            if tag not in tags:
                continue
            only = {tag: tags[tag]}
            said = [(rule, found) for rule in rules.contrast if (found := fires(rule, only, None))]
            answers = {rule.to for rule, _ in said}
            if len(answers) == 1:
                chain = tuple(evidence(rule, found, f"contrast:{rule.to}", rule.weight) for rule, found in said)
                return answers == {"yes"}, chain
    return None, ()
